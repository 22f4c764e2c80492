"""`qingxiang ledger …`: what an auditor runs."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.cli.attached import err, out, refuse, with_database
from app.core.db import Database
from app.services import ledger
from app.services.ledger import Report

cli = typer.Typer(no_args_is_help=True, help="The ledger.")


@cli.command()
def verify() -> None:
    """Recompute every balance, number and lot; exit 1 on any difference."""
    with Progress(
        BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"), console=err
    ) as progress:
        task = progress.add_task("reading", total=None)

        def tell(step: str, done: int, total: int) -> None:
            progress.update(task, description=step, completed=done, total=total)

        async def work(database: Database) -> Report:
            async with database.snapshot() as tx, database.snapshot() as beside:
                return await ledger.verify(tx, tell, beside=beside)

        report = with_database(work)
        progress.update(task, description="done", completed=1, total=1)
    show_report(out, report)
    raise typer.Exit(0 if report.holds else 1)


@cli.command("open-unit")
def open_unit(
    code: Annotated[str, typer.Argument(help="As a policy names it: jingjiang_points.")],
    name: Annotated[str, typer.Argument(help="As people know it: 靖江青年积分.")],
) -> None:
    """Open a unit for the points of another programme. The service itself may not."""

    async def work(database: Database) -> bool:
        async with database.transaction() as tx:
            return await ledger.open_unit(tx, code, name)

    try:
        opened = with_database(work, owner=True)
    except ledger.UnitInvalid as error:
        raise refuse(str(error)) from None
    out.print(f"{code} is open." if opened else f"{code} was open before.")


def show_report(console: Console, report: Report) -> None:
    """Print what a verification read and found."""
    read = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in report.rows.items())
    console.print(f"Read {read}; {report.checks} checks.")
    if report.holds:
        console.print("[green]The ledger verifies.[/green]")
        return
    table = Table("check", "where", "expected", "found", title="Differences")
    for one in report.differences:
        table.add_row(one.check, one.subject, str(one.expected), str(one.found))
    console.print(table)
