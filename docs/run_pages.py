"""Run what the pages show, and put what it printed beside it.

Every block of kind ``sh`` or ``python`` of a page is run as it stands, one after the other, in one
empty folder a page; a block of kind ``text`` that follows it holds what it printed (stdout and
stderr). A block after the comment ``<!-- not run: reason -->`` is left alone. Python blocks are
programs of their own: they share files, not names.

  python docs/run_pages.py                      run all pages; exit code 1 where a block fails
  python docs/run_pages.py docs/tutorial.md     run one
  python docs/run_pages.py --write PAGE...      and write what was printed into it, and the
                                                pictures that it shows and its blocks have drawn

The data of benchmarks are found through MARAPATCH_DATA; times differ from run to run, so what was
printed is shown when it differs, and only a block that ends with an error is one.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^>]*-->\n)?"
    r"^```(?P<kind>sh|python)\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<shown>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Shown:
    """A block that is run: where it stands in the page, its code, and what is shown below it."""

    kind: str
    code: str
    shown: str | None
    span: tuple[int, int]


def pages() -> list[Path]:
    """README.md and all pages below docs/ but the generated ones."""
    found = sorted(p for p in (ROOT / "docs").rglob("*.md") if p.parent.name != "reference")
    return [ROOT / "README.md", *found]


def blocks(text: str) -> list[Shown]:
    """The blocks of a page that are run."""
    return [
        Shown(match["kind"], match["code"], match["shown"], match.span("shown"))
        for match in BLOCK.finditer(text)
        if match["skip"] is None
    ]


def printed(block: Shown, folder: str) -> tuple[str, int]:
    """What the block prints when it is run in ``folder``, and its exit code."""
    command = [sys.executable, "-"] if block.kind == "python" else ["bash", "-e", "-s"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        input=block.code,
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "100", "PYTHONPATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.replace(f"{ROOT}/", "").replace(f"{folder}/", ""), done.returncode


def run(page: Path, *, write: bool) -> bool:
    """Run a page; whether nothing failed."""
    text = page.read_text(encoding="utf-8")
    fine = True
    changes: list[tuple[tuple[int, int], str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for block in blocks(text):
            out, code = printed(block, folder)
            name = f"{page.relative_to(ROOT)}: {block.code.strip().splitlines()[0]}"
            if code:
                fine = False
                print(f"{name}: exit code {code}\n{out}")
            elif block.shown is not None and out != block.shown:
                lines = (block.shown.splitlines(), out.splitlines())
                print(
                    name, *difflib.unified_diff(*lines, "shown", "printed", "", "", 0, ""), sep="\n"
                )
                changes.append((block.span, out))
        for link in re.findall(r"\]\(([^)]*\.png)\)", text) if write else ():
            drawn = Path(folder) / Path(link).name
            if drawn.is_file():
                shutil.copyfile(drawn, page.parent / link)
    if write:
        for (start, end), out in reversed(changes):
            text = text[:start] + out + text[end:]
        page.write_text(text, encoding="utf-8")
    return fine


def main() -> int:
    """Run the pages named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE")
    parser.add_argument("--write", action="store_true", help="put what was printed into the pages")
    options = parser.parse_args()
    chosen = [page.resolve() for page in options.pages] or pages()
    done = [run(page, write=options.write) for page in chosen]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
