"""`qingxiang orgs …`: importing the tree of divisions."""

import typer

from app.cli.attached import ExistingFile, out, refuse, with_database
from app.core.db import Database
from app.services import divisions

cli = typer.Typer(no_args_is_help=True, help="The organisation tree.")


@cli.callback()
def group() -> None:
    """Keep ``import`` a subcommand: Typer would merge a single one into the group."""


@cli.command("import")
def import_file(file: ExistingFile) -> None:
    """Import a division file (CSV). Importing the same file again changes nothing."""

    async def work(database: Database) -> divisions.Imported:
        async with database.transaction() as tx:
            return await divisions.load(tx, file)

    try:
        done = with_database(work)
    except divisions.DivisionsInvalid as error:
        raise refuse(f"{file.name}: {error}") from None
    unchanged = done.read - done.inserted - done.updated
    out.print(
        f"{done.read} divisions read: {done.inserted} inserted,"
        f" {done.updated} updated, {unchanged} unchanged."
    )
