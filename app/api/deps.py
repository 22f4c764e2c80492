"""Dependencies of route handlers, as Annotated aliases."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request

from app.api.access import IF_MATCH_PATTERN
from app.api.context import optional_caller, person_of, reads_primary, runtime_of, staff_of
from app.api.idempotency import Once
from app.core.db import ReadPool, Session
from app.core.db_errors import Retry
from app.core.errors import PreconditionMissing
from app.core.ids import PathId
from app.core.keys import FieldCipher
from app.core.links import SignedLinks
from app.core.offline_codes import OfflineCodes
from app.core.paging import PageParams
from app.core.poster_codes import PosterCodes
from app.core.signed_events import MAX_SESSION
from app.core.tickets import Tickets
from app.core.validation_messages import invalid
from app.runtime import Runtime
from app.schemas.base import Bound, Day, Words
from app.schemas.roles import CardNumber
from app.services import subscriptions
from app.services.merchants.access import Staff


async def _runtime(request: Request) -> Runtime:
    return runtime_of(request)  # async: FastAPI runs a plain function in a thread


async def _cipher(request: Request) -> FieldCipher:
    return runtime_of(request).cipher


async def _links(request: Request) -> SignedLinks:
    return runtime_of(request).links


async def _host_url(request: Request) -> str:
    return runtime_of(request).settings.public_url or str(request.base_url).rstrip("/")


async def _offline_codes(request: Request) -> OfflineCodes:
    return runtime_of(request).offline_codes


async def _posters(request: Request) -> PosterCodes:
    return runtime_of(request).posters


async def _tickets(request: Request) -> Tickets:
    return runtime_of(request).tickets


async def _public_url(request: Request) -> str | None:
    return runtime_of(request).settings.public_url


async def _local_webhooks(request: Request) -> bool:
    return runtime_of(request).settings.webhook_local == "on"


async def _templates(request: Request) -> subscriptions.Templates:
    return runtime_of(request).templates


async def _job_intervals(request: Request) -> Mapping[str, float]:
    found: Mapping[str, float] = request.app.state.job_intervals
    return found


async def _transaction(request: Request) -> AsyncIterator[Session]:
    database = runtime_of(request).database
    once: Once | None = getattr(request.state, "once", None)
    async with once.transaction(database) if once else database.transaction() as session:
        yield session


async def _reader(request: Request) -> AsyncIterator[Session]:
    async with runtime_of(request).database.read() as session:
        yield session


async def _stale_reader(request: Request) -> AsyncIterator[Session]:
    """Read from a replica. If it fails, the route runs again and reads from the primary."""
    runtime = runtime_of(request)
    if getattr(request.state, "replica_failed", False) or await reads_primary(request):
        pool: ReadPool = runtime.database
    else:
        pool = runtime.replicas.source()
    try:
        async with pool.read() as session:
            yield session
    except Retry:
        request.state.replica_failed = True
        raise


async def _ended_logins(request: Request) -> AsyncIterator[list[UUID]]:
    ended: list[UUID] = []
    yield ended
    for family in ended:
        await runtime_of(request).revocations.add(family)


async def _person(request: Request) -> UUID:
    return person_of(request)


async def _staff(request: Request) -> Staff:
    return staff_of(request)


# Function scope: with FastAPI's default scope the reply would be sent before the commit.
Tx = Annotated[Session, Depends(_transaction, scope="function")]
Reader = Annotated[Session, Depends(_reader, scope="function")]
# The handler adds logins to the list; their access tokens are revoked after the commit. It is
# declared before ``Tx``: what is opened first is closed last.
EndedLogins = Annotated[list[UUID], Depends(_ended_logins, scope="function")]
# For what everybody sees: from a fresh replica, if the caller has not just written.
StaleReader = Annotated[Session, Depends(_stale_reader, scope="function")]
AppRuntime = Annotated[Runtime, Depends(_runtime)]
Cipher = Annotated[FieldCipher, Depends(_cipher)]  # of openids and other personal values
Links = Annotated[SignedLinks, Depends(_links)]
HostUrl = Annotated[str, Depends(_host_url)]  # https://host, else that of the request
OfflineCodeKeys = Annotated[OfflineCodes, Depends(_offline_codes)]
Posters = Annotated[PosterCodes, Depends(_posters)]
AppTickets = Annotated[Tickets, Depends(_tickets)]  # of web pages that log in
PublicUrl = Annotated[str | None, Depends(_public_url)]  # https://host, if it is set
# Whether webhooks may lead to addresses that are not public.
LocalWebhooks = Annotated[bool, Depends(_local_webhooks)]
# Of WeChat's messages, by kind of notice.
Templates = Annotated[subscriptions.Templates, Depends(_templates)]
# Seconds between two runs of each job, by its name.
JobIntervals = Annotated[Mapping[str, float], Depends(_job_intervals)]
CurrentPerson = Annotated[UUID, Depends(_person)]
Caller = Annotated[UUID | None, Depends(optional_caller)]
# The caller at a merchant: the one that the header X-Merchant names.
CurrentStaff = Annotated[Staff, Depends(_staff)]


LimitQuery = Annotated[int, Query(ge=1, le=100, description="Most items of a page.")]
CursorQuery = Annotated[
    str | None,
    Query(max_length=300, description="`next_cursor` of the page before; without it the first."),
]


async def _page(limit: LimitQuery = 20, cursor: CursorQuery = None) -> PageParams:
    return PageParams(limit, cursor)


PageQuery = Annotated[PageParams, Depends(_page)]
# The code of a unit. Another county's programme counts its points in another unit.
UnitQuery = Annotated[
    str, Query(pattern="^[a-z][a-z0-9_]{0,39}$", description="Code of a unit, such as `points`.")
]
SessionQuery = Annotated[
    int | None,
    Query(
        ge=0,
        le=MAX_SESSION,
        description="Number of the session, 0 of an activity without any; by default the one that"
        " runs, or the next.",
    ),
]
# Filters of lists.
OrgFilter = Annotated[
    PathId | None, Query(description="Only of this organisation and those below it.")
]
MerchantFilter = Annotated[PathId | None, Query(description="Only of this merchant.")]
NameFilter = Annotated[
    Words | None,
    Query(min_length=1, max_length=40, description="Only people whose name holds this."),
]
CardFilter = Annotated[
    CardNumber | None, Query(description="Only who has the card of this number: 13 digits.")
]
# The ends of a list in time.
Since = Annotated[Bound | None, Query(description="Only from this time on, with its offset.")]
Until = Annotated[Bound | None, Query(description="Only before this time, with its offset.")]
# The days of a statement: a month, or a first and a last day.
MonthQuery = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9]{4}-[0-9]{2}$",
        max_length=7,
        description="A month of Asia/Shanghai: `2026-11`; in place of days.",
    ),
]
DayQuery = Annotated[Day | None, Query(description="First or last day, in Asia/Shanghai.")]
# What a signed link holds.
ExpiresQuery = Annotated[
    int, Query(ge=0, lt=2**40, description="Until when the link is valid: Unix seconds.")
]
SignatureQuery = Annotated[
    str, Query(max_length=64, description="Signature of the link, as this API made it.")
]


async def _once(request: Request) -> Once:
    return Once(request)


# For a command that joins a batch. Other routes declare ``once=True``.
IdempotencyKey = Annotated[Once, Depends(_once)]


async def _version(request: Request) -> int:
    """Return the version that If-Match names. Raises PreconditionMissing, Invalid."""
    header = request.headers.get("if-match")
    if header is None:
        raise PreconditionMissing
    if not re.fullmatch(IF_MATCH_PATTERN, header, re.ASCII):
        raise invalid("header.if-match", "应为版本号", "expected one version, or one ETag")
    return int(header.removeprefix("W/").strip('"').partition("-")[0])


# Of a route with ``if_match=True``: the version that the caller has read.
IfMatch = Annotated[int, Depends(_version)]
