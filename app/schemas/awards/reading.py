"""Awards as they are read: by their person, their reviewers, and everybody during the notice."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import PlainSerializer

from app.core.language import Bilingual
from app.models.awards import AwardReason, AwardState
from app.schemas.base import Out

REASONS: dict[AwardReason, Bilingual] = {
    AwardReason.full: Bilingual("按规则足额计分", "Full points by the rule."),
    AwardReason.cap_day: Bilingual("已达本规则每日上限", "Limited by the rule's daily cap."),
    AwardReason.cap_month: Bilingual("已达本规则每月上限", "Limited by the rule's monthly cap."),
    AwardReason.cap_year: Bilingual("已达本规则每年上限", "Limited by the rule's yearly cap."),
    AwardReason.overall_day: Bilingual("已达每日总上限", "Limited by the overall daily cap."),
    AwardReason.overall_month: Bilingual("已达每月总上限", "Limited by the overall monthly cap."),
    AwardReason.overall_year: Bilingual("已达每年总上限", "Limited by the overall yearly cap."),
    AwardReason.once: Bilingual("该项积分已领取过", "These points are given once."),
}
_STATES: dict[str, tuple[str, str]] = {
    AwardState.pending_budget: ("待拨付", "waits for the fund"),
    AwardState.pending: ("待审核或待到账", "pending"),
    AwardState.notice: ("公示中", "in public notice"),
    AwardState.available: ("已到账", "available"),
    AwardState.rejected: ("未通过", "rejected"),
    AwardState.reversed: ("已冲正", "reversed"),
}
_OF_LOTS = {"spent": ("已用完", "spent"), "expired": ("已到期", "expired")}


class ShownState(StrEnum):
    """``AwardState``, and what its lots tell of an available one: ``spent``, ``expired``."""

    pending_budget = "pending_budget"
    pending = "pending"
    notice = "notice"
    available = "available"
    rejected = "rejected"
    reversed = "reversed"
    spent = "spent"
    expired = "expired"


VALUES: dict[Any, Any] = {
    AwardState: _STATES,
    AwardReason: REASONS,
    ShownState: _STATES | _OF_LOTS,
}

# On the wire its sentence, in the caller's language.
Reason = Annotated[
    AwardReason, PlainSerializer(lambda reason: REASONS[reason].said(), return_type=str)
]


class AwardOut(Out):
    """``points`` is what the caps left; ``reason`` says why, in the caller's language.

    Of an award that waits for reviewers ``points`` is the most that the caps leave to anybody.
    The ledger's transfer has the same id (no transfer for 0 points).
    """

    id: UUID
    points: int
    minutes: int
    state: ShownState
    rule_key: str
    reason: Reason


class AwardListOut(Out):
    items: list[AwardOut]


class MyAwardOut(Out):
    """One's own award. Besides its states it may be ``spent``, or ``expired`` (what was left).

    ``left`` of its points can be spent, the first of them until ``expires_at``. ``release_at``:
    when it becomes available, if nobody stops it.
    """

    award: AwardOut
    title: str
    org_id: UUID
    awarded_at: datetime
    release_at: datetime | None
    has_objection: bool
    left: int
    expires_at: datetime | None


class AwardNoticeOut(Out):
    """An award that everybody may look at until ``ends_at``, and who gets it, masked."""

    award: AwardOut
    display_name: str
    org_id: UUID
    title: str
    ends_at: datetime
    has_objection: bool


class ObjectionOut(Out):
    """``upheld`` is null while nobody has decided."""

    id: UUID
    award_id: UUID
    reason: str
    upheld: bool | None


class AwardCaseOut(Out):
    """An award as its reviewers and auditors see it; the name is masked."""

    award: AwardOut
    person_id: UUID
    display_name: str
    org_id: UUID
    title: str
    evidence: dict[str, str]
    proposed_by: UUID | None
    proposal_id: UUID | None
    awarded_at: datetime
    release_at: datetime | None
    reviews_needed: int
    approvals: int
    objections: list[ObjectionOut]
