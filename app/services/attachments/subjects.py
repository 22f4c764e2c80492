"""What attachments may belong to: each noun declares itself in its service.

ATTACHABLE = Subject("activity", _access, most=9)
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple
from uuid import UUID

from app import services
from app.core.db import Session
from app.core.discovery import declared
from app.core.errors import Refusal
from app.core.validation_messages import wrong


class SubjectNotFound(Refusal):
    """The subject does not exist, or the caller may not know that it does."""

    code, status, title = "attachments.subject_not_found", 404, "No such subject"
    zh, en = "附件所属的对象不存在", "There is nothing that it could be attached to."


class SubjectRef(NamedTuple):
    """The singular noun and the id, as in the audit trail."""

    type: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Access:
    """A caller's rights to the attachments of one subject.

    ``reads``: those that are ready. ``attaches``: add some, and delete one's own. ``manages``:
    see and delete everybody's. ``is_public``: everybody reads, so shared caches may keep them.
    ``is_closed``: the caller attached only until the subject was reviewed or decided.
    """

    org_id: UUID
    reads: bool
    attaches: bool
    manages: bool
    is_public: bool = False
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """``access`` returns None where there is no such subject. ``most``: attachments of one.

    ``lock``: lock the subject before ``access`` decides about a change, so that what closes it
    to changes waits until the change is committed, or the change sees it closed.
    """

    noun: str
    access: Callable[[Session, UUID | None, UUID], Awaitable[Access | None]]
    most: int
    lock: Callable[[Session, UUID], Awaitable[None]] | None = None


@cache
def registry() -> Mapping[str, Subject]:
    """Return what the service modules declare as ``ATTACHABLE``, by noun."""
    found: dict[str, Subject] = {}
    for one in declared(services, "ATTACHABLE"):
        assert one.noun not in found, f"declared twice: {one.noun}"
        found[one.noun] = one
    return found


def known(noun: str) -> str:
    """Return a noun that has attachments. Raises ValueError for another."""
    if noun not in registry():
        nouns = ", ".join(sorted(registry()))
        raise wrong(f"应为以下之一：{nouns}", f"expected one of {nouns}")
    return noun


def declaration_of(noun: str) -> Subject:
    """Return what a noun declares.

    Raises SubjectNotFound for one without attachments: rows may be those of another version of
    the service.
    """
    if (found := registry().get(noun)) is None:
        raise SubjectNotFound
    return found


async def lock(tx: Session, subject: SubjectRef) -> None:
    """Lock a subject that declares how; its attachments are about to change.

    Raises SubjectNotFound for an unknown noun.
    """
    if (how := declaration_of(subject.type).lock) is not None:
        await how(tx, subject.id)


async def access_to(tx: Session, caller: UUID | None, subject: SubjectRef) -> Access:
    """Return the caller's rights. Raises SubjectNotFound unless the caller may read."""
    found = await declaration_of(subject.type).access(tx, caller, subject.id)
    if found is None or not found.reads:
        raise SubjectNotFound
    return found
