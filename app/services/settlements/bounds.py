"""Corrections and refunds of one charge take from the merchant at most what the charge is worth.

Either comes first: a correction is bounded by what was not given back, and a refund after a
correction is set off by a correction to the merchant (docs/decisions/0055).
"""

from uuid import UUID

from app.core.db import Session
from app.models.redemptions import Charge
from app.models.settlements import (
    Settlement,
    SettlementDispute,
    SettlementDisputeState,
    SettlementPart,
)
from app.queries import records as record_queries
from app.queries import redemptions as redemption_queries
from app.queries import settlements as queries
from app.queries.ledger import posting as ledger_queries
from app.queries.settlements import Line
from app.services import audit, charges, records
from app.services.ledger import moments
from app.services.settlements import figures, reading

SET_OFF = "更正后又退款，重复扣减的部分冲回"


async def limit_of(tx: Session, found: SettlementDispute, cents: int) -> int:
    """Return the most that a line can be corrected by, in yuan cents, the way of ``cents``.

    Either way it is what the line is worth; in favour of the organisation less what refunds, undos
    and other corrections of the same charge or collection took. It stays locked to the commit.
    """
    line, part = await _terms(tx, found)
    limit = abs(_value(part, line.points))
    if cents >= 0:
        return limit
    taken = await ledger_queries.find_transfer(tx, line.id)
    assert taken is not None, "a line is a transfer"
    source, merchant = taken.source_id, found.merchant_id
    if taken.source_type == "charge":
        charge = await redemption_queries.lock_charge(tx, source, merchant)
        assert charge is not None, "the source of a transfer"
        left = charge.points - (await charges.refunded(tx, [charge]))[charge.id]
    else:
        order = await redemption_queries.lock_at(tx, source, merchant)
        assert order is not None, "the source of a transfer"
        left = 0 if order.undone_at else order.points
    others = await queries.upheld_about(tx, merchant, source)
    return max(0, min(limit, _value(part, left) + _sum(others)))


async def set_off(tx: Session, actor: UUID, charge: Charge, refund_id: UUID, left: int) -> None:
    """Correct the next settlement by what a refund took once more than a correction had.

    The charge is locked; ``left``: its points after the refund, whose transfer is ``refund_id``.
    The correction stands as an upheld dispute about the refund, in the names of who opened and
    decided the one before; its audit entry says who refunded.
    """
    upheld = await queries.upheld_about(tx, charge.merchant_id, charge.id)
    if not upheld:
        return
    first = upheld[0]
    _, part = await _terms(tx, first)
    short = _value(part, left) + _sum(upheld)
    if short >= 0:
        return
    made = SettlementDispute(
        org_id=first.org_id,
        created_by=first.created_by,
        settlement_id=first.settlement_id,
        merchant_id=charge.merchant_id,
        transfer_id=refund_id,
        reason=SET_OFF,
        state=SettlementDisputeState.upheld,
        decided_by=first.decided_by,
        decided_at=await moments.recorded(tx),
        answer=SET_OFF,
        correction_cents=-short,
    )
    await records.create(tx, actor, made, **audit.about("charge", charge.id))


async def _terms(tx: Session, found: SettlementDispute) -> tuple[Line, SettlementPart]:
    """Return the line of a dispute, and the terms under which it was settled."""
    settlement = await record_queries.find(tx, Settlement, found.settlement_id)
    assert settlement is not None, "a foreign key"
    span = await reading.span_of(tx, settlement)
    line = await queries.line(tx, span, found.transfer_id) if span is not None else None
    assert line is not None, "a dispute is about a line of its settlement"
    terms = {one.agreement_id: one for one in await queries.parts(tx, settlement.id)}
    return line, terms[line.agreement_id]


def _value(part: SettlementPart, points: int) -> int:
    """Return what points are worth by the terms of a part, without the cap of the month."""
    return figures.value_cents(points, part.cents_per_point, part.subsidy_percent, None)


def _sum(disputes: list[SettlementDispute]) -> int:
    return sum(one.correction_cents or 0 for one in disputes)
