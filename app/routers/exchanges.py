"""Exchanges of a resident's points between two programmes."""

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.exchanges import ExchangedOut, ExchangeIn, ExchangeOut
from app.services import exchanges
from app.services.cards import CardSuspended
from app.services.exchange_agreements import AgreementNotFound
from app.services.exchanges import ExchangeClosed, ExchangeLimit, PointsOwed, TooFewPoints
from app.services.ledger.types import InsufficientPoints
from app.services.orgs import OrgClosed, OrgNotFound

ABOUT = Bilingual("积分互换：把一地的积分换成另一地的", "Exchanges of points")
router = Router(tags=["exchanges"], about=ABOUT)
EXCHANGE = allow(
    RESIDENT,
    AgreementNotFound,
    ExchangeClosed,
    TooFewPoints,
    OrgNotFound,
    OrgClosed,
    CardSuspended,
    ExchangeLimit,
    PointsOwed,
    InsufficientPoints,
    body=True,
    once=True,
)


@router.post("/exchanges", status_code=201, operation_id="exchangePoints", **EXCHANGE)
async def exchange_points(body: ExchangeIn, tx: Tx, caller: CurrentPerson) -> ExchangedOut:
    """Give points of one side of an agreement and get those of the other, at once.

    Points got are rounded down, and no more are taken than these cost. They expire as those that
    were given do on average, or earlier if the rules there say so. They count for no tier and no
    board.
    """
    return await exchanges.exchange(tx, caller, body)


@router.get("/me/exchanges", operation_id="listMyExchanges", **allow(RESIDENT))
async def list_my_exchanges(
    tx: Reader, caller: CurrentPerson, page: PageQuery
) -> Page[ExchangeOut]:
    """Return the caller's exchanges, newest first."""
    return await exchanges.mine(tx, caller, page)


exports.beside(router, list_my_exchanges, Bilingual("我的兑入兑出", "My exchanges"))
