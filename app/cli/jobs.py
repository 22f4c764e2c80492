"""`qingxiang jobs …`: what an operator decides about the worker's jobs."""

from datetime import datetime

import typer

from app.cli.attached import out, refuse, with_database
from app.core.clock import local_time
from app.core.db import Database
from app.core.errors import Refusal
from app.services import jobs

cli = typer.Typer(no_args_is_help=True, help="The worker's jobs.")


@cli.callback()
def group() -> None:
    """Keep ``confirm-clock`` a word of its own, though it is the only one."""


@cli.command("confirm-clock")
def confirm_clock() -> None:
    """Say that the clock is right: jobs that are held because it jumped go on."""

    async def work(database: Database) -> tuple[datetime, list[str]]:
        async with database.transaction() as tx:
            return await jobs.confirm_clock(tx)

    try:
        at, names = with_database(work)
    except Refusal as refusal:
        raise refuse(refusal.en) from None
    out.print(f"The clock shows {local_time(at)} (Asia/Shanghai).", highlight=False)
    out.print(f"These go on: {', '.join(names)}." if names else "No job was held.")
