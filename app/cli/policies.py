"""`qingxiang policies …`: check, compare, simulate and publish points rules."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from app.cli.attached import ExistingFile, err, out, refuse, with_database
from app.cli.simulations import sheet, show
from app.core.clock import BEGINNING, SHANGHAI, local_date, now
from app.core.db import Database, Session
from app.core.errors import Refusal
from app.models.orgs import Org
from app.services import orgs
from app.services.awards import simulation
from app.services.awards.simulation import Earner, Simulation
from app.services.policies import comparing, publishing
from app.services.policies.reading import PolicyInvalid, plain

T = TypeVar("T")
cli = typer.Typer(no_args_is_help=True, help="The points rules (积分管理办法).")
OfOrg = Annotated[
    str | None,
    typer.Option("--org", help="Division code of the organisation whose rules they are."),
]
From = Annotated[
    datetime | None,
    typer.Option("--from", help="When it takes effect, Shanghai time; at once if left out."),
]
DAY = ["%Y-%m-%d"]


@cli.command()
def check(file: ExistingFile, org: OfOrg = None) -> None:
    """Check a policy file (TOML) and explain each error with its line."""
    source = _read(file)
    if org is None:  # needs no database
        document = _explained(file, lambda: publishing.check(source))
    else:
        document = _at(file, org, lambda tx, place: publishing.check_at(tx, source, place, now()))
    for one in publishing.warnings(document, source):
        out.print(f"{file.name}: warning: {one}", soft_wrap=True)
    out.print(f"{file.name}: {len(document.rules)} rules, {len(document.tiers)} tiers, no error.")


@cli.command()
def publish(file: ExistingFile, org: OfOrg = None, begins: From = None) -> None:
    """Publish a policy file as the next version."""
    source = _read(file)
    at = (begins.replace(tzinfo=SHANGHAI) if begins else now()).astimezone(SHANGHAI)
    version = _at(
        file, org, lambda tx, place: publishing.publish(tx, source, org=place, effective_from=at)
    )
    out.print(f"Version {version} is published, in force from {at:%Y-%m-%d %H:%M:%S} on.")


@cli.command()
def diff(file: ExistingFile, org: OfOrg = None) -> None:
    """Show what a policy file would change in the current rules."""
    source = _read(file)
    found = _at(file, org, lambda tx, place: comparing.compare(tx, source, place, now()))
    if not found.changes:
        out.print("No change.")
        return
    table = Table("what", "now", "then", "effect")
    for one in found.changes:
        table.add_row(one.path, _shown(one.before), _shown(one.after), one.effect)
    out.print(table)


@cli.command()
def simulate(
    file: ExistingFile,
    begins: Annotated[datetime, typer.Option("--from", formats=DAY, help="The first day.")],
    ends: Annotated[datetime, typer.Option("--to", formats=DAY, help="The last day.")],
    org: OfOrg = None,
    everybody: Annotated[
        Path | None, typer.Option("--csv", help="Write what everybody would earn to this file.")
    ] = None,
) -> None:
    """Replay past attendance under a policy file and show what each person would have earned."""
    source, first, last = _read(file), begins.date(), ends.date()
    if last < first:
        raise refuse("--to 早于 --from / --to is before --from")
    if first > local_date(now()):
        raise refuse("这段时间还没有开始 / this time has not begun")
    if last < (earliest := local_date(BEGINNING)):
        raise refuse(f"早于 {earliest} 没有记录 / there is no record before {earliest}")
    first, last = max(first, earliest), min(last, local_date(now()))

    async def run(database: Database, each: Callable[[Earner], None]) -> Simulation:
        async def write(one: Earner | None) -> None:
            if one is not None:
                each(one)

        async with database.snapshot() as tx:
            draft = await publishing.draft(tx, source, await _place(tx, org))
            return await simulation.simulate(tx, draft, first, last, write)

    with err.status("正在重算 replaying"), sheet(everybody) as each:
        found = _explained(file, lambda: with_database(lambda database: run(database, each)))
    show(out, found)


def _shown(value: object) -> str:
    return "–" if value is None else str(value)


def _read(file: Path) -> str:
    try:
        return plain(file.read_bytes().decode())
    except UnicodeDecodeError:
        raise refuse(f"{file.name}: 不是 UTF-8 文件 / not a UTF-8 file") from None


def _at(file: Path, org: str | None, work: Callable[[Session, Org | None], Awaitable[T]]) -> T:
    """Run ``work`` in a transaction, for an organisation."""

    async def run(database: Database) -> T:
        async with database.transaction() as tx:
            return await work(tx, await _place(tx, org))

    return _explained(file, lambda: with_database(run))


async def _place(tx: Session, org: str | None) -> Org | None:
    return await orgs.get_by_code(tx, org) if org else None


def _explained(file: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except PolicyInvalid as error:
        raise refuse("\n".join(f"{file.name}: {one}" for one in error.problems)) from None
    except Refusal as refusal:
        raise refuse(f"{refusal.zh} / {refusal.en}") from None
