"""`qingxiang ledger …`: verification and units."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.attached import err, out, refuse, with_database, with_replicas
from app.core.db import Database, ReadPool
from app.services.ledger import publication, verification
from app.services.ledger.publication import FileUnreadable
from app.services.ledger.verification import Report
from app.services.policies import opening
from app.services.policies.opening import UnitInvalid

SEAL_LENGTH = 32
cli = typer.Typer(no_args_is_help=True, help="The ledger.")


@cli.command()
def verify(
    seal: Annotated[
        list[str] | None,
        typer.Option(help="A seal that you verified and kept, as DAY=SEAL; may be given again."),
    ] = None,
    seals: Annotated[
        Path | None, typer.Option(help="A file of published seals, to be compared with.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Recompute what was sealed up to a given seal, too.")
    ] = False,
) -> None:
    """Recompute every balance, number, lot, fact and seal; exit 1 on any difference.

    With --seal it goes on from the newest that is given: what was sealed before is not recomputed,
    except for the chain of seals and for balances, numbers and sums.
    """
    verified = dict(_published(one) for one in seal or [])
    published = (_read(seals) if seals else {}) | verified
    since = max(verified) if verified and not full else None
    with Progress(
        BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"), console=err
    ) as progress:
        task = progress.add_task("reading", total=None)

        def tell(step: str, done: int, total: int) -> None:
            progress.update(task, description=step, completed=done, total=total)

        async def work(pool: ReadPool) -> Report:
            return await verification.verify_on(pool, tell, published, since)

        report = with_replicas(lambda replicas: replicas.run(work))
        progress.update(task, description="done", completed=1, total=1)
    show_report(out, report)
    raise typer.Exit(0 if report.holds else 1)


@cli.command("open-unit")
def open_unit(
    code: Annotated[str, typer.Argument(help="As a policy names it: jingjiang_points.")],
    name: Annotated[str, typer.Argument(help="As people know it: 靖江青年积分.")],
    name_en: Annotated[
        str | None, typer.Option("--name-en", help="The same in English: Jingjiang youth points.")
    ] = None,
) -> None:
    """Open a unit for the points of another programme, with the schema owner's rights."""

    async def work(database: Database) -> bool:
        async with database.transaction() as tx:
            return await opening.open_unit(tx, code, name, name_en)

    try:
        opened = with_database(work, owner=True)
    except UnitInvalid as error:
        raise refuse(str(error)) from None
    out.print(f"{code} is open." if opened else f"{code} was open before.")


def show_report(console: Console, report: Report) -> None:
    """Print what a verification read and found."""
    read = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in report.rows.items())
    sealed = f"Sealed to {report.sealed_to}." if report.sealed_to else "No day is sealed."
    trusted = f" Went on from the seal of {report.trusted_to}." if report.trusted_to else ""
    console.print(f"Read {read}; {report.checks} checks. {sealed}{trusted}", soft_wrap=True)
    if report.holds:
        console.print("[green]The ledger verifies.[/green]")
        return
    for one in report.differences:  # one line each, for grep
        line = f"{one.check}: {one.subject}: expected {one.expected}, found {one.found}"
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print(f"[red]{len(report.differences)} differences.[/red]")


def _read(file: Path) -> dict[date, bytes]:
    try:
        return publication.read(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, FileUnreadable) as error:
        raise refuse(f"{file}: {error}") from None


def _published(text: str) -> tuple[date, bytes]:
    day, _, seal = text.partition("=")
    try:
        kept = date.fromisoformat(day), bytes.fromhex(seal)
    except ValueError:
        kept = None
    if kept is None or len(kept[1]) != SEAL_LENGTH:
        raise refuse(f"a seal is given as 2026-11-21=3f8a… with 64 digits, not as {text}")
    return kept
