"""Random numbers from a seed: every whole number below 2**63 gives others."""

from __future__ import annotations

import numpy as np
import torch

_WORD = 2**32
_BEFORE, _WORDS = 24, 624  # of the Mersenne twister's state in torch: bytes before its words, and their number


def generator_of(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on a device.

    On CPUs torch uses the lower 32 bits of a seed only. The state for larger seeds is that of the Mersenne twister's
    initialisation by several words, as its authors define it.
    """
    generator = torch.Generator(device).manual_seed(seed)
    if seed >= _WORD and generator.device.type == "cpu":
        words = np.random.RandomState([seed % _WORD, seed // _WORD]).get_state(legacy=False)["state"]["key"]
        state = generator.get_state()
        state[_BEFORE : _BEFORE + 8 * _WORDS].view(torch.int64).copy_(torch.from_numpy(words.astype(np.int64)))
        generator.set_state(state)
    return generator
