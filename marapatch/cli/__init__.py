"""The command ``marapatch``: arguments in, one call of the library, exit code out.

Exit codes: 0 decided, 1 undecided, 2 bad input, 3 a backend failed, 4 two pieces of evidence
contradict each other, 70 a defect of marapatch itself, 130 interrupted: by Ctrl-C, SIGTERM or
SIGHUP.

Commands import what they need when they run, so that ``marapatch --help`` is quick.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from marapatch.cli import (
    attack,
    doctor,
    export,
    fetch,
    groundtruth,
    mark,
    patch,
    patch_attack,
    recheck,
    verify,
)
from marapatch.cli.signals import INTERRUPTED, ending
from marapatch.cli.streams import kept_streams
from marapatch.errors import (
    BackendError,
    ContradictionError,
    InputError,
    MarapatchError,
    UnsupportedOperatorError,
)
from marapatch.files.memory import DEFAULT_LIMIT, memory_limit

DEFECT = 70
LONGEST_LINE = 400
"""Characters of an error's line; a path may be longer than a screen."""

app = typer.Typer(
    name="marapatch",
    help="Ground-truth adversarial examples and minimal patches of neural networks, proved with "
    "the Marabou verifier.",
    epilog="Try: marapatch groundtruth example:mnist_3x24 example:seven --target 3",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("groundtruth", epilog=groundtruth.EPILOG)(groundtruth.command)
app.command("patch", epilog=patch.EPILOG)(patch.command)
app.command("patch-attack", epilog=patch_attack.EPILOG)(patch_attack.command)
app.command("mark", epilog=mark.EPILOG)(mark.command)
app.command("attack", epilog=attack.EPILOG)(attack.command)
app.command("verify", epilog=verify.EPILOG)(verify.command)
app.command("recheck", epilog=recheck.EPILOG)(recheck.command)
app.command("export", epilog=export.EPILOG)(export.command)
app.command("fetch", epilog=fetch.EPILOG)(fetch.command)
app.command("doctor")(doctor.command)

_USAGE_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""The base of the errors of the command line; typer does not name it in all its versions."""


@app.callback(invoke_without_command=True)
def _common(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"marapatch {installed('marapatch')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; errors become one line on stderr."""
    with kept_streams(), memory_limit(DEFAULT_LIMIT):
        try:
            with ending():
                code = app(
                    None if arguments is None else list(arguments),
                    prog_name="marapatch",
                    standalone_mode=False,
                )
        except (KeyboardInterrupt, typer.Abort):
            return INTERRUPTED
        except Exception as error:
            if os.environ.get("MARAPATCH_DEBUG"):
                raise
            message, code = _judged(error)
            typer.echo(f"marapatch: error: {_short(message)}", err=True)
        return code if isinstance(code, int) else 0


def _short(message: str) -> str:
    """One line of at most :data:`LONGEST_LINE` characters: what was found stands at its beginning,
    what to do at its end."""
    line = " ".join(message.split())
    half = LONGEST_LINE // 2
    if len(line) > LONGEST_LINE:
        line = f"{line[: half - 2]} ... {line[3 - half :]}"
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)


def _judged(error: Exception) -> tuple[str, int]:
    """What to say about ``error``, and the exit code."""
    match error:
        case InputError() | UnsupportedOperatorError():
            return str(error), 2
        case BackendError():
            return str(error), 3
        case ContradictionError():
            return str(error), 4
        case _ if isinstance(error, _USAGE_ERROR):
            context = getattr(error, "ctx", None)
            path = "marapatch" if context is None else context.command_path
            return f"{error.format_message()} (see: {path} --help)", 2
        case MemoryError():
            return (
                "there is not enough memory for this question; ask it of a smaller network, or of "
                "fewer inputs",
                2,
            )
        case MarapatchError():
            return f"{type(error).__name__}: {error}; please report this", DEFECT
        case _:
            return (
                f"{type(error).__name__}: {error}; this is a defect: please report it with the "
                "traceback that MARAPATCH_DEBUG=1 shows",
                DEFECT,
            )
