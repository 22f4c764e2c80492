"""Collections: a counter hands over what was reserved; the held points go to merchant or fund."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.models.cards import CardStatus
from app.models.ledger import Kind, Purpose
from app.models.merchants import Merchant, MerchantKind
from app.models.redemptions import RedemptionStatus
from app.queries import people as people_queries
from app.queries import redemptions as queries
from app.queries.people import Named, Workplace
from app.queries.redemptions import Collectable
from app.schemas.redemptions import CollectedOut, PayerOut
from app.services import idempotency, orgs, people
from app.services.cards import CardSuspended
from app.services.idempotency import Attempt, Replied
from app.services.ledger import moments, posting
from app.services.ledger.types import (
    AccountKey,
    AlreadySettled,
    Outcome,
    Posted,
    Posting,
    ReferenceReused,
    settlement_of,
)
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff
from app.services.policies import history
from app.services.policies.history import PolicyHistory
from app.services.redemptions import holding, proxies
from app.services.redemptions.proxies import Shown
from app.services.redemptions.reservations import RedemptionNotFound, RedemptionNotReserved


class OwnRedemption(Refusal):
    code, status, title = "redemptions.own", 403, "Own redemption"
    zh, en = "不能为本人核销或撤销", "Nobody hands over to themselves, or undoes that."


@dataclass(frozen=True, slots=True)
class CollectCommand:
    """A command: a member of a merchant's staff hands over what a pick-up code is for.

    ``merchant_id``: which merchant, if the person works at several. ``may_be_own``: the caller has
    checked who hands over to whom.
    """

    staff_id: UUID
    pickup_code: str
    merchant_id: UUID | None = None
    may_be_own: bool = False


def conflict_keys(attempt: Attempt[CollectCommand, CollectedOut]) -> Iterable[Hashable]:
    """Return the conflict keys of a collection: its Idempotency-Key and the pick-up code."""
    return (attempt.key, attempt.command.pickup_code.upper())


async def collect_once(
    tx: Session, attempts: Sequence[Attempt[CollectCommand, CollectedOut]], at: datetime
) -> list[Replied | Refusal]:
    """Run a batch of collections, each once for its Idempotency-Key.

    Precondition: no two attempts share a conflict key.
    """
    return await idempotency.run(tx, attempts, lambda commands: collect(tx, commands, at))


async def collect(
    tx: Session, commands: Sequence[CollectCommand], at: datetime
) -> list[CollectedOut | Refusal]:
    """Run a batch of collections in a fixed number of statements, one outcome each.

    Held points go to the merchant, at a fund counter back to the 公益银行 of its organisation.
    Precondition: no two commands have one code. Outcomes: CollectedOut, or Forbidden (not staff of
    a merchant), MerchantNotYours, MerchantSuspended, RedemptionNotFound (another merchant's code
    too), RedemptionNotReserved, CardSuspended (the card of the person who reserved), OwnRedemption.
    """
    counters = await people_queries.merchants_of(tx, sorted({c.staff_id for c in commands}))
    places = [
        merchants.workplace(counters.get(one.staff_id, []), one.merchant_id, sells=True)
        for one in commands
    ]
    return await _hand_over(tx, commands, places, at)


async def collect_at(
    tx: Session, merchant: Merchant, staff_id: UUID, pickup_codes: Sequence[str], at: datetime
) -> list[CollectedOut | Refusal]:
    """Collect at a counter of an active merchant where the person may hand over.

    As ``collect``, whose outcomes about staff and merchant are the caller's to find, and so is
    OwnRedemption: who uploads what a device recorded need not have handed it over.
    """
    org = await orgs.get(tx, merchant.org_id)
    place = Workplace(merchant.id, org.id, org.path, merchant.name, merchant.state, merchant.kind)
    commands = [CollectCommand(staff_id, code, merchant.id, True) for code in pickup_codes]
    return await _hand_over(tx, commands, [place] * len(commands), at)


async def _hand_over(
    tx: Session,
    commands: Sequence[CollectCommand],
    places: Sequence[Workplace | Refusal],
    at: datetime,
) -> list[CollectedOut | Refusal]:
    if not commands:
        return []
    planned = await _plan(tx, commands, places, at)
    ready = [one for one in planned if isinstance(one, _Planned)]
    # Before accounts are locked, which other collections wait for.
    names = await people_queries.names(tx, sorted({one.row.person_id for one in ready}))
    posted = await posting.post(tx, [one.posting for one in ready], at)
    outcomes = {one.row.id: _settled(one, got) for one, got in zip(ready, posted, strict=True)}
    done = [one for one in ready if not isinstance(outcomes[one.row.id], Refusal)]
    if done:
        await queries.settle_collected(tx, [(one.row.id, one.staff_id) for one in done], at)
    for one in done:
        await proxies.tell(tx, one.shown, one.row, one.staff_id)
    return [
        one if isinstance(one, Refusal) else _reply(one, outcomes[one.row.id], names)
        for one in planned
    ]


async def collect_one(tx: Session, staff: Staff, pickup_code: str) -> CollectedOut:
    """Collect one reservation, outside of a batch. Raises what ``collect`` returns as outcomes."""
    command = CollectCommand(staff.person_id, pickup_code, staff.merchant_id)
    return unwrap(await collect(tx, [command], await moments.moment(tx)))


async def to_collect(tx: Session, merchant_id: UUID, pickup_code: str, at: datetime) -> Collectable:
    """Lock and return what a merchant may hand over for a code.

    Raises RedemptionNotFound (another merchant's code too), RedemptionNotReserved, CardSuspended.
    """
    wanted = (merchant_id, pickup_code.upper())
    found = await queries.lock_collectable(tx, [wanted])
    return unwrap([_collectable(found.get(wanted), at)])


@dataclass(frozen=True, slots=True)
class _Planned:
    """A redemption that can be handed over now, by whom, for which code, and what is posted."""

    row: Collectable
    staff_id: UUID
    shown: Shown
    posting: Posting


async def _plan(
    tx: Session,
    commands: Sequence[CollectCommand],
    places: Sequence[Workplace | Refusal],
    at: datetime,
) -> list[_Planned | Refusal]:
    """Lock the redemptions and their cards, and check each command at its counter."""
    published = await history.load(tx)
    codes = await proxies.read(tx, [one.pickup_code for one in commands])
    wanted = [
        (place.merchant_id, shown.pickup_code)
        for shown, place in zip(codes, places, strict=True)
        if isinstance(place, Workplace)
    ]
    found = await queries.lock_collectable(tx, wanted) if wanted else {}
    planned: list[_Planned | Refusal] = []
    for one, shown, place in zip(commands, codes, places, strict=True):
        if isinstance(place, Refusal):
            planned.append(place)
            continue
        wanted_one = (place.merchant_id, shown.pickup_code)
        row = _collectable(found.get(wanted_one), at)
        if isinstance(row, Refusal):
            planned.append(row)
        elif row.person_id == one.staff_id and not one.may_be_own:
            planned.append(OwnRedemption())
        elif not await proxies.use(tx, shown, one.staff_id, at):
            planned.append(RedemptionNotFound())
        else:
            # The code of a proxy and the pick-up code may be of one redemption: the first gets it.
            del found[wanted_one]
            posting = _posting(row, _payee(place, row, published, at))
            planned.append(_Planned(row, one.staff_id, shown, posting))
    return planned


def _payee(
    place: Workplace, row: Collectable, published: PolicyHistory, at: datetime
) -> AccountKey:
    """Return the account that what is collected goes to: the merchant's or the fund's."""
    if place.kind != MerchantKind.fund_counter:
        return AccountKey(place.merchant_id, Purpose.takings, row.unit_id)
    return AccountKey(place.org_id, published.policy(at, place.org_path).fund, row.unit_id)


def _collectable(row: Collectable | None, at: datetime) -> Collectable | Refusal:
    """Return the redemption if it can be handed over at a moment, else the refusal."""
    if row is None:
        return RedemptionNotFound()
    if row.status != RedemptionStatus.reserved:
        return RedemptionNotReserved(status=RedemptionStatus(row.status), expires_at=row.expires_at)
    if row.expires_at <= at:
        return _expired(row)
    if row.card_status != CardStatus.active:
        return CardSuspended(status=row.card_status)
    return row


def _expired(row: Collectable) -> RedemptionNotReserved:
    return RedemptionNotReserved(status=RedemptionStatus.expired, expires_at=row.expires_at)


def _posting(row: Collectable, payee: AccountKey) -> Posting:
    return Posting(
        id=new_id(),
        payer=AccountKey(row.person_id, Purpose.held, row.unit_id),
        payee=payee,
        amount=row.points,
        kind=Kind.collect,
        reason=holding.reason_of(Kind.collect, row.reward_name),
        reference=settlement_of("redemption", row.id),
        source_type="redemption",
        source_id=row.id,
        org_id=row.org_id,
        closes_id=row.id,
    )


def _settled(one: _Planned, outcome: Outcome) -> Outcome:
    """Return the outcome; the ledger may have ended the hold before, or settled it so."""
    if isinstance(outcome, AlreadySettled | ReferenceReused):
        return _expired(one.row)
    if isinstance(outcome, Posted) and outcome.replayed:
        expires_at = one.row.expires_at
        return RedemptionNotReserved(status=RedemptionStatus.collected, expires_at=expires_at)
    return outcome


def _reply(one: _Planned, outcome: Outcome, names: dict[UUID, Named]) -> CollectedOut | Refusal:
    if isinstance(outcome, Refusal):
        return outcome
    row = one.row
    return CollectedOut(
        id=row.id,
        reward_id=row.reward_id,
        quantity=row.quantity,
        status=RedemptionStatus.collected,
        points=row.points,
        person=PayerOut(display_name=people.masked(names[row.person_id].display_name)),
        proxy=one.shown.out(),
    )
