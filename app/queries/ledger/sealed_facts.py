"""What the seals of days cover besides transfers: the facts that somebody's points depend on.

A fact is an event of a row, with the columns that never change after it: an award that was given,
a reservation that was collected. Its date is written by ``moments`` in the transaction of the
event, or it is that of the fact's transfer, so no fact enters a day that is closed.

A definition that has sealed a day never changes, nor does the type of a column: the hashes of old
days would not match. A new column that must be sealed makes another fact of the same table. A fact
that is added after days were sealed is ``is_newer``: the first seal that has it covers all days
before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlmodel import SQLModel

from app.models.audit import AuditEntry
from app.models.awards import Award, AwardReview
from app.models.cases import Case
from app.models.checkins import AttendedTime, Checkin
from app.models.checkouts import Checkout
from app.models.corrections import Correction
from app.models.deductions import Deduction
from app.models.exchanges import Exchange, ExchangeAgreement
from app.models.funds import FundMonth, FundReceipt
from app.models.ledger import Hold, Lot, LotUse
from app.models.redemptions import Charge, Redemption
from app.queries.ledger.attendance import FORGOTTEN


@dataclass(frozen=True)
class Fact:
    """A fact of rows ``r`` of a table.

    ``dated``: SQL of its date. ``columns`` are sealed, with the primary key. ``instead``: SQL in
    place of a column. ``also``: SQL of sealed values of joined rows. ``gone``: SQL of the ids of
    rows among ``:ids`` that may have been deleted since. ``is_newer``: than the first facts.
    """

    name: str
    model: type[SQLModel]
    dated: str
    columns: tuple[str, ...]
    join: str = ""
    where: str = "true"
    instead: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    gone: str | None = None
    is_newer: bool = False


# The reviews seal the evidence and the reason of an award that needs them: these change before.
_UNREVIEWED = "CASE WHEN r.reviews_needed = 0 THEN r.{} END"
_BY_TRANSFER = "JOIN ledger_transfers t ON t.id = r.transfer_id"

FACTS = (
    Fact(
        "award",
        Award,
        "r.awarded_at",
        (
            *("id", "reference", "person_id", "org_id", "unit_id", "rule_key"),
            *("policy_version", "points_before_caps", "minutes", "hours_at_once", "reason"),
            *("title", "evidence", "proposed_by", "proposal_id", "awarded_at"),
            *("reviews_needed", "wait_hours", "notice_days"),
        ),
        instead={
            "reason": _UNREVIEWED.format("reason"),
            "evidence": _UNREVIEWED.format("evidence"),
        },
    ),
    Fact(
        "review",
        AwardReview,
        "r.created_at",
        ("award_id", "reviewer_id", "approved", "reason", "created_at"),
        join="JOIN awards a ON a.id = r.award_id",
        also=("a.evidence",),
    ),
    Fact(
        "attended time",
        AttendedTime,
        "a.awarded_at",
        ("award_id", "person_id", "is_extra", "during"),
        join="JOIN awards a ON a.id = r.award_id",
        gone="""
        SELECT id FROM awards
        WHERE id = ANY(CAST(:ids AS uuid[])) AND state IN ('rejected', 'reversed')
        """,
    ),
    Fact(
        "check-in",
        Checkin,
        "r.checked_in_at",
        (
            *("id", "activity_id", "session", "person_id", "method", "distance_m"),
            *("checked_in_at", "award_id"),
        ),
    ),
    Fact(
        "reservation",
        Redemption,
        "r.created_at",
        (
            *("id", "person_id", "reward_id", "merchant_id", "quantity", "points", "unit_id"),
            *("pickup_code", "stock_period_start", "expires_at", "created_at"),
        ),
    ),
    Fact(
        "end of a reservation",
        Redemption,
        "r.settled_at",
        ("id", "merchant_id", "status", "settled_at", "settled_by"),
        where="r.settled_at IS NOT NULL",
    ),
    Fact(
        "charge",
        Charge,
        "r.created_at",
        ("id", "merchant_id", "person_id", "staff_id", "points", "unit_id", "note", "created_at"),
    ),
    Fact(
        "refund",
        Charge,
        "r.refunded_at",
        ("id", "merchant_id", "status", "refunded_at", "refund_reason"),
        where="r.refunded_at IS NOT NULL",
    ),
    Fact(
        "receipt",
        FundReceipt,
        "r.created_at",
        (
            *("id", "org_id", "created_by", "created_at", "unit_id", "kind", "points", "giver"),
            *("note",),
        ),
    ),
    Fact(
        "reversal of a receipt",
        FundReceipt,
        "t.created_at",
        ("id", "state", "reversal_proposed_by", "reversal_reason", "reversal_confirmed_by"),
        join="JOIN ledger_transfers t ON t.closes_id = r.id",
    ),
    Fact(
        "deduction",
        Deduction,
        "r.created_at",
        (
            *("id", "org_id", "created_by", "created_at", "person_id", "unit_id", "rule_key"),
            *("policy_version", "title", "points_asked", "points", "evidence", "appeal_until"),
        ),
    ),
    Fact(
        "decision of a case",
        Case,
        "r.answered_at",
        (
            *("id", "org_id", "created_by", "created_at", "kind", "subject_type", "subject_id"),
            *("reason", "state", "handler_id", "outcome", "answer", "answered_at"),
        ),
        where="r.state = 'closed' AND r.kind IN ('appeal', 'objection')",
    ),
    Fact(
        "lot",
        Lot,
        "t.created_at",
        ("id", "account_id", "transfer_id", "amount", "expires_at", "org_id", "origin_id"),
        join=_BY_TRANSFER,
    ),
    Fact(
        "use of a lot",
        LotUse,
        "t.created_at",
        ("transfer_id", "lot_id", "amount"),
        join=_BY_TRANSFER,
    ),
    Fact(
        "hold",
        Hold,
        "t.created_at",
        ("transfer_id", "account_id", "held_until", "reason", "revived_for"),
        join=_BY_TRANSFER,
    ),
    Fact(
        "closed month",
        FundMonth,
        "r.closed_at",
        (
            *("org_id", "unit_id", "month", "issued", "available", "pending", "held", "spent"),
            *("expired", "reversed", "received", "returned", "as_of", "closed_at"),
        ),
        where="r.closed_at IS NOT NULL",
    ),
    Fact(
        "audit entry",
        AuditEntry,
        "r.at",
        (
            *("id", "at", "actor_id", "verb", "subject_type", "subject_id", "org_id"),
            *("from_state", "to_state", "reason", "fields", "facts", "request_id"),
        ),
        # Its month was dropped, and the trail says so (decision 0031).
        gone=f"""
            SELECT id FROM unnest(CAST(:ids AS uuid[])) AS k(id)
            WHERE uuid_extract_timestamp(id) < {FORGOTTEN}
        """,  # noqa: S608 - a constant
        is_newer=True,
    ),
    Fact(
        "check-in by others",
        Checkin,
        "r.checked_in_at",
        ("id", "came_at", "recorded_by", "is_walk_in"),
        where="(r.is_walk_in OR num_nonnulls(r.came_at, r.recorded_by) > 0)",
        is_newer=True,
    ),
    Fact(
        "check-out",
        Checkout,
        "r.recorded_at",
        (
            *("id", "checkin_id", "activity_id", "session", "person_id", "departure"),
            *("left_at", "recorded_at", "recorded_by", "award_id"),
        ),
        is_newer=True,
    ),
    Fact(
        "correction of a check-in",
        Correction,
        "r.corrected_at",
        (
            *("id", "checkin_id", "number", "came_before", "left_before", "came_at", "left_at"),
            *("reason", "ended_award_id", "award_id", "created_by", "corrected_at"),
        ),
        is_newer=True,
    ),
    Fact(
        "value of a receipt",
        FundReceipt,
        "r.created_at",
        ("id", "form", "value_cents", "goods"),
        where="r.form IS NOT NULL",
        is_newer=True,
    ),
    Fact(
        "agreement of an exchange",
        ExchangeAgreement,
        "r.decided_at",
        (
            *("id", "org_id", "created_by", "created_at", "other_org_id", "unit_id"),
            *("other_unit_id", "rate_points", "other_rate_points", "max_points"),
            *("other_max_points", "starts_at", "ends_at", "decided_by", "decided_at"),
        ),
        where="r.decided_at IS NOT NULL",
        is_newer=True,
    ),
    Fact(
        "end of an agreement of an exchange",
        ExchangeAgreement,
        "r.ended_at",
        ("id", "ended_by", "ended_at"),
        where="r.ended_at IS NOT NULL",
        is_newer=True,
    ),
    Fact(
        "exchange",
        Exchange,
        "r.created_at",
        (
            *("id", "org_id", "created_by", "created_at", "agreement_id", "to_org_id"),
            *("unit_id", "to_unit_id", "points", "received", "expires_at"),
        ),
        is_newer=True,
    ),
)
