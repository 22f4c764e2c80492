"""Sending notices, through the outbox in the transaction of the cause.

A notice has a kind, a subject and facts. Its text is built from ``schemas/notify.py`` when it
is read. Raises FactsWrong for facts that do not match the kind.
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
    """One notice to one person. ``facts``: integers, times, dates, titles, booleans."""

    person_id: UUID
    subject: Subject
    facts: dict[str, Any]


async def send(
    tx: Session, people: UUID | Collection[UUID], kind: str, subject: Subject, **facts: Any
) -> None:
    """Send the same notice to one or several people. Raises FactsWrong, KeyError."""
    recipients = [people] if isinstance(people, UUID) else people
    await send_each(tx, kind, [Message(person, subject, facts) for person in recipients])


async def send_each(tx: Session, kind: str, messages: Sequence[Message]) -> None:
    """Send each person their own notice, in one statement. Raises FactsWrong, KeyError."""
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
    roles: Collection[Role] = DECIDERS,
    count: int = 1,
    at_least: int = 1,
) -> None:
    """Notify the people who may decide that ``count`` more cases wait at an organisation.

    These are its holders of ``roles``, except ``but``: people involved in the case. If
    they are fewer than ``at_least``, those of the nearest organisations above are added.
    """
    deciders = await people_queries.nearest_holders(
        tx, org_id, roles, [one for one in but if one is not None], at_least
    )
    facts = {"count": count}
    messages = [
        Message(one.person_id, ("org", org_id), facts | {"org": one.org_name}) for one in deciders
    ]
    await send_each(tx, kind, messages)
