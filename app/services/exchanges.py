"""Exchanges: a resident's points of one programme become points of another (decision 0057).

Two transfers in one transaction, through the clearing account of each organisation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.exchanges import Exchange, ExchangeAgreement
from app.models.ledger import Kind, Purpose
from app.models.orgs import Org
from app.queries import exchanges as queries
from app.queries import records as record_queries
from app.queries.ledger import posting as posting_queries
from app.queries.ledger.posting import LotRow
from app.schemas.exchanges import ExchangedOut, ExchangeIn, ExchangeOut
from app.services import cards, exchange_agreements, orgs, records
from app.services.exchange_agreements import AgreementNotFound
from app.services.ledger import moments, posting
from app.services.ledger.types import AccountKey, InsufficientPoints, Posting
from app.services.policies import history


class ExchangeClosed(Refusal):
    """Facts: the agreement's ``status``, and its time."""

    code, status, title = "exchanges.closed", 409, "No exchange now"
    zh, en = "目前不能按此协议互换积分", "Points cannot be exchanged by this agreement now."
    fact_names = ("status", "opens_at", "closes_at")


class ExchangeLimit(Refusal):
    """Facts, in points that would be got: the side's ``limit``, what is ``used`` and ``left``."""

    code, status, title = "exchanges.limit_reached", 409, "Limit reached"
    zh, en = "超出两地约定的互换额度", "That is over the limit that both sides agreed on."
    fact_names = ("limit", "used", "left")


class TooFewPoints(Refusal):
    """Fact: how many points are ``needed`` for one of the other unit."""

    code, status, title = "exchanges.too_few", 409, "Too few points"
    zh, en = "不足以换得一个整分", "That is not enough for a whole point of the other unit."
    fact_names = ("needed",)


class PointsOwed(Refusal):
    code, status, title = "exchanges.owed", 409, "Points are owed"
    zh, en = "您有欠分，还清后才能互换", "You owe points: these are paid before any are exchanged."
    fact_names = ("owed",)


@dataclass(frozen=True, slots=True)
class Terms:
    """A direction of an agreement: ``points`` are given, ``received`` points are got."""

    org_id: UUID
    to_org_id: UUID
    unit_id: int
    to_unit_id: int
    points: int
    received: int
    left: int  # that the receiving side can still give
    limit: int


def amounts(points: int, rate: int, to_rate: int) -> tuple[int, int]:
    """Return how many points are taken, and how many are got for them.

    The points got are rounded down; no more are taken than it takes to get as many.
    """
    received = points * to_rate // rate
    return -(-received * rate // to_rate), received


def terms_of(agreement: ExchangeAgreement, org_id: UUID, points: int) -> Terms:
    """Return the terms of giving points of one side. Raises Invalid for another organisation."""
    one = agreement
    sides = (one.org_id, one.unit_id, one.rate_points)
    others = (one.other_org_id, one.other_unit_id, one.other_rate_points)
    if org_id == one.org_id:
        limit, position = one.other_max_points, one.other_position
    elif org_id == one.other_org_id:
        sides, others = others, sides
        limit, position = one.max_points, one.position
    else:
        raise invalid("body.org_id", "不是协议的一方", "is no party of the agreement")
    taken, received = amounts(points, sides[2], others[2])
    if received == 0:
        raise TooFewPoints(needed=-(-sides[2] // others[2]))
    return Terms(
        *(sides[0], others[0], sides[1], others[1], taken, received), limit + position, limit
    )


async def exchange(tx: Session, caller: UUID, body: ExchangeIn) -> ExchangedOut:
    """Give points of one side of an agreement, and get those of the other.

    The agreement is locked before its positions are read, so that concurrent exchanges keep the
    limit. Raises AgreementNotFound, ExchangeClosed, Invalid, TooFewPoints, OrgClosed,
    CardSuspended, ExchangeLimit, PointsOwed, InsufficientPoints.
    """
    at = await moments.moment(tx)
    agreement = await record_queries.lock(tx, ExchangeAgreement, body.agreement_id)
    if agreement is None:
        raise AgreementNotFound
    if not exchange_agreements.is_open(agreement, at):
        raise ExchangeClosed(
            status=agreement.state, opens_at=agreement.starts_at, closes_at=agreement.ends_at
        )
    terms = terms_of(agreement, body.org_id, body.points)
    org, to_org = [await orgs.get_open(tx, one) for one in (terms.org_id, terms.to_org_id)]
    await cards.require_active(tx, caller)
    if terms.received > terms.left:
        raise ExchangeLimit(limit=terms.limit, used=terms.limit - terms.left, left=terms.left)
    made = await _post(tx, caller, agreement.id, terms, (org, to_org), at)
    if terms.org_id == agreement.org_id:
        agreement.position += terms.points
        agreement.other_position -= terms.received
    else:
        agreement.other_position += terms.points
        agreement.position -= terms.received
    await record_queries.save(tx, agreement)
    return made


async def _post(
    tx: Session, person: UUID, agreement: UUID, terms: Terms, sides: tuple[Org, Org], at: datetime
) -> ExchangedOut:
    """Move the points, and record the exchange. Raises PointsOwed, InsufficientPoints."""
    org, to_org = sides
    payer = AccountKey(person, Purpose.available, terms.unit_id)
    payee = AccountKey(person, Purpose.available, terms.to_unit_id)
    into = AccountKey(org.id, Purpose.clearing, terms.unit_id)
    out_of = AccountKey(to_org.id, Purpose.clearing, terms.to_unit_id)
    locked = await posting.lock(tx, [payer, payee, into, out_of], at)
    debt = locked.get(payer.debt)
    if debt is not None and debt.balance < 0:
        raise PointsOwed(owed=-debt.balance)
    lots = await posting_queries.spendable_lots(tx, [locked[payer].id])
    living = [lot for lot in lots if lot.expires_at > at]
    spendable = sum(lot.remaining for lot in living)
    if spendable < terms.points:
        raise InsufficientPoints(needed=terms.points, available=spendable)
    policy = await history.in_force(tx, to_org.path, at)
    made = Exchange(
        id=new_id(),
        org_id=org.id,
        created_by=person,
        created_at=at,
        agreement_id=agreement,
        to_org_id=to_org.id,
        unit_id=terms.unit_id,
        to_unit_id=terms.to_unit_id,
        points=terms.points,
        received=terms.received,
        expires_at=min(policy.lot_expiry(at), mean_end(living, terms.points, at)),
    )
    await records.create(tx, person, made)
    gave = Posting(
        id=made.id,
        payer=payer,
        payee=into,
        amount=made.points,
        kind=Kind.exchange,
        reason=f"积分互换：转往{to_org.name}",
        reference=f"exchange:{made.id}:out",
        source_type="exchange",
        source_id=made.id,
        org_id=org.id,
    )
    got = Posting(
        id=new_id(),
        payer=out_of,
        payee=payee,
        amount=made.received,
        kind=Kind.exchange,
        reason=f"积分互换：转自{org.name}",
        reference=f"exchange:{made.id}:in",
        source_type="exchange",
        source_id=made.id,
        org_id=to_org.id,
        expires_at=made.expires_at,
    )
    for outcome in await posting.post(tx, [gave, got], at, locked):
        unwrap([outcome])
    shown = ExchangeOut.model_validate(made).model_dump()
    balances = {"available": locked[payer].balance, "to_available": locked[payee].balance}
    return ExchangedOut(**shown, **balances)


def mean_end(lots: Sequence[LotRow], points: int, at: datetime) -> datetime:
    """Return the mean end of the points that are taken from lots, soonest to expire first.

    So nobody makes points live longer by moving them to and fro.
    """
    left, seconds = points, 0.0
    for lot in lots:
        taken = min(lot.remaining, left)
        left -= taken
        seconds += taken * (lot.expires_at - at).total_seconds()
    assert left == 0, "it was asked before whether they suffice"
    return at + timedelta(seconds=max(seconds // points, 1))


async def mine(tx: Session, caller: UUID, asked: PageParams) -> Page[ExchangeOut]:
    """Return the caller's exchanges, newest first."""
    return await records.page(tx, queries.of_person(caller), Exchange, ExchangeOut, asked)
