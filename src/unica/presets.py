"""How to train: functions that return plans. What was measured of them is in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from unica.errors import UnicaError
from unica.networks import FoldedConfig, NetworkConfig, SinDDMConfig, UNetConfig
from unica.plan import Plan

_HALVINGS = (20_000, 40_000, 70_000, 80_000, 90_000, 110_000)


def sinddm_paper() -> Plan:
    """SinDDM as published (supplement C); start steps, gamma and the average's details as in its authors' code."""
    return Plan(
        preset="paper",
        engine="sinddm",
        network=SinDDMConfig(dim=160),
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


def sinddm_paper_small_gpu() -> Plan:
    """The paper's setting for small GPUs: half the batch, four times the steps."""
    plan = sinddm_paper()
    halvings = tuple(4 * step for step in _HALVINGS)
    return replace(plan, preset="paper-small-gpu", steps=480_000, images=16, halvings=halvings)


def sinddm_no_blur() -> Plan:
    """The ablation of Fig. 5: noise alone, which leaves out fine detail."""
    return replace(sinddm_paper(), preset="no-blur", blur=False)


def sinddm_fast() -> Plan:
    """Good pictures after minutes of training; how it got its values is in docs/training.md.

    At 128 pixels of height on two cores: coherence 1.6 to 1.7 times the instant engine's after 5 minutes and 1.5 to 1.6
    after 15, on three pictures; about 2 on one where everything is random (gravel), which looks like its source all the
    same.
    """
    return _fast(
        engine="sinddm",
        network=FoldedConfig(width=96, blocks=3, fold=2),
        pixels=22_000,
        share=0.7,
        hidden=3.4,
        sampled=0.8,
    )


def sindiffusion_paper() -> Plan:
    """SinDiffusion as published; batch, rate and sizes as in its authors' code. AdamW without decay is Adam."""
    return Plan(
        preset="paper",
        engine="sindiffusion",
        network=UNetConfig(),
        output="eps",
        steps=50_000,  # the paper does not say
        images=16,
        pixels=None,
        loss="l2",
        optimizer="adam",
        rate=5e-4,
        halvings=(),
        ema=0.9999,
        ema_from=0,
        ema_every=1,
        stretch=0.25,
        enlarge=True,
    )


def sindiffusion_paper_large() -> Plan:
    """The enhanced network for one large picture (Fig. 7: 486x741)."""
    network = UNetConfig(multipliers=(1, 2, 4, 8), blocks=2)
    return replace(sindiffusion_paper(), preset="paper-large", network=network, frugal=True, largest=400_000)


def sindiffusion_multi_scale() -> Plan:
    """The baseline of the ablation (Table 3): a diffusion model for each level of a pyramid."""
    return replace(sindiffusion_paper(), preset="multi-scale", multiscale=True)


def sindiffusion_fast() -> Plan:
    """Good pictures after minutes of training; how it got its values is in docs/training.md.

    At 128 pixels of height, on one core and two pictures: coherence 1.4 to 1.6 times the instant engine's after 5
    minutes and 1.3 after 15.
    """
    return _fast(
        engine="sindiffusion",
        network=UNetConfig(width=48, multipliers=(1, 1), fold=2, norm=False),
        pixels=72_000,
        lean=2.0,
    )


def _fast(engine: str, network: NetworkConfig, pixels: int, **words: float) -> Plan:
    """What both engines' `fast` have in common."""
    common = Plan(
        preset="fast",
        engine=engine,
        network=network,
        output="residual",
        steps=None,
        images=None,
        pixels=pixels,
        loss="l2",
        optimizer="muon",
        rate=3e-3,
        halvings=None,
        ema=0.998,
        ema_from=0,
        ema_every=1,
        clip=1.0,
        warmup=50,
        stretch=0.25,
    )
    return replace(common, **words)


PRESETS: dict[str, dict[str, Callable[[], Plan]]] = {
    "sinddm": {
        "fast": sinddm_fast,
        "paper": sinddm_paper,
        "paper-small-gpu": sinddm_paper_small_gpu,
        "no-blur": sinddm_no_blur,
    },
    "sindiffusion": {
        "fast": sindiffusion_fast,
        "paper": sindiffusion_paper,
        "paper-large": sindiffusion_paper_large,
        "multi-scale": sindiffusion_multi_scale,
    },
}


def preset(engine: str, name: str) -> Plan:
    known = PRESETS[engine]
    if name not in known:
        raise UnicaError(f"preset must be {', '.join(list(known)[:-1])} or {list(known)[-1]}, not {name}")
    return known[name]()
