"""The worker without transactions: what each statement did stands, for a negative control.

Run as ``python -m tests.faults.flawed_worker``; never a switch inside app/.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.db import Session
from app.core.settings import get_settings
from app.jobs import worker

STATEMENTS = ("fetch", "execute", "exec")


def commit_each_statement() -> None:
    for name in STATEMENTS:
        setattr(Session, name, committed(getattr(Session, name)))


def committed(real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Commit after a statement of a session that may write."""

    async def statement(session: Session, *args: Any, **named: Any) -> Any:
        result = await real(session, *args, **named)
        assert isinstance(session.bind, AsyncEngine)
        if "isolation_level" not in session.bind.get_execution_options():
            await session.commit()
            session._driver = None
        return result

    return statement


if __name__ == "__main__":
    commit_each_statement()
    asyncio.run(worker.run(get_settings()))
