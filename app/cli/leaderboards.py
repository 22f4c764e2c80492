"""`qingxiang leaderboards …`: rebuilding the boards in Redis."""

import typer

from app.cli.attached import out, refuse, with_runtime
from app.core.redis import RedisDown
from app.runtime import Runtime
from app.services.leaderboards import feeding

cli = typer.Typer(no_args_is_help=True, help="The leaderboards.")


@cli.callback()
def group() -> None:
    """Keep ``rebuild`` a subcommand: Typer would merge a single one into the group."""


@cli.command()
def rebuild() -> None:
    """Build every leaderboard anew from the ledger."""

    async def work(runtime: Runtime) -> int:
        return await feeding.rebuild(runtime.database, runtime.boards)

    try:
        out.print(f"Leaderboards rebuilt from {with_runtime(work)} gains.")
    except RedisDown:
        raise refuse("Redis does not answer.") from None
