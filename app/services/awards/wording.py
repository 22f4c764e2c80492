"""An award as it is told to a person; the words of its reason are the wire shape's."""

from typing import Any

from app.core.db import Row
from app.models.awards import Award
from app.queries.awards.granting import NewAward
from app.schemas.awards import AwardOut
from app.services.notify import Message


def to_out(award: Award | NewAward | Row) -> AwardOut:
    return AwardOut(
        id=award.id,
        points=award.points,
        minutes=award.minutes,
        state=award.state,
        rule_key=award.rule_key,
        reason=award.reason,
    )


def message(award: Award | NewAward, **facts: Any) -> Message:
    """Return a notice about an award to its person, with its title and points."""
    facts |= {"title": award.title, "points": award.points}
    return Message(award.person_id, ("award", award.id), facts)
