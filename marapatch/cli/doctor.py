"""``marapatch doctor``: does what marapatch needs work on this machine?"""

from __future__ import annotations

import typer


def command() -> None:
    """Print versions; try the bundled network, and small queries through Marabou and HiGHS.

    Exit code 3 where an answer is wrong or missing.
    """
    from marapatch.cli.selftest import check_example, diagnose
    from marapatch.reporting.versions import versions
    from marapatch.solvers import BACKENDS

    for package, number in versions().items():
        typer.echo(f"{package:24} {number}")
    bad = 0
    asked = diagnose({name: BACKENDS[name] for name in ("marabou", "highs")})
    for check in (check_example(), *asked):
        bad += not check.good
        typer.echo(f"{check.name:24} {'ok' if check.good else 'WRONG'}: {check.detail}")
    if bad:
        typer.echo(
            f"marapatch: error: {bad} check(s) failed; answers here cannot be trusted", err=True
        )
        raise typer.Exit(3)
