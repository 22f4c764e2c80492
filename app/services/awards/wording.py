"""Awards as shown to their person and announced to their reviewers.

The texts of reasons are in ``schemas/awards/reading.py``.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.core.db import Row, Session
from app.models.awards import Award
from app.models.notices import NoticeKind
from app.queries.awards.granting import NewAward
from app.schemas.awards.reading import AwardOut, ShownState
from app.services import notify
from app.services.notify import Message


def to_out(award: Award | NewAward | Row) -> AwardOut:
    return AwardOut(
        id=award.id,
        points=award.points,
        minutes=award.minutes,
        state=ShownState(award.state),
        rule_key=award.rule_key,
        reason=award.reason,
    )


def message(award: Award | NewAward, **facts: Any) -> Message:
    """Return a notice to the person of an award, with its title and points."""
    facts = {"title": award.title, "points": award.points} | facts
    return Message(award.person_id, ("award", award.id), facts)


def trail(award: Award) -> dict[str, str | int]:
    """Return the facts that lead from an award's entries in the audit trail to its proposal.

    An award by attendance has none until somebody adds evidence.
    """
    facts: dict[str, str | int] = {}
    if award.proposal_id is not None:
        facts["proposal"] = f"proposal:{award.proposal_id}"
    if award.proposed_by is not None:
        facts["proposed_by"] = f"person:{award.proposed_by}"
    return facts


async def tell_reviewers(tx: Session, awards: Sequence[NewAward]) -> None:
    """Notify the reviewers of new awards, once for each organisation."""
    waiting: dict[UUID, list[NewAward]] = defaultdict(list)
    for award in awards:
        if award.reviews_needed:
            waiting[award.org_id].append(award)
    for org_id, theirs in waiting.items():
        people = {one.person_id for one in theirs}
        await notify.send_to_deciders(
            tx,
            NoticeKind.proposals_waiting,
            org_id,
            but={one.proposed_by for one in theirs} | (people if len(people) == 1 else set()),
            count=len(theirs),
            at_least=max(one.reviews_needed for one in theirs),
        )
