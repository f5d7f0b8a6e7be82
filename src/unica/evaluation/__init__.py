"""The evaluation protocol: which measures are taken of samples, and the tables and reports of their results."""

from unica.evaluation.networks import Networks, load_networks
from unica.evaluation.protocol import Evaluation, Samples, evaluate

__all__ = ["Evaluation", "Networks", "Samples", "evaluate", "load_networks"]
