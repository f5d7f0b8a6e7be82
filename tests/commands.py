"""The command line, run in the process of a test."""

from __future__ import annotations

from typing import NamedTuple

from typer.testing import CliRunner

from unica.cli.app import make_app
from unica.errors import UnicaError


class Ended(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def command(*words: str) -> Ended:
    """A command in this process, with a user's mistake as the command line tells it."""
    result = CliRunner().invoke(make_app(), list(words))
    if isinstance(result.exception, UnicaError):
        return Ended(2, result.stdout, str(result.exception))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)
