"""Write docs/reference/: every command with its options, and every public name of the library.

``python docs/generate_reference.py`` writes the pages; a test sees that they are up to date.
"""

from __future__ import annotations

import inspect
import re
from enum import EnumType
from pathlib import Path
from typing import Any, get_args, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

import marapatch
from marapatch.cli import app

FOLDER = Path(__file__).with_name("reference")
ROLE = re.compile(r":\w+:`~?(?:marapatch\.)?([^`]*)`")


def commands() -> str:
    """The page of the command line, from what each command's parameters are annotated with."""
    parts = ["# Commands", "", "Made by `docs/generate_reference.py` from the commands themselves."]
    for command in app.registered_commands:
        function = command.callback
        assert function is not None
        parts += ["", f"## marapatch {command.name}", "", plain(inspect.getdoc(function) or "")]
        hints = get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters.values()
        for kind in (ArgumentInfo, OptionInfo):
            found = []
            for parameter in parameters:
                annotation, *extras = (*get_args(hints[parameter.name]), None)
                info = next((extra for extra in extras if isinstance(extra, kind)), None)
                if info is not None:
                    found.append(row(parameter, annotation, info))
            if found:
                what = "argument" if kind is ArgumentInfo else "option"
                parts += ["", f"| {what} | what it is |", "| --- | --- |", *found]
    return "\n".join(parts).rstrip() + "\n"


def row(parameter: inspect.Parameter, annotation: object, info: ArgumentInfo | OptionInfo) -> str:
    """A parameter as a row of a table."""
    metavar = str(info.metavar or "")
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, EnumType)]
    if isinstance(info, ArgumentInfo):
        names, metavar = metavar or parameter.name.upper(), ""
    else:
        own = f"--{parameter.name.replace('_', '-')}"
        # Within Annotated the first name given stands where typer otherwise has the default.
        first = [info.default] if str(info.default).startswith("-") else []
        names = ", ".join([*first, *(info.param_decls or [])] or [own])
        if parameter.default is True and not first:
            names += f", --no-{own[2:]}"
    if kinds and not metavar:
        metavar = " or ".join(str(member.value) for member in kinds[0])
    said = " ".join((info.help or "").split()).replace("|", "\\|")
    default = getattr(parameter.default, "value", parameter.default)
    if isinstance(default, int | float | str) and not isinstance(default, bool) and default != "":
        said += f" Default: {default}."
    return f"| `{names}`{f' `{metavar}`' if metavar else ''} | {said} |"


def library() -> str:
    """The page of the library: signatures and docstrings of what ``marapatch`` exports."""
    parts = [
        "# Library",
        "",
        "Made by `docs/generate_reference.py` from the docstrings. `import marapatch as mp`.",
    ]
    for name in marapatch.__all__:
        thing = getattr(marapatch, name)
        parts += ["", f"## mp.{name}", ""]
        signature = signature_of(thing)
        if signature:
            parts += ["```python", f"{name}{signature}", "```", ""]
        parts.append(plain(inspect.getdoc(thing) or ""))
    return "\n".join(parts).rstrip() + "\n"


def signature_of(thing: Any) -> str:
    """A parameter a line, without annotations of the return value of classes; empty where there is
    none worth showing (exceptions, enumerations)."""
    if isinstance(thing, type) and issubclass(thing, BaseException):
        return ""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except ValueError:
        return ""
    lines, star = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            lines.append("    *,")
            star = True
        star = star or parameter.kind is parameter.VAR_POSITIONAL
        default = "" if parameter.default is parameter.empty else f"={shown(parameter.default)}"
        kind = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        lines.append(f"    {kind}{parameter.name}{default},")
    return "(\n" + "\n".join(lines) + "\n)" if lines else "()"


def shown(value: object) -> str:
    """A default as a reader would write it."""
    text = f'"{value}"' if type(value) is str else repr(value)
    return re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", text)


def plain(text: str) -> str:
    """reStructuredText as Markdown: roles and literals."""
    text = ROLE.sub(lambda m: f"`{m[1].rsplit('.', 1)[-1]}`", text)
    return text.replace("``", "`").replace("|", "\\|") if "```" not in text else text


PAGES = {"cli.md": commands, "api.md": library}

if __name__ == "__main__":
    for page, content in PAGES.items():
        (FOLDER / page).write_text(content())
