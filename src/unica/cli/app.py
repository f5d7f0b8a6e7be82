"""The command line: all commands, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from typing import Annotated

import typer

import unica
from unica.cli.commands import add_commands
from unica.cli.drawing import add_tasks
from unica.cli.signals import Stopped, handled
from unica.cli.terminal import complain, say
from unica.errors import UnicaError, reason

try:  # what Typer raises for bad usage: its own kind of error, or in earlier versions that of the click they need
    from typer import TyperException as UsageProblem
except ImportError:
    from click import ClickException as UsageProblem  # pyright: ignore


def make_app(only: str | None = None) -> typer.Typer:
    """All commands: one for each task, and those that are no tasks.

    With `only`, the other commands have no options. That is enough to list them, and starts sooner.
    """
    app = typer.Typer(
        name="unica",
        help="New pictures from one picture: variations of any size, at once or from a model trained in minutes.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    add_tasks(app, only)
    add_commands(app, only)
    return app


def _version(wanted: bool | None) -> None:
    if wanted:
        say(f"unica {unica.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool | None, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = None,
) -> None:
    """Options of unica itself."""


def main() -> None:
    """Run the command line: 0 done, 2 something the user can mend, 128 + n ended by signal n (130: Ctrl-C)."""
    chosen = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    completing = "_UNICA_COMPLETE" in os.environ  # a shell asks for what may be typed next
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115  (it was closed)
    if not sys.warnoptions:  # whoever types a command cannot mend what libraries warn programmers of
        warnings.simplefilter("ignore")
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        with handled():
            code = make_app(None if completing else chosen)(standalone_mode=False) or 0
            sys.stdout.flush()
        raise SystemExit(code)
    except Stopped as stopped:
        complain("interrupted")
        raise SystemExit(stopped.exit_code) from None
    except UsageProblem as error:
        _usage(error.format_message())
    except UnicaError as error:
        _fail(str(error))
    except BrokenPipeError:  # whoever read stdout has seen enough
        _drop_stdout()
        raise SystemExit(0) from None
    except OSError as error:
        if error.filename is None:
            _drop_stdout()
        _fail(f"{error.filename or 'stdout'} cannot be used: {reason(error)}")
    except MemoryError:
        _fail("there is not enough memory for a picture of this size; try a smaller --size or --max-side")


def _drop_stdout() -> None:
    """Whatever waits to be printed goes nowhere: Python would try again at its end, and fail again."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(message: str) -> None:
    """A command without arguments was answered with its help, and has no message."""
    if not message.strip():
        raise SystemExit(2)
    _fail(" ".join(message.split()))


def _fail(sentence: str) -> None:
    complain(sentence)
    raise SystemExit(2)
