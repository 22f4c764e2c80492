"""Points: balances, the passbook, and the correction of a mistake."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query, Request, Response

from app.api.access import ADMINISTRATOR, ANYONE, RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.deps import (
    CurrentPerson,
    CursorQuery,
    LimitQuery,
    PageQuery,
    Reader,
    Tx,
    UnitQuery,
)
from app.api.downloads import Download, Workbook
from app.api.routes import Router, conditional, known_tag
from app.core.clock import now
from app.core.errors import unwrap
from app.core.ids import PathId
from app.core.paging import Page, PageParams
from app.models.ledger import Kind
from app.schemas.base import Bound, Day
from app.schemas.ledger import (
    EntryOut,
    PointsOut,
    ProofOut,
    ReversalIn,
    ReversalOut,
    SealOut,
)
from app.services.awards import reversal
from app.services.awards.reversal import NotReversible, TransferNotFound
from app.services.ledger import passbook, seals, statement, units
from app.services.ledger.passbook import LAST_NUMBER, Filter
from app.services.ledger.seals import EntryNotFound, NotSealedYet
from app.services.ledger.statement import Form
from app.services.ledger.statement_html import HtmlForm
from app.services.ledger.statement_xlsx import XlsxForm
from app.services.ledger.types import AlreadySettled, InsufficientPoints
from app.services.ledger.units import UnitUnknown
from app.services.redemptions import reservations

router = Router(tags=["ledger"])


SinceQuery = Annotated[
    Day | None, Query(description="The first day, in Asia/Shanghai; else the first of the month.")
]
UntilQuery = Annotated[Day | None, Query(description="The last day; else today.")]


class StatementPage(Download):
    media_type, suffix, disposition = "text/html", ".html", "inline"
    content_policy = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )


@router.get("/me/points", operation_id="getMyPoints", **allow(RESIDENT, UnitUnknown))
async def get_my_points(
    request: Request, person_id: CurrentPerson, unit: UnitQuery = "points"
) -> PointsOut:
    """Return the caller's balances and what expires when; first overdue holds are released."""
    database = runtime_of(request).database
    async with database.read() as tx:
        unit_id = await units.unit_of(tx, unit)
        if not await reservations.overdue(tx, 1, person_id=person_id):
            return await passbook.summary(tx, person_id, unit_id, now())
    async with database.transaction() as tx:
        await reservations.release_overdue(tx, person_id)
        return await passbook.summary(tx, person_id, unit_id, now())


@router.get(
    "/me/points/entries",
    operation_id="listMyPointEntries",
    response_model=Page[EntryOut],
    **allow(RESIDENT, UnitUnknown),
)
async def list_my_point_entries(
    request: Request,
    unit: UnitQuery = "points",
    kind: Annotated[list[Kind] | None, Query(max_length=20)] = None,
    since: Annotated[Bound | None, Query()] = None,
    until: Annotated[Bound | None, Query()] = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = 20,
) -> Response:
    """Return the passbook of available points, newest first: all, or by kind and time."""
    if wanted := Filter(kind, since, until):
        async with runtime_of(request).database.read() as tx:
            number = await units.unit_of(tx, unit)
            page = await passbook.search(
                tx, person_of(request), number, wanted, PageParams(limit, cursor)
            )
        return Response(page.model_dump_json(), media_type="application/json")
    question = passbook.page_of(
        person_of(request), unit, PageParams(limit, cursor), known_tag(request)
    )
    return conditional(request, unwrap([await runtime_of(request).passbooks.submit(question)]))


@router.get(
    "/me/points/entries/{number}/proof",
    operation_id="proveMyPointEntry",
    **allow(RESIDENT, UnitUnknown, EntryNotFound, NotSealedYet),
)
async def prove_my_point_entry(
    number: Annotated[int, Path(ge=1, le=LAST_NUMBER)],
    tx: Reader,
    person_id: CurrentPerson,
    unit: UnitQuery = "points",
) -> ProofOut:
    """Return the path from an entry to the published seal of its day."""
    return await seals.proof(tx, person_id, await units.unit_of(tx, unit), number)


@router.get(
    "/me/points/statement.html",
    operation_id="getMyStatementHtml",
    response_class=StatementPage,
    **allow(RESIDENT, UnitUnknown),
)
async def get_my_statement_html(
    request: Request,
    unit: UnitQuery = "points",
    since: SinceQuery = None,
    until: UntilQuery = None,
) -> Response:
    """Return a statement of the caller's passbook as a page that prints on A4."""
    return await _statement(request, unit, since, until, HtmlForm, StatementPage)


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


async def _statement(
    request: Request,
    unit: str,
    since: date | None,
    until: date | None,
    form: type[Form],
    reply: type[Download],
) -> Response:
    runtime, period = runtime_of(request), statement.period_of(since, until)
    async with runtime.statements:
        made = await statement.make_statement(
            runtime.database, person_of(request), unit, period, form
        )
    days = f"{period.since}_{period.until}"
    return reply(made.file, f"{made.heading.title}_{days}", f"statement_{days}")


@router.get("/ledger/seals", operation_id="listSeals", **allow(ANYONE))
async def list_seals(tx: Reader, page: PageQuery) -> Page[SealOut]:
    """Return the seals of the days, newest first. Keep them: they bind what was before."""
    return await seals.browse(tx, page)


@router.post(
    "/ledger/transfers/{transfer_id}/reversal",
    status_code=201,
    operation_id="reverseTransfer",
    **allow(
        ADMINISTRATOR,
        TransferNotFound,
        NotReversible,
        AlreadySettled,
        InsufficientPoints,
        body=True,
        once=True,
    ),
)
async def reverse_transfer(
    transfer_id: PathId, body: ReversalIn, tx: Tx, person_id: CurrentPerson
) -> ReversalOut:
    """Take back what an award gave, by a transfer backwards."""
    unhold = reservations.release_overdue
    return await reversal.reverse(tx, person_id, transfer_id, body.reason, unhold=unhold)
