"""What a route handler may ask for: Annotated aliases."""

from collections.abc import AsyncIterator
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import Depends, Header, Query, Request

from app.api.access import caller_of, person_of, runtime_of
from app.api.idempotency import Once, content_of
from app.api.problems import language_of
from app.core.db import Session
from app.core.errors import Language
from app.runtime import Runtime
from app.services import idempotency


async def _runtime(request: Request) -> Runtime:
    return runtime_of(request)  # async: a plain function would cost a thread hop


async def _transaction(request: Request) -> AsyncIterator[Session]:
    async with runtime_of(request).database.transaction() as session:
        yield session


async def _reader(request: Request) -> AsyncIterator[Session]:
    async with runtime_of(request).database.read() as session:
        yield session


async def _person(request: Request) -> UUID:
    return person_of(request)


async def _caller(request: Request) -> UUID | None:
    return caller_of(request)


async def _language(request: Request) -> Language:
    return language_of(request)


# With FastAPI's default scope the client would get its reply before the commit.
Tx = Annotated[Session, Depends(_transaction, scope="function")]
Reader = Annotated[Session, Depends(_reader, scope="function")]
AppRuntime = Annotated[Runtime, Depends(_runtime)]
CurrentPerson = Annotated[UUID, Depends(_person)]
Caller = Annotated[UUID | None, Depends(_caller)]
RequestLanguage = Annotated[Language, Depends(_language)]


class PageParams(NamedTuple):
    """``limit`` items from ``cursor`` on."""

    limit: int
    cursor: str | None


LimitQuery = Annotated[int, Query(ge=1, le=100)]
CursorQuery = Annotated[str | None, Query(max_length=300)]


async def _page(limit: LimitQuery = 20, cursor: CursorQuery = None) -> PageParams:
    return PageParams(limit, cursor)


PageQuery = Annotated[PageParams, Depends(_page)]
# Which points: those of another county's programme have another name.
UnitQuery = Annotated[str, Query(pattern="^[a-z][a-z0-9_]{0,39}$")]


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(description="Up to 255 visible characters, new for each new intent. Required."),
    ] = None,
) -> Once:
    key = idempotency.parse_key(idempotency_key)
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    body = await content_of(await request.form()) if is_form else await request.body()
    return Once(request, key, person_of(request), body)


IdempotencyKey = Annotated[Once, Depends(_once)]
