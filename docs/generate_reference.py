"""Write docs/reference/ from the program itself: the commands, the library, and what is read.

python docs/generate_reference.py            write the pages
python docs/generate_reference.py --check    exit code 1 where one is out of date
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any, get_args, get_type_hints

from typer.models import ArgumentInfo

import marapatch
from marapatch.cli import app

FOLDER = Path(__file__).resolve().parent / "reference"
MADE = "<!-- written by docs/generate_reference.py: do not edit -->"

GROUPS: Mapping[str, str] = {
    "Networks": "load Network memory_limit",
    "Ground truths": "ground_truth GroundTruth TargetResult GroundTruthOptions Progress",
    "Minimal patches": "minimal_patch sparse_patch Patch PatchOptions",
    "Marks": "mark Marking",
    "From a patch to an adversarial input": (
        "patch_attack PatchAttack PatchAttackOptions patch_attack_images PatchAttackSet Stage "
        "find_first_layer_patch FirstLayerPatch realise"
    ),
    "Properties": "verify",
    "Questions of one's own": (
        "Problem Expression decides decides_one_of decides_other norm1 norm_inf absolute "
        "maximum minimum relu leaky_relu clip all_of any_of at_most_k_nonzero"
    ),
    "Choices, verdicts and evidence": "Norm Rule Evidence Sat Unsat Unknown Witness",
    "Errors": (
        "MarapatchError InputError UnsupportedOperatorError BackendError ScopeError "
        "ContradictionError"
    ),
}
"""The public names, by what they are for."""

FILES: Mapping[str, str] = {
    "marapatch groundtruth": "groundtruth.report",
    "marapatch patch": "patching.report",
    "marapatch patch-attack": "patch_attacks.records",
}
"""What the modules say that write results, by command."""


def plain(text: str) -> str:
    """A docstring as Markdown: roles and double backticks become code."""
    text = re.sub(r":(?:class|func|data|mod|meth|attr):`~(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    text = re.sub(r":(?:class|func|data|mod|meth|attr):`([^`]+)`", r"`\1`", text)
    block = re.compile(r"^::\n\n((?:    .*\n?|\n)+)", re.MULTILINE)
    text = block.sub(lambda m: f"```python\n{dedent(m[1]).strip()}\n```\n\n", text)
    return re.sub(r"(?<!`)``(?!`)", "`", text)


def cell(text: str) -> str:
    """Text as a cell of a table."""
    return " ".join(text.split()).replace("|", r"\|")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table, and an empty line."""
    lines = [header, ["---"] * len(header), *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a help text; those that are commands, as one block of code."""
    lines: list[str] = []
    commands: list[str] = []
    for paragraph in dedent(text).strip().split("\n\n"):
        line = " ".join(paragraph.split())
        if line.startswith("marapatch "):
            commands.append(line)
            continue
        if commands:
            lines += ["```sh", *commands, "```", ""]
            commands = []
        lines += [plain(line), ""]
    return lines + (["```sh", *commands, "```", ""] if commands else [])


@dataclass(frozen=True)
class Parameter:
    """A parameter of a command, read from its signature: every version of typer keeps that."""

    info: Any
    takes: Any
    default: Any
    name: str

    @property
    def argument(self) -> bool:
        """Whether it is given by its place."""
        return isinstance(self.info, ArgumentInfo)

    @property
    def metavar(self) -> str:
        """What it is called in the usage line."""
        return str(self.info.metavar or self.name.upper())

    @property
    def required(self) -> bool:
        """Whether the command needs it."""
        return self.default is inspect.Parameter.empty

    @property
    def flags(self) -> list[str]:
        """How an option is written; one that can be switched off has two spellings."""
        dashed = self.name.replace("_", "-")
        both = f"--{dashed}/--no-{dashed}" if self.takes is bool else f"--{dashed}"
        # In ``Annotated`` the first of the names stands where a default would.
        given = [g for g in (self.info.default, *(self.info.param_decls or ())) if type(g) is str]
        return [flag for name in given or [both] for flag in name.split("/")]

    @property
    def kind(self) -> str:
        """What an option takes."""
        if self.takes is bool:
            return ""
        if isinstance(self.takes, type) and issubclass(self.takes, Enum):
            return " or ".join(f"`{member.value}`" for member in self.takes)
        named = {int: "N", float: "X", str: "TEXT", Path: "FILE"}
        return f"`{cell(self.info.metavar or named[self.takes])}`"

    @property
    def shown_default(self) -> str:
        """The default as it is typed; empty where there is none."""
        off = next((flag for flag in self.flags if flag.startswith("--no-")), None)
        if off is not None and self.default is not None:
            return f"`{self.flags[0] if self.default else off}`"
        if self.default is None or self.takes is bool:
            return ""
        return f"`{self.default.value if isinstance(self.default, Enum) else self.default}`"

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The row of an option."""
        names = ", ".join(f"`{flag}`" for flag in self.flags)
        return names, self.kind, self.shown_default, cell(self.info.help or "")


def parameters(command: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a command, in its order."""
    hints = get_type_hints(command, include_extras=True)
    found = []
    for name, parameter in inspect.signature(command).parameters.items():
        takes, info = get_args(hints[name])[:2]
        takes = next(iter([t for t in get_args(takes) if t is not type(None)] or [takes]))
        found.append(Parameter(info, takes, parameter.default, name))
    return found


def command_lines(info: Any) -> list[str]:
    """One command of the reference."""
    known = parameters(info.callback)
    arguments = [p for p in known if p.argument]
    options = [p for p in known if not p.argument]
    usage = [p.metavar if p.required else f"[{p.metavar}]" for p in arguments]
    lines = [f"## marapatch {info.name}", "", f"`{' '.join(['marapatch', info.name, *usage])} ...`"]
    lines += ["", *paragraphs(inspect.getdoc(info.callback) or "")]
    if arguments:
        rows = [(f"`{p.metavar}`", cell(p.info.help or "")) for p in arguments]
        lines += table(("argument", "what it is"), rows)
    if options:
        header = ("option", "takes", "default", "what it does")
        lines += table(header, (p.row for p in options))
    return lines + paragraphs(info.epilog or "")


def commands() -> str:
    """docs/reference/cli.md."""
    lines = [
        MADE,
        "# Commands",
        "",
        "What `marapatch COMMAND --help` prints, on one page. Exit codes are alike everywhere:",
        "0 what was asked is decided, 1 something is open, 2 bad input, 3 a solver failed,",
        "4 two pieces of evidence contradict each other, 70 a defect of marapatch,",
        "130 interrupted.",
        "",
    ]
    rows = []
    for info in app.registered_commands:
        first = (inspect.getdoc(info.callback) or "").split("\n\n")[0]
        rows.append((f"[`{info.name}`](#marapatch-{info.name})", cell(first)))
    lines += table(("command", "what it does"), rows)
    for info in app.registered_commands:
        lines += command_lines(info)
    return "\n".join(lines).rstrip() + "\n"


def signature(item: Any, name: str) -> str:
    """``name(...)`` as Python; one parameter a line where it is long."""
    try:
        full = inspect.signature(item)
    except (TypeError, ValueError):
        return name
    bare = [p for p in full.parameters.values() if p.name not in ("self", "cls")]
    returns = full.return_annotation
    after = "" if returns is full.empty or inspect.isclass(item) else f" -> {returns}"
    text = f"{name}{full.replace(parameters=bare, return_annotation=full.empty)}"
    text = re.sub(r"(: |= )'([^']*)'(?=[,)= ])", _unquoted, text)
    text = re.sub(r"<(\w+\.\w+): '[^']*'>", r"\1", text)
    if len(text) + len(after) <= 88:
        return f"{text}{after}"
    parts, depth, inner = [""], 0, text[len(name) + 1 : -1]
    for letter in inner:
        depth += letter in "([{"
        depth -= letter in ")]}"
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return "\n".join([f"{name}(", *(f"    {part.strip()}," for part in parts), f"){after}"])


def _unquoted(match: re.Match[str]) -> str:
    """An annotation without its quotes; a default keeps them."""
    return f": {match[2]}" if match[1] == ": " else f'= "{match[2]}"'


def documented(item: Any) -> list[str]:
    """The docstring as paragraphs."""
    return [plain(inspect.getdoc(item) or ""), ""]


def members(item: type) -> list[str]:
    """The public methods and properties that a class defines itself."""
    lines: list[str] = []
    for name, member in vars(item).items():
        if name.startswith("_"):
            continue
        function = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
        if isinstance(function, property) or hasattr(function, "attrname"):
            lines += [f"`{name}`", "", *documented(function)]
        elif inspect.isfunction(function):
            lines += ["```python", signature(function, name), "```", "", *documented(function)]
    return lines


def entry(name: str, item: Any) -> list[str]:
    """One name of the library."""
    lines = [f"### {name}", ""]
    if isinstance(item, type) and issubclass(item, Enum):
        values = ", ".join(f"`{member.value}`" for member in item)
        return [*lines, *documented(item), f"One of {values}.", "", *members(item)]
    if isinstance(item, type) and issubclass(item, Exception):
        bases = ", ".join(f"`{base.__name__}`" for base in item.__bases__)
        return [*lines, f"A kind of {bases}.", "", *documented(item)]
    lines += ["```python", signature(item, name), "```", "", *documented(item)]
    return lines + (members(item) if isinstance(item, type) else [])


def library() -> str:
    """docs/reference/api.md."""
    groups = {title: names.split() for title, names in GROUPS.items()}
    named = {name for names in groups.values() for name in names}
    others = [name for name in marapatch.__all__ if name not in named]
    groups |= {"Further names": others} if others else {}
    lines = [
        MADE,
        "# Library",
        "",
        "`import marapatch as mp`: everything below is `mp.NAME`; the attacks are `mp.attacks`.",
        "Errors are raised as each entry says; a timeout is a verdict, not an error.",
        "",
    ]
    for title, names in groups.items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += entry(name, getattr(marapatch, name))
    lines += ["## Attacks", "", *documented(marapatch.attacks)]
    for name in marapatch.attacks.__all__:
        lines += entry(f"attacks.{name}", getattr(marapatch.attacks, name))
    return "\n".join(lines).rstrip() + "\n"


def files() -> str:
    """docs/reference/json.md."""
    lines = [
        MADE,
        "# Results as JSON",
        "",
        "What `--json` writes, by command, and the rows of a patch-attack folder. Ends of brackets",
        "are written in full and were rounded outward; `null` with a `status` stands for infinity.",
        "",
    ]
    for title, module in FILES.items():
        text = plain(inspect.getdoc(import_module(f"marapatch.{module}")) or "")
        lines += [f"## {title}", "", text, ""]
    return "\n".join(lines).rstrip() + "\n"


PAGES = {"cli.md": commands, "api.md": library, "json.md": files}


def main() -> int:
    """Write the pages, or say which are out of date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; compare")
    check = parser.parse_args().check
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for name, made in PAGES.items():
        path, text = FOLDER / name, made()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    print(f"{'out of date' if check else 'written'}: {', '.join(stale)}" if stale else "up to date")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
