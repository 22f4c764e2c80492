"""`qingxiang orgs …`: loading the tree of divisions."""

import typer

from app.cli.attached import ExistingFile, out, refuse, with_database
from app.core.db import Database
from app.services import orgs

cli = typer.Typer(no_args_is_help=True, help="The organisation tree.")


@cli.callback()
def group() -> None:
    """Keep ``import`` a word of its own, though it is the only one."""


@cli.command("import")
def import_file(file: ExistingFile) -> None:
    """Load a division file (CSV). The same file again changes nothing."""

    async def work(database: Database) -> orgs.Imported:
        async with database.transaction() as tx:
            return await orgs.import_divisions(tx, file)

    try:
        done = with_database(work)
    except orgs.DivisionsInvalid as error:
        raise refuse(f"{file.name}: {error}") from None
    unchanged = done.read - done.inserted - done.updated
    out.print(
        f"{done.read} divisions read: {done.inserted} inserted,"
        f" {done.updated} updated, {unchanged} unchanged."
    )
