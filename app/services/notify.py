"""Telling people: every notice leaves through the outbox, in the transaction that causes it.

What is sent are a kind, a subject and facts; ``schemas/notify.py`` has the words, which are
chosen when somebody reads them. Facts that do not fit the kind are refused here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.models.people import Role
from app.queries import outbox
from app.queries import people as people_queries
from app.schemas.notify import kinds

Subject = tuple[str, UUID]  # the singular noun and the id: ("award", id)
DECIDERS = (Role.organizer, Role.administrator)


@dataclass(frozen=True, slots=True)
class Message:
    """What one person is told. ``facts``: whole numbers, moments, days, titles, yes or no."""

    person_id: UUID
    subject: Subject
    facts: dict[str, Any]


async def send(
    tx: Session, people: UUID | Collection[UUID], kind: str, subject: Subject, **facts: Any
) -> None:
    """Tell one person, or each of several, the same. Raises FactsWrong, KeyError."""
    recipients = [people] if isinstance(people, UUID) else people
    await send_each(tx, kind, [Message(person, subject, facts) for person in recipients])


async def send_each(tx: Session, kind: str, messages: Sequence[Message]) -> None:
    """Tell each person their own, in one statement. Raises FactsWrong, KeyError."""
    template = kinds()[kind].text
    payloads = [
        {
            "person_id": str(one.person_id),
            "subject": {"type": one.subject[0], "id": str(one.subject[1])},
            "facts": template.packed(one.facts),
        }
        for one in messages
    ]
    if payloads:
        await outbox.put(tx, f"notices.{kind}", *payloads)


async def send_to_deciders(
    tx: Session,
    kind: str,
    org_id: UUID,
    *,
    but: Collection[UUID | None],
    count: int = 1,
    at_least: int = 1,
) -> None:
    """Tell those who may decide that ``count`` more wait at an organisation.

    They are its organizers and administrators without ``but``, who have a part in it. Where
    these are fewer than ``at_least``, those of the nearest organisations above are told too.
    """
    deciders = await people_queries.nearest_holders(
        tx, org_id, DECIDERS, [one for one in but if one is not None], at_least
    )
    facts = {"count": count}
    messages = [
        Message(one.person_id, ("org", org_id), facts | {"org": one.org_name}) for one in deciders
    ]
    await send_each(tx, kind, messages)
