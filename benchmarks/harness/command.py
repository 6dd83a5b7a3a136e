"""The command line of a suite: every script has the same options, and says the same things.

A script says what its suites are (:class:`Suite`); what only it can do, it adds to the parser and
asks for itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.harness.markdown import write
from benchmarks.harness.processes import Case, run
from benchmarks.harness.rows import RESULTS, Row, Rows
from marapatch.errors import MarapatchError


@dataclass(frozen=True)
class Suite:
    """One list of instances, whose rows are in one file.

    ``name``: of its rows and of the marks around its tables. ``cases``: the instances, picklable.
    ``work``: the row of one, a function at the top level of a module. ``report``: the tables of its
    rows in markdown, given how many instances there are. ``fresh``: whether a known row still
    counts; the others are forgotten before a run. ``open_ended``: rows of other keys are of the
    suite too, which has instances without end.
    """

    name: str
    about: str
    cases: Callable[[], Iterable[Any]]
    work: Callable[[Any], Row]
    report: Callable[[Sequence[Row], int], str]
    fresh: Callable[[Row], bool] = lambda row: True
    open_ended: bool = False

    def known(self, folder: Path = RESULTS) -> tuple[list[Row], int]:
        """The rows of its instances, in their order, and how many instances it has.

        Rows of other keys are not of it, unless it is open-ended: a run with another limit of time
        left them.
        """
        rows = Rows(self.name, folder).all()
        found = {row["key"]: row for row in rows}
        keys = [case.key for case in self.cases()]
        return rows if self.open_ended else [found[key] for key in keys if key in found], len(keys)

    def text(self, folder: Path = RESULTS) -> str:
        """Its tables."""
        return self.report(*self.known(folder))


Suites = Mapping[str, Suite]


def say(line: str) -> None:
    """Print a line now."""
    print(line, flush=True)


def parser_of(description: str | None, *, processes: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that every script has; ``description``: the script's docstring.

    ``processes``: whether its instances are run by :func:`benchmarks.harness.processes.run`.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--report", action="store_true", help="print the tables in markdown; runs nothing")
    add("--write", action="store_true", help="with --report: put them on their page instead")
    add("--results", type=Path, default=RESULTS, help="folder of the rows (default: %(default)s)")
    if processes:
        add("--jobs", type=int, default=1, help="instances at a time, one thread each (default 1)")
        add("--limit", type=int, help="only the first so many instances")
        add("--again", action="store_true", help="forget failed rows first, so that they run again")
    return parser


def parser_of_several(description: str | None, suites: Suites) -> argparse.ArgumentParser:
    """The same for a script with more than one suite."""
    parser = parser_of(description)
    add = parser.add_argument
    add("--list", action="store_true", help="say what the suites are and how much is done")
    add("--suite", action="append", choices=[*suites], help="which suite; may be repeated")
    add("--timeout", type=float, help="other seconds an instance; such rows have their own keys")
    return parser


def publish(texts: Mapping[str, str], *, onto_page: bool) -> None:
    """Print the tables, or write them onto their page."""
    if onto_page:
        write(texts)
    elif len(texts) == 1:
        print(*texts.values())
    else:
        print("\n".join(f"### {name}\n\n{text}" for name, text in texts.items()))


def run_suite(suite: Suite, cases: Iterable[Case], options: argparse.Namespace) -> None:
    """Run what is missing of ``cases``, as the options say."""
    rows = Rows(suite.name, options.results)
    if options.again:
        rows.forget(lambda row: row.get("status") == "failed")
    rows.forget(lambda row: not suite.fresh(row))
    run(list(cases)[: options.limit], suite.work, rows, jobs=options.jobs, report=say)


def main_of(
    suite: Suite,
    options: argparse.Namespace,
    *,
    cases: Iterable[Case] | None = None,
    wrong: Callable[[Row], object] = lambda row: False,
) -> int:
    """Run what is missing of ``cases`` (None: all), then show the tables; with ``--report`` only
    these. The exit code: 1 where a row is ``wrong``."""
    if not options.report:
        run_suite(suite, suite.cases() if cases is None else cases, options)
    rows, expected = suite.known(options.results)
    publish({suite.name: suite.report(rows, expected)}, onto_page=options.write)
    return int(any(map(wrong, rows)))


def main_of_several(suites: Suites, options: argparse.Namespace) -> int:
    """Do what the options of :func:`parser_of_several` say; the exit code."""
    chosen = options.suite or [*suites]
    if options.list:
        for name in chosen:
            rows, expected = suites[name].known(options.results)
            print(f"{name:10} {len(rows):3} of {expected:3} done: {suites[name].about}")
        return 0
    if options.report:
        texts = {suites[name].name: suites[name].text(options.results) for name in chosen}
        publish(texts, onto_page=options.write)
        return 0
    if not options.suite:
        print("say which --suite to run, or --list or --report", file=sys.stderr)
        return 2
    for name in options.suite:
        cases = suites[name].cases()
        if options.timeout is not None:
            cases = [replace(case, timeout=options.timeout) for case in cases]
        run_suite(suites[name], cases, options)
    return 0


def exit_with(main: Callable[[], int]) -> None:
    """End the process with the code of ``main``, or with one line on what was wrong."""
    try:
        sys.exit(main())
    except MarapatchError as problem:
        sys.exit(f"{Path(sys.argv[0]).name}: {problem}")
