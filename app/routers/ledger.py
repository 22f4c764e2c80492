"""Points: balances, passbook, statements, seals, and reversals."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Response

from app.api import exports
from app.api.access import ADMINISTRATOR, ANYONE, RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.deps import (
    CurrentPerson,
    CursorQuery,
    ExpiresQuery,
    LimitQuery,
    PageQuery,
    Reader,
    SignatureQuery,
    Since,
    StaleReader,
    Tx,
    UnitQuery,
    Until,
)
from app.api.downloads import Download, PrintedPage, Workbook
from app.api.operations import direct
from app.api.routes import Router, conditional, known_tag
from app.core.clock import now
from app.core.errors import unwrap
from app.core.etag import TaggedBody
from app.core.ids import PathId
from app.core.language import Bilingual, request_language
from app.core.paging import Page, PageParams
from app.models.ledger import Kind
from app.schemas.base import Day
from app.schemas.ledger import (
    EntryOut,
    PointsOut,
    ReversalIn,
    ReversalOut,
)
from app.schemas.seals import ProofOut, SealOut
from app.services import statement_links
from app.services.awards import overview, reversal
from app.services.awards.reversal import MoreThanLeft, NotReversible, TransferNotFound
from app.services.awards.review import OwnAward
from app.services.ledger import passbook, seals, statement, units
from app.services.ledger.passbook import LAST_NUMBER, Filter
from app.services.ledger.seals import EntryNotFound, NotSealedYet
from app.services.ledger.statement import FIRST_DAY, Form, Period
from app.services.ledger.statement_html import HtmlForm
from app.services.ledger.statement_xlsx import XlsxForm
from app.services.ledger.types import AlreadySettled, InsufficientPoints
from app.services.ledger.units import UnitUnknown
from app.services.policies import naming
from app.services.statement_links import StatementLinkInvalid

ABOUT = Bilingual(
    "积分账本：余额、存折、对账单、每日封存与冲正",
    "The ledger: balances, passbook, statements, daily seals and reversals",
)
router = Router(tags=["ledger"], about=ABOUT)


SinceQuery = Annotated[
    Day | None, Query(description="The first day, in Asia/Shanghai; else the first of the month.")
]
UntilQuery = Annotated[Day | None, Query(description="The last day; else today.")]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a link names beside the person and the unit, and its signature."""

    since: date
    until: date
    expires: int
    signature: str

    def require(self, request: Request, person_id: UUID, unit: str) -> None:
        """Raise StatementLinkInvalid unless the signature is of this statement."""
        period = Period(self.since, self.until)
        links = runtime_of(request).links
        statement_links.require(links, person_id, unit, period, self.expires, self.signature)


FirstDayQuery = Annotated[Day, Query(description="The first day, as the link has it.")]
LastDayQuery = Annotated[Day, Query(description="The last day, as the link has it.")]


async def _signed(
    since: FirstDayQuery = FIRST_DAY,
    until: LastDayQuery = FIRST_DAY,
    expires: ExpiresQuery = 0,
    signature: SignatureQuery = "",
) -> Signed:
    return Signed(since, until, expires, signature)


SignedQuery = Annotated[Signed, Depends(_signed)]


@router.get("/me/points", operation_id="getMyPoints", **allow(RESIDENT, UnitUnknown))
@direct
async def get_my_points(
    request: Request, person_id: CurrentPerson, unit: UnitQuery = "points"
) -> PointsOut:
    """Return the caller's balances, dates of expiry, totals, and what the caps leave.

    Overdue holds count as available.
    """
    async with runtime_of(request).database.snapshot() as tx:
        return await overview.points(tx, person_id, await units.unit_of(tx, unit), now())


@router.get(
    "/me/points/entries",
    operation_id="listMyPointEntries",
    response_model=Page[EntryOut],
    **allow(RESIDENT, UnitUnknown),
)
@direct
async def list_my_point_entries(
    request: Request,
    unit: UnitQuery = "points",
    kind: Annotated[
        list[Kind] | None, Query(max_length=20, description="Only of these kinds; may repeat.")
    ] = None,
    since: Since = None,
    until: Until = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 20,
) -> Response:
    """Return the entries of available points, newest first, optionally by kind and time.

    `unit=minutes`: the history of the caller's hours of service, in minutes.
    """
    if wanted := Filter(kind, since, until):
        async with runtime_of(request).database.read() as tx:
            number = await units.unit_of(tx, unit)
            page = await passbook.search(
                tx, person_of(request), number, wanted, PageParams(limit, cursor)
            )
        return await _said(request, TaggedBody("", page.model_dump_json().encode()))
    # In English the tag is that of the translation.
    known = known_tag(request) if request_language() == "zh-CN" else None
    query = passbook.query(person_of(request), unit, PageParams(limit, cursor), known)
    return await _said(request, unwrap([await runtime_of(request).passbooks.submit(query)]))


async def _said(request: Request, page: TaggedBody) -> Response:
    """Return a page of entries in the language of the request; without a tag it is not kept."""
    if request_language() == "en":
        async with runtime_of(request).database.read() as tx:
            page = await naming.in_english(tx, page, "reason", "title")
    if not page.tag:
        return Response(page.body, media_type="application/json")
    return conditional(request, page)


@router.get(
    "/me/points/entries/{number}/proof",
    operation_id="proveMyPointEntry",
    **allow(RESIDENT, UnitUnknown, EntryNotFound, NotSealedYet),
)
async def prove_my_point_entry(
    number: Annotated[int, Path(ge=1, le=LAST_NUMBER, description="Number of the entry.")],
    tx: Reader,
    person_id: CurrentPerson,
    unit: UnitQuery = "points",
) -> ProofOut:
    """Return the hash path from an entry to the published seal of its day."""
    return await seals.proof(tx, person_id, await units.unit_of(tx, unit), number)


@router.get(
    "/me/points/statement.html",
    operation_id="getMyStatementHtml",
    response_class=PrintedPage,
    **allow(RESIDENT, UnitUnknown),
)
async def get_my_statement_html(
    request: Request,
    unit: UnitQuery = "points",
    since: SinceQuery = None,
    until: UntilQuery = None,
) -> Response:
    """Return a statement of the caller's passbook as an HTML page for printing on A4."""
    return await _statement(request, unit, since, until, HtmlForm, PrintedPage)


@router.get(
    "/me/points/statement.xlsx",
    operation_id="getMyStatementXlsx",
    response_class=Workbook,
    **allow(RESIDENT, UnitUnknown),
)
async def get_my_statement_xlsx(
    request: Request,
    unit: UnitQuery = "points",
    since: SinceQuery = None,
    until: UntilQuery = None,
) -> Response:
    """Return a statement of the caller's passbook as a spreadsheet."""
    return await _statement(request, unit, since, until, XlsxForm, Workbook)


@router.get(
    "/people/{person_id}/points/statement.html",
    operation_id="openStatementHtml",
    response_class=PrintedPage,
    **allow(ANYONE, StatementLinkInvalid),
)
async def open_statement_html(
    person_id: PathId, request: Request, signed: SignedQuery, unit: UnitQuery = "points"
) -> Response:
    """Return the page to who has the link. No login, for a web-view."""
    signed.require(request, person_id, unit)
    return await _statement(
        request, unit, signed.since, signed.until, HtmlForm, PrintedPage, person_id
    )


@router.get(
    "/people/{person_id}/points/statement.xlsx",
    operation_id="openStatementXlsx",
    response_class=Workbook,
    **allow(ANYONE, StatementLinkInvalid),
)
async def open_statement_xlsx(
    person_id: PathId, request: Request, signed: SignedQuery, unit: UnitQuery = "points"
) -> Response:
    """Return the spreadsheet to who has the link. No login, for a web-view."""
    signed.require(request, person_id, unit)
    return await _statement(
        request, unit, signed.since, signed.until, XlsxForm, Workbook, person_id
    )


async def _statement(
    request: Request,
    unit: str,
    since: date | None,
    until: date | None,
    form: type[Form],
    reply: type[Download],
    owner: UUID | None = None,
) -> Response:
    """Return a statement of the owner, by default the caller."""
    runtime, period = runtime_of(request), statement.period_of(since, until)
    async with runtime.statements:
        made = await statement.make_statement(
            runtime.database, owner or person_of(request), unit, period, form, naming.said
        )
    days = f"{period.since}_{period.until}"
    return reply(made.file, f"{made.heading.title}_{days}", f"statement_{days}")


@router.get("/ledger/seals", operation_id="listSeals", **allow(ANYONE))
async def list_seals(tx: StaleReader, page: PageQuery) -> Page[SealOut]:
    """Return the daily seals, newest first. Keep them: they prove that entries are unchanged."""
    return await seals.browse(tx, page)


exports.beside(router, list_seals, Bilingual("账本封印", "Seals"), org=exports.of_service)


@router.post(
    "/ledger/transfers/{transfer_id}/reversal",
    status_code=201,
    operation_id="reverseTransfer",
    **allow(
        ADMINISTRATOR,
        TransferNotFound,
        NotReversible,
        OwnAward,
        AlreadySettled,
        MoreThanLeft,
        InsufficientPoints,
        body=True,
        once=True,
    ),
)
async def reverse_transfer(
    transfer_id: PathId, body: ReversalIn, tx: Tx, person_id: CurrentPerson
) -> ReversalOut:
    """Reverse an award of somebody else, or a part of it, by a transfer in the other direction."""
    return await reversal.reverse(tx, person_id, transfer_id, body.reason, body.points)
