"""`qingxiang roles …`: appointing people."""

from typing import Annotated
from uuid import UUID

import typer

from app.cli.attached import out, refuse, with_database
from app.core.db import Database
from app.core.errors import Refusal
from app.models.people import Role
from app.services import orgs, roles

cli = typer.Typer(no_args_is_help=True, help="Who may do what.")


@cli.callback()
def group() -> None:
    """Keep ``grant`` a word of its own, though it is the only one."""


@cli.command()
def grant(
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
            if merchant is not None:
                await roles.appoint_staff(tx, None, person_id, merchant)
            if org is not None:
                place = await orgs.get_by_code(tx, org)
                await roles.appoint_at_org(tx, None, person_id, role, place.id)

    try:
        with_database(work)
    except Refusal as refusal:
        raise refuse(refusal.en) from None
    out.print(f"{role} granted.")
