"""One honest protocol for generation from one image: what is measured, on what, and the tables of it."""

from unica.evaluation.protocol import MEASURES, Evaluation, Measure, Samples, evaluate
from unica.evaluation.tools import Tools, load_tools

__all__ = ["MEASURES", "Evaluation", "Measure", "Samples", "Tools", "evaluate", "load_tools"]
