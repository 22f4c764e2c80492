"""Charges: a counter takes points with the code of a card, once, and may give them back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.models.cards import CardStatus
from app.models.ledger import Kind, Purpose
from app.models.notices import NoticeKind
from app.models.redemptions import Charge, ChargeStatus
from app.queries import cards as card_queries
from app.queries import people as people_queries
from app.queries import redemptions as queries
from app.queries.cards import CodeRow
from app.queries.people import Workplace
from app.queries.redemptions import NewCharge
from app.schemas.redemptions import ChargeOut, PayerOut
from app.services import audit, idempotency, merchants, notify, orgs, people
from app.services.idempotency import Attempt, Replied
from app.services.ledger import posting
from app.services.ledger.types import AccountKey, Posted, Posting
from app.services.notify import Message
from app.services.policies import history
from app.services.redemptions.reservations import release_overdue


class CardCodeInvalid(Refusal):
    """Unknown and expired look alike."""

    code, status, title = "cards.code_invalid", 422, "Card code invalid"
    zh, en = "付款码无效或已过期，请刷新后重试", "The card code is not valid; refresh it."


class CardCodeUsed(Refusal):
    code, status, title = "cards.code_used", 409, "Card code used"
    zh, en = "付款码已使用，请刷新后重试", "The card code has been used; refresh it."


class CardSuspended(Refusal):
    code, status, title = "cards.suspended", 409, "Card suspended"
    zh, en = "青享卡已停用", "The card is suspended."


class ChargeNotFound(Refusal):
    code, status, title = "charges.not_found", 404, "No such charge"
    zh, en = "收款记录不存在", "There is no such charge."


class ChargeAlreadyRefunded(Refusal):
    code, status, title = "charges.already_refunded", 409, "Already refunded"
    zh, en = "该笔收款已退款", "This charge has been refunded."
    fact_names = ("refunded_at",)


@dataclass(frozen=True, slots=True)
class ChargeCommand:
    """A command: somebody behind a counter takes points from whoever's card shows the code."""

    staff_id: UUID
    card_code: str
    points: int
    note: str


async def charge_once(
    tx: Session, attempts: Sequence[Attempt[ChargeCommand, ChargeOut]], at: datetime
) -> list[Replied | Refusal]:
    """Charge a list, each once for its Idempotency-Key."""
    return await idempotency.run(tx, attempts, lambda commands: charge(tx, commands, at))


async def charge(
    tx: Session, commands: Sequence[ChargeCommand], at: datetime
) -> list[ChargeOut | Refusal]:
    """Charge a list in a fixed number of statements, one outcome each.

    A code is used up only by a charge that stands: after InsufficientPoints the counter
    may try a smaller amount. Outcomes: ChargeOut, or Forbidden (who asks has no counter),
    CardCodeInvalid, CardCodeUsed, CardSuspended, InsufficientPoints.
    """
    if not commands:
        return []
    counters = await people_queries.merchants_of(tx, sorted({c.staff_id for c in commands}))
    published = await history.load(tx)
    codes = await card_queries.lock_codes(tx, sorted({c.card_code for c in commands}), at)
    outcomes: list[ChargeOut | Refusal | None] = []
    tries: list[_Try] = []
    for place, command in enumerate(commands):
        row = codes.get(command.card_code)
        refusal = _refusal(row, at) if command.staff_id in counters else people.Forbidden()
        outcomes.append(refusal)
        if refusal is None and row is not None:
            counter = counters[command.staff_id]
            unit_id = published.policy(at, counter.org_path).unit_id
            tries.append(_Try(place, _charge(command, counter, unit_id, row), row))
    for person_id in sorted({one.charge.person_id for one in tries if one.code.has_overdue}):
        await release_overdue(tx, person_id)  # or what is free would seem to be held
    posted = await _post_in_turn(tx, tries, at)
    names = await people_queries.names(tx, sorted({one.charge.person_id for one in tries}))
    stands, told = [], []
    for one in tries:
        done = posted[one.place]
        if isinstance(done, Posted):
            stands.append(one)
            name = names[one.charge.person_id].display_name
            shown = _to_out(one.charge, ChargeStatus.charged, name, done.from_balance, at)
            outcomes[one.place] = shown
            merchant = counters[one.charge.staff_id].name
            told.append(_message(one.charge, merchant=merchant, balance=done.from_balance))
        else:
            outcomes[one.place] = done
    if stands:
        await card_queries.use_codes(tx, [one.code.id for one in stands], at)
        await queries.insert_charges(tx, [one.charge for one in stands], at)
        await notify.send_each(tx, NoticeKind.points_charged, told)
    return [outcome for outcome in outcomes if outcome is not None]


@dataclass(frozen=True, slots=True)
class _Try:
    """A charge that may be made, and its place in the list."""

    place: int
    charge: NewCharge
    code: CodeRow


async def _post_in_turn(
    tx: Session, tries: Sequence[_Try], at: datetime
) -> dict[int, Posted | Refusal]:
    """Post charges; return what came of them, by place.

    Of several with one code, the second has its turn only if the first does not stand.
    """
    locked = await posting.lock(tx, (key for one in tries for key in _accounts(one.charge)))
    outcomes: dict[int, Posted | Refusal] = {}
    while tries:
        turn: dict[UUID, _Try] = {}
        for one in tries:
            turn.setdefault(one.code.id, one)
        postings = [_posting(one.charge) for one in turn.values()]
        posted = await posting.post(tx, postings, at, locked, new=True)
        outcomes |= {one.place: done for one, done in zip(turn.values(), posted, strict=True)}
        for one in tries:
            if isinstance(outcomes[turn[one.code.id].place], Posted):
                outcomes.setdefault(one.place, CardCodeUsed())
        tries = [one for one in tries if one.place not in outcomes]
    return outcomes


async def refund(tx: Session, staff_id: UUID, charge_id: UUID, reason: str) -> ChargeOut:
    """Give a charge back in full, to the lots that it came from.

    Raises Forbidden, ChargeNotFound (another merchant's too), ChargeAlreadyRefunded.
    """
    merchant = await merchants.of_staff(tx, staff_id)
    found = await queries.lock_charge(tx, charge_id, merchant.id)
    if found is None:
        raise ChargeNotFound
    at = now()
    if not await queries.refund(tx, charge_id, at, reason):
        raise ChargeAlreadyRefunded(refunded_at=found.refunded_at)
    subject = ("charge", charge_id)
    await audit.write_about(tx, staff_id, "refunded", subject, merchant.org_id, reason=reason)
    policy = await history.in_force(tx, (await orgs.get(tx, merchant.org_id)).path, at)
    entry = Posting(
        id=new_id(),
        payer=AccountKey(merchant.id, Purpose.takings, found.unit_id),
        payee=AccountKey(found.person_id, Purpose.available, found.unit_id),
        amount=found.points,
        kind=Kind.refund,
        reason=f"商户退款：{reason}",
        reference=f"refund:{charge_id}",
        source_type="charge",
        source_id=charge_id,
        org_id=merchant.org_id,
        closes_id=charge_id,
        revived_until=policy.revived_until(at),
    )
    locked = await posting.lock(tx, [entry.payer, entry.payee])
    unwrap(await posting.post(tx, [entry], at, locked))
    told = _message(found, merchant=merchant.name, reason=reason)
    await notify.send_each(tx, NoticeKind.points_refunded, [told])
    balance = locked[entry.payee].balance  # less what was owed
    names = await people_queries.names(tx, [found.person_id])
    name = names[found.person_id].display_name
    return _to_out(found, ChargeStatus.refunded, name, balance, found.created_at)


def _refusal(row: CodeRow | None, at: datetime) -> Refusal | None:
    if row is None:
        return CardCodeInvalid()
    if row.used_at is not None:
        return CardCodeUsed()
    if row.expires_at <= at:
        return CardCodeInvalid()
    if row.card_status != CardStatus.active:
        return CardSuspended()
    return None


def _charge(command: ChargeCommand, counter: Workplace, unit_id: int, row: CodeRow) -> NewCharge:
    return NewCharge(
        id=new_id(),
        merchant_id=counter.merchant_id,
        org_id=counter.org_id,
        person_id=row.person_id,
        staff_id=command.staff_id,
        points=command.points,
        unit_id=unit_id,
        note=command.note,
    )


def _accounts(one: NewCharge) -> tuple[AccountKey, AccountKey]:
    return (
        AccountKey(one.person_id, Purpose.available, one.unit_id),
        AccountKey(one.merchant_id, Purpose.takings, one.unit_id),
    )


def _posting(one: NewCharge) -> Posting:
    payer, payee = _accounts(one)
    return Posting(
        id=one.id,
        payer=payer,
        payee=payee,
        amount=one.points,
        kind=Kind.charge,
        reason=f"商户消费：{one.note}" if one.note else "商户消费",
        reference=f"charge:{one.id}",
        source_type="charge",
        source_id=one.id,
        org_id=one.org_id,
    )


def _message(one: Charge | NewCharge, **facts: Any) -> Message:
    return Message(one.person_id, ("charge", one.id), {"points": one.points} | facts)


def _to_out(
    one: Charge | NewCharge, status: str, name: str, balance_after: int, created_at: datetime
) -> ChargeOut:
    return ChargeOut(
        id=one.id,
        points=one.points,
        status=status,
        person=PayerOut(display_name=people.masked(name)),
        balance_after=balance_after,
        created_at=created_at,
    )
