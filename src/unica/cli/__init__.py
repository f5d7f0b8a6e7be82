"""The command line: parse, run a task, save. No algorithm lives here."""

from unica.cli.app import main

__all__ = ["main"]
