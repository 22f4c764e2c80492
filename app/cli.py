"""The command line: `qingxiang …`, with the settings of the environment."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app import serve as server
from app.core.db import Database
from app.core.embedded import EnginesFailed
from app.core.errors import Refusal
from app.core.logging import configure_logging
from app.core.redis import RedisDown
from app.core.settings import Settings, get_settings
from app.jobs import worker as job_worker
from app.migrations import migrate as migrate_to_head
from app.models.people import Role
from app.models.policies import PolicyRule
from app.runtime import Runtime, open_runtime
from app.services import leaderboards, ledger, orgs, people, policies
from app.services.ledger import Report

T = TypeVar("T")
cli = typer.Typer(no_args_is_help=True, help="青享 Qingxiang", pretty_exceptions_show_locals=False)
orgs_cli = typer.Typer(no_args_is_help=True, help="The organisation tree.")
ledger_cli = typer.Typer(no_args_is_help=True, help="The ledger.")
boards_cli = typer.Typer(no_args_is_help=True, help="The leaderboards.")
policies_cli = typer.Typer(no_args_is_help=True, help="The points rules.")
roles_cli = typer.Typer(no_args_is_help=True, help="Who may do what.")
for name, group in {
    "orgs": orgs_cli,
    "ledger": ledger_cli,
    "leaderboards": boards_cli,
    "policies": policies_cli,
    "roles": roles_cli,
}.items():
    cli.add_typer(group, name=name)
out, err = Console(), Console(stderr=True)
ExistingFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]


@cli.command()
def serve() -> None:
    """Serve the API (and, in development, everything that it needs)."""
    server.serve(get_settings())


@cli.command()
def worker() -> None:
    """Run the jobs: outbox, leaderboards, expiry."""
    with server.attached(get_settings()) as settings:
        configure_logging(settings.log_level, settings.log_format)
        asyncio.run(job_worker.run(settings))


@cli.command()
def migrate() -> None:
    """Bring the database schema up to date."""
    with server.attached(get_settings()) as settings:
        migrate_to_head(server.owner_url(settings))
    out.print("The schema is current.")


@cli.command()
def demo() -> None:
    """Play one community day over HTTP, on a server of its own."""
    from app.demo.play import play  # noqa: PLC0415 - only here

    raise typer.Exit(play(out))


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from app.main import create_app  # noqa: PLC0415 - the other commands need no web framework

    out.print_json(json.dumps(create_app().openapi(), ensure_ascii=False))


@orgs_cli.command("import")
def orgs_import(file: ExistingFile) -> None:
    """Load a division file (CSV). The same file again changes nothing."""

    async def work(database: Database) -> orgs.Imported:
        async with database.transaction() as tx:
            return await orgs.import_divisions(tx, file)

    try:
        done = _with_database(work)
    except orgs.DivisionsInvalid as error:
        err.print(f"[red]{file.name}: {error}[/red]")
        raise typer.Exit(1) from None
    unchanged = done.read - done.inserted - done.updated
    out.print(
        f"{done.read} divisions read: {done.inserted} inserted,"
        f" {done.updated} updated, {unchanged} unchanged."
    )


@ledger_cli.command("verify")
def ledger_verify() -> None:
    """Recompute every balance, number and lot; exit 1 on any difference."""
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=err
    ) as progress:
        task = progress.add_task("reading")

        async def work(database: Database) -> Report:
            async with database.snapshot() as tx:
                return await ledger.verify(tx, lambda step: progress.update(task, description=step))

        report = _with_database(work)
    show_report(out, report)
    raise typer.Exit(0 if report.holds else 1)


@boards_cli.command("rebuild")
def boards_rebuild() -> None:
    """Build every leaderboard anew from the ledger."""

    async def work(runtime: Runtime) -> int:
        return await leaderboards.rebuild(runtime.database, runtime.boards)

    try:
        out.print(f"Leaderboards rebuilt from {_with_runtime(work)} gains.")
    except RedisDown:
        err.print("[red]Redis does not answer.[/red]")
        raise typer.Exit(1) from None


@policies_cli.command("check")
def policies_check(file: ExistingFile) -> None:
    """Check a rules file (CSV) and explain each error with its line."""
    rules = _read_rules(file)
    out.print(f"{file.name}: {len(rules)} rules, no error.")


@policies_cli.command("publish")
def policies_publish(rules_file: ExistingFile, tiers_file: ExistingFile) -> None:
    """Publish a rules and a tiers file as the next version of the policy, in force at once."""
    rules, tiers = _read_rules(rules_file), policies.read_tiers(tiers_file)

    async def work(database: Database) -> int:
        async with database.transaction() as tx:
            return await policies.publish(tx, rules, tiers)

    out.print(f"Version {_with_database(work)} is in force.")


@roles_cli.command("grant")
def roles_grant(
    person_id: UUID,
    role: Role,
    org: Annotated[str | None, typer.Option(help="Division code of the organisation.")] = None,
    merchant: Annotated[UUID | None, typer.Option(help="Id of the merchant.")] = None,
) -> None:
    """Appoint somebody: the first administrator of a new installation, for one."""
    if (org is None) == (merchant is None) or (role is Role.merchant_staff) != (org is None):
        raise typer.BadParameter("merchant_staff needs --merchant, every other role --org")

    async def work(database: Database) -> None:
        async with database.transaction() as tx:
            place = (await orgs.get_by_code(tx, org)).id if org else None
            await people.appoint(tx, person_id, role, org=place, merchant=merchant)

    try:
        _with_database(work)
    except Refusal as refusal:
        err.print(f"[red]{refusal.en}[/red]")
        raise typer.Exit(1) from None
    out.print(f"{role} granted.")


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


def _read_rules(file: Path) -> list[PolicyRule]:
    try:
        return policies.read_rules(file)
    except policies.PolicyInvalid as error:
        for problem in error.problems:
            err.print(f"[red]{file.name}: {problem}[/red]")
        raise typer.Exit(1) from None


def _with_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Run against the database alone, with the schema brought up to date if it is our own."""

    async def run(settings: Settings) -> T:
        assert settings.database_url is not None
        database = Database(settings.database_url, pool_size=2, patient=True)
        try:
            return await work(database)
        finally:
            await database.close()

    return _attached(run)


def _with_runtime(work: Callable[[Runtime], Awaitable[T]]) -> T:
    async def run(settings: Settings) -> T:
        async with open_runtime(settings) as runtime:
            return await work(runtime)

    return _attached(run)


def _attached(run: Callable[[Settings], Awaitable[T]]) -> T:
    given = get_settings()
    with server.attached(given) as settings:
        if given.embedded:
            migrate_to_head(server.owner_url(settings))

        async def main() -> T:
            return await run(settings)

        return asyncio.run(main())


def main() -> None:
    """Run the command line; what an operator must mend is said in a line, not a traceback."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        cli()
    except ValidationError as error:
        for problem in error.errors():
            where = ".".join(str(part) for part in problem["loc"])
            text = f"{where}: {problem['msg']}" if where else problem["msg"]
            err.print(text.removeprefix("Value error, "), style="red", markup=False)
        sys.exit(2)
    except (EnginesFailed, server.PortTaken) as error:
        err.print(f"[red]{error}[/red]")
        sys.exit(2)


if __name__ == "__main__":
    main()
