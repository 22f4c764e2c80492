"""The command line: `qingxiang …`. Settings come from the environment."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
from pydantic import ValidationError

from app import serve as server
from app.cli import jobs, leaderboards, ledger, orgs, policies, roles
from app.cli.attached import err, out
from app.core.errors import Busy
from app.core.logging import configure_logging
from app.core.settings import get_settings
from app.embedded.layout import EnginesFailed
from app.jobs import worker as job_worker
from app.migrations import SchemaUnknown, generate
from app.migrations import migrate as migrate_to_head
from app.services.health import AnotherSecret, LedgerUnprotected

# Their messages are sentences that say what to do.
CANNOT_START = (EnginesFailed, server.PortTaken, SchemaUnknown, LedgerUnprotected, AnotherSecret)

cli = typer.Typer(no_args_is_help=True, help="青享 Qingxiang", pretty_exceptions_show_locals=False)
for group in (orgs, ledger, leaderboards, policies, roles, jobs):
    cli.add_typer(group.cli, name=group.__name__.rpartition(".")[2])


@cli.command()
def serve() -> None:
    """Serve the API; in development also start engines, migrations, seed data and worker."""
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
def migration(title: str) -> None:
    """Write a migration from the development database to the models."""
    with server.attached(get_settings()) as settings:
        migrate_to_head(server.owner_url(settings))
        out.print(str(generate(server.owner_url(settings), title)))


@cli.command()
def demo(
    examples: Annotated[
        Path | None, typer.Option(help="Write examples of replies for the OpenAPI document.")
    ] = None,
) -> None:
    """Play one month of a county over HTTP, on an empty server of its own."""
    from app.demo.play import play  # noqa: PLC0415 - only here

    raise typer.Exit(play(out, examples))


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document, as it stands in clients/openapi.json."""
    from app.api.openapi import printed  # noqa: PLC0415 - the other commands need no web framework
    from app.main import create_app  # noqa: PLC0415

    sys.stdout.write(printed(create_app()))


@cli.command()
def refusals() -> None:
    """Print the catalogue of refusals as Markdown."""
    from app.api.refusals import document  # noqa: PLC0415 - as above
    from app.main import create_app  # noqa: PLC0415

    create_app()
    sys.stdout.write(document())


def main() -> None:
    """Run the command line. Errors of configuration are printed in one line, without traceback."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        cli()
    except ValidationError as error:
        for problem in error.errors():
            where = ".".join(str(part) for part in problem["loc"])
            text = f"{where}: {problem['msg']}" if where else problem["msg"]
            err.print(text.removeprefix("Value error, "), style="red", markup=False)
        sys.exit(2)
    except CANNOT_START as error:
        err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except Busy:
        err.print("PostgreSQL does not answer at QX_DATABASE_URL.", style="red")
        sys.exit(2)
