"""SQL of consents."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.consents import Consent, ConsentDocument


async def add(session: Session, consent: Consent) -> None:
    session.add(consent)
    await session.flush()


async def newest(session: Session, person: UUID, document: ConsentDocument) -> Consent | None:
    """Read the entry that counts."""
    query = (
        select(Consent)
        .where(Consent.person_id == person, Consent.document == document)
        .order_by(col(Consent.id).desc())
        .limit(1)
    )
    return (await session.exec(query)).first()


async def stands(session: Session, person: UUID, document: ConsentDocument) -> bool:
    """Whether a consent was given and not withdrawn."""
    found = await newest(session, person, document)
    return found is not None and found.given


async def withdrawn(session: Session, person: UUID) -> list[str]:
    """Read the documents whose consent was withdrawn and not given again."""
    found = [await newest(session, person, document) for document in ConsentDocument]
    return [one.document for one in found if one is not None and not one.given]


async def page(
    session: Session, person: UUID, before: UUID | None, limit: int
) -> Sequence[Consent]:
    """Read a person's log, newest first."""
    query = (
        select(Consent)
        .where(Consent.person_id == person)
        .order_by(col(Consent.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(Consent.id) < before)
    return (await session.exec(query)).all()
