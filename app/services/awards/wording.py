"""An award as it is told to a person; the words of its reason are the wire shape's."""

from app.core.db import Row
from app.models.awards import Award
from app.queries.awards.granting import NewAward
from app.schemas.awards import AwardOut


def to_out(award: Award | NewAward | Row) -> AwardOut:
    return AwardOut(
        id=award.id,
        points=award.points,
        minutes=award.minutes,
        state=award.state,
        rule_key=award.rule_key,
        reason=award.reason,
    )
