"""Charges: a counter charges points with the code of a card, once.

Above the policy's ``confirm_above`` the points are held for 60 s: see ``confirming``.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.models.cards import CodePurpose
from app.models.ledger import Kind, Purpose
from app.models.notices import NoticeKind
from app.models.redemptions import Charge, ChargeStatus
from app.queries import cards as card_queries
from app.queries import people as people_queries
from app.queries import redemptions as queries
from app.queries.cards import CodeRow
from app.queries.people import Named, Workplace
from app.queries.redemptions import NewCharge
from app.schemas.redemptions import ChargeOut, PayerOut
from app.services import code_locks, idempotency, notify, people
from app.services.idempotency import Attempt, Replied
from app.services.ledger.types import AccountKey, HoldTerms, Outcome, Posted, Posting
from app.services.merchants import access as merchants
from app.services.notify import Message
from app.services.policies import history
from app.services.policies.rules import PointsPolicy
from app.services.redemptions import card_codes, charge_caps, sharing

CONFIRM_WITHIN = timedelta(seconds=60)
_WORDS = {
    Kind.charge: "商户消费",
    Kind.hold: "商户收款待确认",
    Kind.collect: "商户消费",
    Kind.unhold: "商户收款未确认",
}


class OwnCharge(Refusal):
    code, status, title = "charges.own", 403, "Own charge"
    zh, en = "不能为本人收款或退款", "Nobody charges or refunds themselves at a counter."


@dataclass(frozen=True, slots=True)
class ChargeCommand:
    """A command: a member of a merchant's staff charges points to the card of a code.

    ``merchant_id``: which merchant, if the person works at several.
    """

    staff_id: UUID
    card_code: str
    points: int
    note: str
    merchant_id: UUID | None = None


def conflict_keys(attempt: Attempt[ChargeCommand, ChargeOut]) -> Iterable[Hashable]:
    """Return the conflict keys of a charge: its Idempotency-Key and the card's code."""
    return (attempt.key, attempt.command.card_code)


async def charge_once(
    tx: Session, attempts: Sequence[Attempt[ChargeCommand, ChargeOut]], at: datetime
) -> list[Replied | Refusal]:
    """Run a batch of charges, each once for its Idempotency-Key.

    Precondition: no two attempts share a conflict key.
    """
    return await idempotency.run(tx, attempts, lambda commands: charge(tx, commands, at))


async def charge(
    tx: Session, commands: Sequence[ChargeCommand], at: datetime
) -> list[ChargeOut | Refusal]:
    """Run a batch of charges in a fixed number of statements, one outcome each.

    Precondition: no two commands have one code. Only a successful charge uses the code up: after
    InsufficientPoints the counter may try a smaller amount. Outcomes: ChargeOut, or Forbidden (not
    staff of a merchant), MerchantNotYours, MerchantSuspended, CodesLocked, CardCodeInvalid,
    CardCodeUsed, CardSuspended, OwnCharge, CapReached, InsufficientPoints. Where a cap is near, a
    batch may take the statements of posting more than once (``charge_caps``).
    """
    if not commands:
        return []
    planned = await _plan(tx, commands, at)
    charges = [one for one in planned if isinstance(one, _Planned)]
    wanted = [
        charge_caps.Wanted(_posting(one.charge, one.policy), one.charge, one.policy)
        for one in charges
    ]
    posted = await charge_caps.post(tx, wanted, at)
    outcomes = dict(zip((one.charge.id for one in charges), posted, strict=True))
    await _record(tx, charges, outcomes, at)
    names = await people_queries.names(tx, sorted({one.charge.person_id for one in charges}))
    return [
        one if isinstance(one, Refusal) else _reply(one.charge, outcomes[one.charge.id], names, at)
        for one in planned
    ]


@dataclass(frozen=True, slots=True)
class _Planned:
    """A charge that passed the checks, its code, the merchant's name and the policy there."""

    charge: NewCharge
    code: CodeRow
    merchant: str
    policy: PointsPolicy


async def _plan(
    tx: Session, commands: Sequence[ChargeCommand], at: datetime
) -> list[_Planned | Refusal]:
    """Look up counters, lock the codes, and check each command."""
    counters = await people_queries.merchants_of(tx, sorted({c.staff_id for c in commands}))
    published = await history.load(tx)
    codes = await card_queries.lock_codes(tx, sorted({c.card_code for c in commands}))
    clock = now()  # by which codes are made: a posting may be dated later (``moments``)
    planned: list[_Planned | Refusal] = []
    for command in commands:
        places = counters.get(command.staff_id, [])
        counter = merchants.workplace(places, command.merchant_id, sells=True)
        if isinstance(counter, Refusal):
            planned.append(counter)
            continue
        if refusal := code_locks.locked(counter.codes_locked_until, clock):
            planned.append(refusal)
            continue
        row = codes.get(command.card_code)
        code = card_codes.usable(row, clock, CodePurpose.charge, counter.merchant_id)
        if isinstance(code, Refusal):
            planned.append(code)
            continue
        if code.person_id == command.staff_id:
            planned.append(OwnCharge())
            continue
        policy = published.policy(at, counter.org_path)
        made = _charge(command, counter, policy, code, at)
        planned.append(_Planned(made, code, counter.name, policy))
    charges = [one.charge for one in planned if isinstance(one, _Planned)]
    paid_by = await sharing.under_agreements(tx, charges, published, at)
    return [
        replace(one, charge=paid_by[one.charge.id]) if isinstance(one, _Planned) else one
        for one in planned
    ]


async def _record(
    tx: Session, charges: Sequence[_Planned], outcomes: dict[UUID, Outcome], at: datetime
) -> None:
    """Use up the codes of posted charges, insert the charges, and notify the payers."""
    done, paid, waiting = [], [], []
    for one in charges:
        outcome = outcomes[one.charge.id]
        if not isinstance(outcome, Posted):
            continue
        done.append(one)
        if one.charge.expires_at is None:
            balance = outcome.from_balance
            paid.append(notice(one.charge, merchant=one.merchant, balance=balance))
        else:
            until = one.charge.expires_at
            waiting.append(notice(one.charge, merchant=one.merchant, expires_at=until))
    if done:
        places = [one.charge.merchant_id for one in done]
        await card_queries.use_codes(tx, [one.code.id for one in done], at, places)
        await queries.insert_charges(tx, [one.charge for one in done], at)
        await notify.send_each(tx, NoticeKind.points_charged, paid)
        await notify.send_each(tx, "charge_waiting", waiting)


def _reply(
    charge: NewCharge, outcome: Outcome, names: dict[UUID, Named], at: datetime
) -> ChargeOut | Refusal:
    if isinstance(outcome, Refusal):
        return outcome
    name = names[charge.person_id].display_name
    status = ChargeStatus.charged if charge.expires_at is None else ChargeStatus.waiting
    return to_out(charge, status, name, outcome.from_balance, at)


def _charge(
    command: ChargeCommand, counter: Workplace, policy: PointsPolicy, row: CodeRow, at: datetime
) -> NewCharge:
    threshold = policy.document.charges.confirm_above
    is_large = threshold is not None and command.points > threshold
    return NewCharge(
        id=new_id(),
        merchant_id=counter.merchant_id,
        org_id=counter.org_id,
        person_id=row.person_id,
        staff_id=command.staff_id,
        points=command.points,
        unit_id=policy.unit_id,
        note=command.note,
        expires_at=at + CONFIRM_WITHIN if is_large else None,
    )


def _posting(one: NewCharge, policy: PointsPolicy) -> Posting:
    """Return the posting to the merchant, or of the hold until the payer confirms."""
    payer = AccountKey(one.person_id, Purpose.available, one.unit_id)
    terms = None
    if one.expires_at is not None:
        revived_for = timedelta(days=policy.document.lots.refund_days)
        terms = HoldTerms(one.expires_at, reason_of(Kind.unhold, one.note), revived_for)
    kind = Kind.hold if terms else Kind.charge
    return Posting(
        id=one.id,
        payer=payer,
        payee=payer.held if terms else AccountKey(one.merchant_id, Purpose.takings, one.unit_id),
        amount=one.points,
        kind=kind,
        reason=reason_of(kind, one.note),
        reference=f"charge:{one.id}",
        source_type="charge",
        source_id=one.id,
        org_id=one.org_id,
        terms=terms,
    )


def reason_of(kind: Kind, note: str) -> str:
    """Return the reason of a transfer of a charge: what it is, and what was bought."""
    return f"{_WORDS[kind]}：{note}" if note else _WORDS[kind]


def notice(one: Charge | NewCharge, **facts: Any) -> Message:
    return Message(one.person_id, ("charge", one.id), {"points": one.points} | facts)


def to_out(
    one: Charge | NewCharge,
    status: str,
    name: str,
    balance_after: int,
    created_at: datetime,
    points_refunded: int = 0,
) -> ChargeOut:
    return ChargeOut(
        id=one.id,
        points=one.points,
        status=status,
        person=PayerOut(display_name=people.masked(name)),
        balance_after=balance_after,
        created_at=created_at,
        points_refunded=points_refunded,
        expires_at=one.expires_at,
    )
