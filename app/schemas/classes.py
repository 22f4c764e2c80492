"""Wire shapes of classes for minors: the list of a session, and figures."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName
from app.models.handovers import HandoverProof
from app.models.signups import SignupStatus
from app.schemas import handovers, signups
from app.schemas.base import Out, PersonId

VALUES = {
    HandoverProof: handovers.VALUES[HandoverProof],
    SignupStatus: signups.VALUES[SignupStatus],
}
HEADINGS = {
    "status": Bilingual("报名状态", "State of the sign-up"),
    "may_leave_alone": Bilingual("可自行离开", "May leave alone"),
    "checked_in_at": Bilingual("到课时间", "Came at (Shanghai)"),
    "checked_out_at": Bilingual("签退时间", "Checked out at (Shanghai)"),
    "handed_over_at": Bilingual("交接时间", "Handed over at (Shanghai)"),
    "proof": Bilingual("交接方式", "Proof"),
    "fetched_by": Bilingual("接走人", "Fetched by"),
    "relation": Bilingual("与孩子关系", "Relation"),
}


class ClassChildOut(Out):
    """A child who signed up, and what happened at the session. Auditors see masked names.

    ``fetched_by``: null: nobody yet, or the child left alone.
    """

    id: UUID = Field(description="Id of the sign-up.")
    person_id: PersonId
    display_name: PersonName = Field(description="The child's name; masked for auditors.")
    status: SignupStatus = Field(description="State of the sign-up.")
    may_leave_alone: bool = Field(description="Whether the guardian lets the child leave alone.")
    checked_in_at: datetime | None = Field(description="When the child came; null: not.")
    checked_out_at: datetime | None = Field(description="When the child left; null: not known.")
    handed_over_at: datetime | None = Field(description="When the child was fetched; null: not.")
    proof: HandoverProof | None = Field(description="What showed that the child might leave.")
    fetched_by: str | None = Field(description="Who fetched the child; masked for auditors.")
    relation: str | None = Field(description="What that is to the child.")


class ClassFiguresOut(Out):
    """Counts of a class over all of its sessions. Annulled check-ins do not count."""

    children: int = Field(description="Children with a place.")
    attended: int = Field(description="Children who came at least once.")
    presences: int = Field(description="Check-ins.")
    handovers: int = Field(description="Presences that ended with a hand-over.")
    lesson_minutes: int = Field(
        description="Planned length of the sessions, in minutes, for each presence."
    )
