"""SQL of courtesies: their matrix, their places, and those that can be claimed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col, select

from app.core.db import Session
from app.models.courtesies import Courtesy, CourtesyCell, CourtesyPlace, CourtesyState
from app.models.merchants import Merchant
from app.models.orgs import Org
from app.queries.records import Query


async def share(session: Session, courtesy: UUID) -> Courtesy | None:
    """Read a courtesy that nobody ends before the commit."""
    query = select(Courtesy).where(Courtesy.id == courtesy).with_for_update(read=True)
    return (await session.exec(query)).first()


def open_at(at: datetime, org_path: str | None) -> Query[Courtesy]:
    """Select what is published and not over, of a subtree or of all organisations."""
    query = select(Courtesy).where(
        Courtesy.state == CourtesyState.published, col(Courtesy.ends_at) > at
    )
    if org_path is None:
        return query
    query = query.join(Org, col(Org.id) == col(Courtesy.org_id))
    return query.where(col(Org.path).startswith(org_path, autoescape=True))


async def cells(session: Session, courtesies: Sequence[UUID]) -> dict[UUID, list[CourtesyCell]]:
    """Read the matrix of each courtesy."""
    query = select(CourtesyCell).where(col(CourtesyCell.courtesy_id).in_(courtesies))
    found: dict[UUID, list[CourtesyCell]] = {one: [] for one in courtesies}
    for cell in await session.exec(query.order_by(col(CourtesyCell.position))):
        found[cell.courtesy_id].append(cell)
    return found


async def places(
    session: Session, courtesies: Sequence[UUID]
) -> Mapping[UUID, list[tuple[UUID, str]]]:
    """Read ids and names of the merchants of each courtesy."""
    query = (
        select(CourtesyPlace.courtesy_id, Merchant.id, Merchant.name)
        .join(Merchant, col(Merchant.id) == col(CourtesyPlace.merchant_id))
        .where(col(CourtesyPlace.courtesy_id).in_(courtesies))
        .order_by(col(Merchant.name), col(Merchant.id))
    )
    found: dict[UUID, list[tuple[UUID, str]]] = {one: [] for one in courtesies}
    for courtesy, merchant, name in await session.exec(query):
        found[courtesy].append((merchant, name))
    return found


async def merchants_below(session: Session, org_path: str, merchants: Sequence[UUID]) -> set[UUID]:
    """Return those of the merchants that belong to a subtree."""
    query = (
        select(Merchant.id)
        .join(Org, col(Org.id) == col(Merchant.org_id))
        .where(col(Merchant.id).in_(merchants))
        .where(col(Org.path).startswith(org_path, autoescape=True))
    )
    return set(await session.exec(query))


async def fill(
    session: Session, courtesy: UUID, cells: Sequence[CourtesyCell], merchants: Sequence[UUID]
) -> None:
    """Replace matrix and places of a locked draft."""
    for model in (CourtesyCell, CourtesyPlace):
        await session.execute(delete(model).where(col(model.courtesy_id) == courtesy))
    session.add_all(cells)
    session.add_all(CourtesyPlace(courtesy_id=courtesy, merchant_id=one) for one in merchants)
    await session.flush()


async def find_many(session: Session, courtesies: Sequence[UUID]) -> dict[UUID, Courtesy]:
    query = select(Courtesy).where(col(Courtesy.id).in_(courtesies))
    return {one.id: one for one in await session.exec(query)}
