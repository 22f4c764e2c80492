"""Awards as they are read: by their person, their reviewers, and everybody during the notice."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, PlainSerializer

from app.core.language import Bilingual, PersonName
from app.models.awards import AwardReason, AwardState
from app.schemas.base import AwardId, Out, PersonId

REASONS: dict[AwardReason, Bilingual] = {
    AwardReason.full: Bilingual("按规则足额计分", "Full points by the rule."),
    AwardReason.cap_day: Bilingual("已达本规则每日上限", "Limited by the rule's daily cap."),
    AwardReason.cap_month: Bilingual("已达本规则每月上限", "Limited by the rule's monthly cap."),
    AwardReason.cap_year: Bilingual("已达本规则每年上限", "Limited by the rule's yearly cap."),
    AwardReason.overall_day: Bilingual("已达每日总上限", "Limited by the overall daily cap."),
    AwardReason.overall_month: Bilingual("已达每月总上限", "Limited by the overall monthly cap."),
    AwardReason.overall_year: Bilingual("已达每年总上限", "Limited by the overall yearly cap."),
    AwardReason.once: Bilingual("该项积分已领取过", "These points are given once."),
    AwardReason.counted_before: Bilingual(
        "这段时间已在另一活动中计过", "This time was counted at another activity before."
    ),
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

    id: UUID = Field(description="Id of the award, and of its transfer in the ledger.")
    points: int = Field(description="Points that the caps leave.")
    minutes: int = Field(description="Minutes of volunteer service.")
    state: ShownState = Field(description="State of the award.")
    rule_key: str = Field(description="Key of the rule.")
    reason: Reason = Field(
        description="Which cap cut it; `full`: none. In the language of the request."
    )


class AwardListOut(Out):
    items: list[AwardOut] = Field(description="The awards.")


class MyAwardOut(Out):
    """One's own award. Besides its states it may be ``spent``, or ``expired`` (what was left).

    ``left`` of its points can be spent, the first of them until ``expires_at``. ``release_at``:
    when it becomes available, if nobody stops it.
    """

    award: AwardOut = Field(description="The award.")
    title: str = Field(description="What it is for.")
    org_id: UUID = Field(description="Id of the organisation that gives it.")
    awarded_at: datetime = Field(description="When it was given or proposed, in UTC.")
    release_at: datetime | None = Field(
        description="When it becomes available, if nobody stops it; null: unknown or done."
    )
    has_objection: bool = Field(description="Whether an objection to it is open.")
    left: int = Field(description="Points of it that can still be spent.")
    expires_at: datetime | None = Field(
        description="When the first of them expire; null: none are left."
    )


class AwardNoticeOut(Out):
    """An award that everybody may look at until ``ends_at``, and who gets it, masked."""

    award: AwardOut = Field(description="The award.")
    display_name: PersonName = Field(description="The person's name, masked.")
    org_id: UUID = Field(description="Id of the organisation that gives it.")
    title: str = Field(description="What it is for.")
    ends_at: datetime = Field(description="When the public notice ends, in UTC.")
    has_objection: bool = Field(description="Whether an objection to it is open.")


class ObjectionOut(Out):
    """``upheld`` is null while nobody has decided."""

    id: UUID = Field(description="Id of the objection.")
    award_id: AwardId
    reason: str = Field(description="Why somebody objects.")
    upheld: bool | None = Field(
        description="True: the award was rejected; false: it stands; null: undecided."
    )


class AwardCaseOut(Out):
    """An award as its reviewers and auditors see it; the name is masked."""

    award: AwardOut = Field(description="The award.")
    person_id: PersonId
    display_name: PersonName = Field(description="The person's name, masked.")
    org_id: UUID = Field(description="Id of the organisation that gives it.")
    title: str = Field(description="What it is for.")
    evidence: dict[str, str] = Field(
        description="The proof that was brought, by the names of the rule's fields."
    )
    proposed_by: UUID | None = Field(
        description="Id of the person who proposed it; null: a check-in did."
    )
    proposal_id: UUID | None = Field(
        description="Id that all awards of one proposal share; null: a check-in."
    )
    awarded_at: datetime = Field(description="When it was given or proposed, in UTC.")
    release_at: datetime | None = Field(
        description="When it becomes available, if nobody stops it; null: unknown or done."
    )
    reviews_needed: int = Field(description="How many people have to approve it.")
    approvals: int = Field(description="How many have approved it.")
    objections: list[ObjectionOut] = Field(description="Objections to it.")
