"""Orders of redemption days (集中兑换): reserved, handed over, replaced, and walk-ins."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Tx
from app.api.guesses import CODE_GUESS, Guess
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.day_orders import (
    DayOrderIn,
    DayOrderOut,
    HandedOverOut,
    HandOverIn,
    HandOverPreviewIn,
    SubstitutionAnswerIn,
    SubstitutionIn,
    SubstitutionOut,
    WalkInIn,
)
from app.services.cards import CardSuspended
from app.services.day_orders import counters, ordering
from app.services.day_orders import substituting as substitutes
from app.services.day_orders.ordering import DayItemNotFound, DaySoldOut
from app.services.ledger.types import InsufficientPoints
from app.services.merchants.access import MerchantSuspended
from app.services.people import Forbidden
from app.services.redemption_days.absences import RedemptionDaySkipped
from app.services.redemption_days.reading import (
    RedemptionDayNotFound,
    RedemptionDayNotOpen,
    RedemptionDayWrongState,
)
from app.services.redemptions.card_codes import CardCodeInvalid, CardCodeUsed
from app.services.redemptions.reservations import RedemptionNotFound, RedemptionNotReserved
from app.services.rewards.reading import TierTooLow

ABOUT = Bilingual(
    "集中兑换的预约、发放、现场兑换与换货",
    "Orders of redemption days: reserved, handed over, replaced, and walk-ins",
)
router = Router(prefix="/redemption-days", tags=["day_orders"], about=ABOUT)
DAY = (RedemptionDayNotFound, RedemptionDayWrongState)
CARD = (CardCodeInvalid, CardCodeUsed, CardSuspended)
# What may keep somebody from having an item.
HAVE = (DayItemNotFound, TierTooLow, ordering.DayLimitReached, InsufficientPoints, DaySoldOut)
SERVE = (*DAY, Forbidden, MerchantSuspended, counters.OwnHandOver)
ORDERS = (RedemptionNotFound, RedemptionNotReserved, counters.NothingToHandOver)
ORDER = allow(
    RESIDENT,
    *(*DAY, *HAVE, RedemptionDayNotOpen, RedemptionDaySkipped, CardSuspended),
    *(MerchantSuspended, ordering.DaySlotFull),
    body=True,
    once=True,
)
# A pick-up code has 40 bits, a card's code 60: the guesses of the shorter one are counted.
GUESS = Guess(CODE_GUESS, RedemptionNotFound)
PREVIEW = allow(RESIDENT, *SERVE, *CARD, *ORDERS, body=True, guess=GUESS)
HAND_OVER = allow(
    RESIDENT, *SERVE, *CARD, *ORDERS, RedemptionDayNotOpen, body=True, once=True, guess=GUESS
)
WALK_IN = allow(
    RESIDENT,
    *(*SERVE, *CARD, *HAVE, RedemptionDayNotOpen, RedemptionDaySkipped),
    body=True,
    once=True,
    guess=Guess(CODE_GUESS, CardCodeInvalid),
)
REPLACE = (RedemptionNotReserved, TierTooLow, ordering.DayLimitReached, DaySoldOut)
SUBSTITUTE = allow(
    RESIDENT,
    *(*SERVE, *CARD, *REPLACE, RedemptionNotFound, DayItemNotFound, InsufficientPoints),
    *(substitutes.SubstituteUnfit, substitutes.SubstitutionThere),
    body=True,
    once=True,
    guess=Guess(CODE_GUESS, CardCodeInvalid),
)
ANSWER = allow(
    RESIDENT,
    *(*DAY, *REPLACE, RedemptionDayNotOpen, CardSuspended, InsufficientPoints),
    *(substitutes.SubstitutionNotFound, substitutes.SubstitutionWrongState),
    body=True,
    once=True,
)


@router.post("/{redemption_day_id}/orders", status_code=201, operation_id="orderOnDay", **ORDER)
@leads_to("cancelRedemption", {"redemption_id": "id"})
@no_store
async def order_on_day(
    redemption_day_id: PathId, body: DayOrderIn, tx: Tx, caller: CurrentPerson
) -> DayOrderOut:
    """Reserve pieces of an item: points are put aside until the day is over."""
    return await ordering.order(tx, caller, redemption_day_id, body)


@router.post("/{redemption_day_id}/handovers/preview", operation_id="previewGoods", **PREVIEW)
async def preview_hand_over(
    redemption_day_id: PathId, body: HandOverPreviewIn, tx: Tx, caller: CurrentPerson
) -> HandedOverOut:
    """Tell what a code would hand over; it is not used up."""
    return await counters.preview(tx, caller, redemption_day_id, body)


@router.post("/{redemption_day_id}/handovers", operation_id="handOverGoods", **HAND_OVER)
async def hand_over(
    redemption_day_id: PathId, body: HandOverIn, tx: Tx, caller: CurrentPerson
) -> HandedOverOut:
    """Hand over all that a person has reserved, by a pick-up code or the code of their card."""
    return await counters.hand_over(tx, caller, redemption_day_id, body)


@router.post("/{redemption_day_id}/walk-ins", operation_id="walkIn", **WALK_IN)
async def walk_in(
    redemption_day_id: PathId, body: WalkInIn, tx: Tx, caller: CurrentPerson
) -> HandedOverOut:
    """Hand over what is left, at the end of the day, to somebody without an order."""
    return await counters.walk_in(tx, caller, redemption_day_id, body)


@router.post(
    "/{redemption_day_id}/substitutions",
    status_code=201,
    operation_id="proposeSubstitute",
    **SUBSTITUTE,
)
@leads_to("answerSubstitute", {"redemption_day_id": "day_id", "substitution_id": "id"})
async def propose_substitute(
    redemption_day_id: PathId, body: SubstitutionIn, tx: Tx, caller: CurrentPerson
) -> SubstitutionOut:
    """Propose another item for an order; with the code of the person's card it is done at once."""
    return await substitutes.propose(tx, caller, redemption_day_id, body)


@router.post(
    "/{redemption_day_id}/substitutions/{substitution_id}/answer",
    operation_id="answerSubstitute",
    **ANSWER,
)
async def answer_substitute(
    redemption_day_id: PathId,
    substitution_id: PathId,
    body: SubstitutionAnswerIn,
    tx: Tx,
    caller: CurrentPerson,
) -> SubstitutionOut:
    """Accept or decline a substitute for one's own order."""
    return await substitutes.answer(
        tx, caller, redemption_day_id, substitution_id, accept=body.accept
    )
