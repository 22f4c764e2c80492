"""What a route handler may ask for: Annotated aliases."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request

from app.api.context import caller_of, person_of, runtime_of
from app.api.idempotency import Once
from app.core.db import Session
from app.core.paging import PageParams
from app.runtime import Runtime


async def _runtime(request: Request) -> Runtime:
    return runtime_of(request)  # async: a plain function would cost a thread hop


async def _transaction(request: Request) -> AsyncIterator[Session]:
    database = runtime_of(request).database
    once: Once | None = getattr(request.state, "once", None)
    async with once.transaction(database) if once else database.transaction() as session:
        yield session


async def _reader(request: Request) -> AsyncIterator[Session]:
    async with runtime_of(request).database.read() as session:
        yield session


async def _person(request: Request) -> UUID:
    return person_of(request)


async def _caller(request: Request) -> UUID | None:
    return caller_of(request)


# With FastAPI's default scope the client would get its reply before the commit.
Tx = Annotated[Session, Depends(_transaction, scope="function")]
Reader = Annotated[Session, Depends(_reader, scope="function")]
AppRuntime = Annotated[Runtime, Depends(_runtime)]
CurrentPerson = Annotated[UUID, Depends(_person)]
Caller = Annotated[UUID | None, Depends(_caller)]


LimitQuery = Annotated[int, Query(ge=1, le=100)]
CursorQuery = Annotated[str | None, Query(max_length=300)]


async def _page(limit: LimitQuery = 20, cursor: CursorQuery = None) -> PageParams:
    return PageParams(limit, cursor)


PageQuery = Annotated[PageParams, Depends(_page)]
# Which points: those of another county's programme have another name.
UnitQuery = Annotated[str, Query(pattern="^[a-z][a-z0-9_]{0,39}$")]


async def _once(request: Request) -> Once:
    return Once(request)


# For a command that joins a batch; other routes declare ``once=True``.
IdempotencyKey = Annotated[Once, Depends(_once)]
