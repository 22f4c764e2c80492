"""Substitutes: another item of the same or a lower price, if the person agrees.

The order is cancelled and a new one takes its place, in one batch of the ledger: the points go back
to their lots, and the lower price is held from them again.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.models.ledger import Kind
from app.models.redemption_days import DayItem, Substitution
from app.models.redemption_days import SubstitutionState as State
from app.models.redemptions import Redemption, RedemptionStatus
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.queries import redemptions as redemption_queries
from app.queries.redemption_days import orders as queries
from app.schemas.day_orders import SubstitutionIn, SubstitutionOut
from app.services import audit, cards, notify, orgs, people, records, tiers
from app.services.day_orders import cancelling, counters, ordering
from app.services.day_orders.counters import Counter
from app.services.day_orders.ordering import Wanted
from app.services.ledger import moments, posting
from app.services.ledger.types import AlreadySettled
from app.services.policies import history
from app.services.redemption_days import reading
from app.services.redemptions import holding, reservations
from app.services.redemptions.card_codes import CardCodeInvalid
from app.services.rewards import reading as rewards

MOVES = {State.proposed: {State.accepted, State.declined}}


class SubstitutionNotFound(Refusal):
    code, status, title = "day_orders.no_such_substitution", 404, "No such substitution"
    zh, en = "换货申请不存在", "There is no such substitution."


class SubstitutionWrongState(records.WrongState):
    code = "day_orders.wrong_state"


class SubstituteUnfit(Refusal):
    """``limit``: the points of the order; ``needed``: those of the substitute."""

    code, status, title = "day_orders.substitute_unfit", 409, "No substitute for it"
    zh, en = "换货须为本场其他同价或更低价的奖品", "A substitute is another item, and never dearer."
    fact_names = ("limit", "needed")


class SubstitutionThere(Refusal):
    code, status, title = "day_orders.substitution_there", 409, "Proposed already"
    zh, en = "该预约已有换货申请", "A substitute for this order is proposed already."


async def propose(tx: Session, caller: UUID, day_id: UUID, body: SubstitutionIn) -> SubstitutionOut:
    """Propose a substitute for an order; with the code of the person's card it is done at once.

    Raises as ``counters.serving``, RedemptionNotFound, RedemptionNotReserved, DayItemNotFound,
    SubstituteUnfit, SubstitutionThere, CardCodeInvalid (of another person too), CardCodeUsed,
    CardSuspended, OwnHandOver, and as ``_replace``.
    """
    counter = await counters.serving(tx, caller, day_id)
    at = await moments.moment(tx)
    order = await redemption_queries.lock_at(tx, body.order_id, counter.merchant.id)
    if order is None or order.day_id != day_id:
        raise reservations.RedemptionNotFound
    reservations.require_reserved(order, at)
    await counters.require_other(tx, counter, order.person_id)
    item = await queries.item(tx, day_id, body.item_id)
    if item is None:
        raise ordering.DayItemNotFound
    points = item.points * order.quantity
    if item.reward_id == order.reward_id or points > order.points:
        raise SubstituteUnfit(limit=order.points, needed=points)
    if await queries.substitution_of(tx, order.id) is not None:
        raise SubstitutionThere
    made = Substitution(
        id=new_id(),
        org_id=counter.day.org_id,
        created_by=caller,
        day_id=day_id,
        redemption_id=order.id,
        person_id=order.person_id,
        item_id=item.id,
        points=points,
        reason=body.reason,
    )
    await records.create(tx, caller, made, **audit.about("redemption", order.id))
    if body.card_code is not None:
        await _require_consent(tx, counter, order.person_id, body.card_code)
        await _accept(tx, made, order, item, order.person_id, at)
    else:
        await _tell(tx, counter, made, order, item)
    return SubstitutionOut.model_validate(made)


async def _require_consent(tx: Session, counter: Counter, person_id: UUID, code: str) -> None:
    """Use up the code of the person's card. Raises CardCodeInvalid of another person's too."""
    shown_by = await counters.by_card_code(tx, counter, code)
    if not await people.is_any_of(tx, shown_by, person_id):
        raise CardCodeInvalid


async def answer(
    tx: Session, caller: UUID, day_id: UUID, substitution_id: UUID, *, accept: bool
) -> SubstitutionOut:
    """Accept or decline a substitute for one's own order.

    Raises RedemptionDayNotFound, RedemptionDayWrongState, SubstitutionNotFound (of others too),
    SubstitutionWrongState, RedemptionNotReserved, RedemptionDayNotOpen (as when an order is
    cancelled), and as ``_replace``.
    """
    day = await reading.shared(tx, day_id)
    family = await people_queries.family(tx, caller)
    found = await record_queries.find(tx, Substitution, substitution_id)
    if found is None or found.day_id != day_id or found.person_id not in family:
        raise SubstitutionNotFound
    # As when it is proposed: the order is locked first.
    order = await redemption_queries.lock(tx, found.redemption_id)
    made = await record_queries.lock(tx, Substitution, substitution_id)
    assert order is not None, "never deleted"
    assert made is not None, "never deleted"
    at = await moments.moment(tx)
    if not accept:
        made.decided_at = at
        await records.move(tx, caller, made, State.declined, MOVES, SubstitutionWrongState)
        return SubstitutionOut.model_validate(made)
    if made.state != State.proposed:
        raise SubstitutionWrongState(status=made.state)
    cancelling.require_not_listed(day, at)
    reservations.require_reserved(order, at)
    item = await queries.item(tx, day_id, made.item_id)
    assert item is not None, "a foreign key"
    await _accept(tx, made, order, item, caller, at)
    return SubstitutionOut.model_validate(made)


async def _accept(
    tx: Session, made: Substitution, order: Redemption, item: DayItem, by: UUID, at: datetime
) -> None:
    new = await _replace(tx, made, order, item, by, at)
    made.replaced_by, made.decided_at = new.id, at
    await records.move(tx, by, made, State.accepted, MOVES, SubstitutionWrongState)


async def _replace(
    tx: Session, made: Substitution, order: Redemption, item: DayItem, by: UUID, at: datetime
) -> Redemption:
    """Give an order back, and hold the lower price for another one in the same slot.

    Raises CardSuspended, TierTooLow, DayLimitReached, DaySoldOut, RedemptionNotReserved.
    """
    day = await reading.shared(tx, made.day_id)
    policy = await history.in_force(tx, (await orgs.get(tx, day.org_id)).path, at)
    reward, old = await rewards.get(tx, item.reward_id), await rewards.get(tx, order.reward_id)
    await cards.require_active(tx, order.person_id)
    standing = await tiers.standing(tx, order.person_id, policy)
    if refusal := rewards.too_low(policy, reward.min_tier, standing):
        raise refusal
    family = await people_queries.family(tx, order.person_id)
    wanted = Wanted(day, item, reward, policy, family, order.quantity)
    new = ordering.made_of(wanted, order.person_id, order.slot_id, order.expires_at, at)
    new.is_walk_in = order.is_walk_in
    accounts = await posting.lock(tx, ordering.payers(wanted, order.person_id), at)
    await ordering.check_limits(tx, wanted, but=order.id)
    await redemption_queries.settle(tx, order.id, RedemptionStatus.cancelled, at, by)
    available, held = ordering.payers(wanted, order.person_id)
    reason = holding.reason_of(Kind.unhold, old.name)
    back = replace(
        holding.posting_of(order, Kind.unhold, held, available, old.org_id, reason),
        revived_until=policy.revived_until(at),
        repays=False,
    )
    for outcome in await posting.post(tx, [back, ordering.holding_of(wanted, new)], at, accounts):
        if isinstance(outcome, AlreadySettled):  # the ledger ended the hold before
            raise reservations.RedemptionNotReserved(
                status=RedemptionStatus.expired, expires_at=order.expires_at
            )
        if isinstance(outcome, Refusal):
            raise outcome
    await ordering.take(tx, wanted)
    await queries.add_order(tx, new)
    await queries.give_back(tx, order)
    return new


async def _tell(
    tx: Session, counter: Counter, made: Substitution, order: Redemption, item: DayItem
) -> None:
    """Ask the person."""
    old, new = await rewards.get(tx, order.reward_id), await rewards.get(tx, item.reward_id)
    facts = {"title": counter.day.title, "before": old.name, "reward": new.name}
    subject = ("redemption_day", counter.day.id)
    kind = "day_substitute_proposed"
    await notify.send(tx, order.person_id, kind, subject, **facts, points=made.points)
