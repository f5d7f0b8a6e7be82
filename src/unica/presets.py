"""How to train: functions that return plans. What was measured of them is in docs/benchmarks.md."""

from __future__ import annotations

from dataclasses import replace

from unica.errors import UnicaError
from unica.networks import FoldedConfig, SinDDMConfig
from unica.training import Plan

_HALVINGS = (20_000, 40_000, 70_000, 80_000, 90_000, 110_000)


def paper() -> Plan:
    """SinDDM as published (supplement C); start steps, gamma and the average's details as in its authors' code."""
    return Plan(
        preset="paper",
        network=SinDDMConfig(dim=160),
        rule="authors",
        output="eps",
        steps=120_000,
        images=32,
        pixels=None,
        loss="l1",
        optimizer="adam",
        rate=1e-3,
        halvings=_HALVINGS,
        ema=0.995,
        ema_from=2000,
        ema_every=10,
    )


def paper_small_gpu() -> Plan:
    """The paper's setting for small GPUs: half the batch, four times the steps."""
    plan = paper()
    halvings = tuple(4 * step for step in _HALVINGS)
    return replace(plan, preset="paper-small-gpu", steps=480_000, images=16, halvings=halvings)


def no_blur() -> Plan:
    """The ablation of Fig. 5: noise alone, which leaves out fine detail."""
    return replace(paper(), preset="no-blur", blur=False)


def fast() -> Plan:
    """Good pictures after minutes of training; how it got its values is in docs/training.md.

    At 128 pixels of height on two cores: coherence 1.5 to 1.7 times the instant engine's after 5 minutes, 1.3 to 1.6
    after 15 (two images). Textures in which everything is random (gravel) come out soft, the more so the longer.
    """
    return Plan(
        preset="fast",
        network=FoldedConfig(width=96, blocks=3, fold=2),
        rule="authors",
        output="residual",
        steps=None,
        images=None,
        pixels=22_000,
        loss="l2",
        optimizer="muon",
        rate=3e-3,
        halvings=None,
        ema=0.998,
        ema_from=0,
        ema_every=1,
        share=0.7,
        sampled=0.8,
        clip=1.0,
        warmup=50,
    )


PRESETS = {"fast": fast, "paper": paper, "paper-small-gpu": paper_small_gpu, "no-blur": no_blur}


def preset(name: str) -> Plan:
    if name not in PRESETS:
        raise UnicaError(f"preset must be {', '.join(list(PRESETS)[:-1])} or {list(PRESETS)[-1]}, not {name}")
    return PRESETS[name]()
