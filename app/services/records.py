"""Records of organisations: who may read and change them, their lists and states.

Every change of a record by somebody's decision leaves an entry in the audit trail.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel.sql.expression import SelectOfScalar

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, keyset
from app.models.base import Record
from app.models.orgs import Org
from app.models.people import Role
from app.queries import people as people_queries
from app.queries import records as queries
from app.schemas.base import Out
from app.services import audit, orgs, people

M = TypeVar("M", bound=Record)
S = TypeVar("S", bound=Out)
Moves = Mapping[Any, Collection[Any]]  # from a state to those that may follow it


class WrongState(Refusal):
    """A noun's own has the code ``<noun>.wrong_state``. Fact: ``status``, the state it has."""

    status, title = 409, "Wrong state"
    zh, en = "当前状态不允许此操作", "The current state does not allow this."
    fact_names = ("status",)


async def authorized(tx: Session, caller: UUID, roles: Collection[Role], org_id: UUID) -> Org:
    """Return an organisation where, or above which, the caller holds one of the roles.

    Raises OrgNotFound, Forbidden.
    """
    org = await orgs.get(tx, org_id)
    await people.require_role(tx, caller, roles, org.path)
    return org


async def locked(
    tx: Session,
    model: type[M],
    record_id: UUID,
    caller: UUID,
    roles: Collection[Role],
    missing: type[Refusal],
) -> M:
    """Lock a record for the caller to change. Raises ``missing``, also outside the subtree."""
    record = await queries.lock(tx, model, record_id)
    if record is None:
        raise missing
    org = await orgs.get(tx, record.org_id)
    if not await people_queries.has_role_at(tx, caller, roles, org.path):
        raise missing
    return record


async def create(tx: Session, caller: UUID, record: Record) -> None:
    """Insert a record; its audit entry says ``created``."""
    await queries.save(tx, record)
    await audit.write(tx, caller, "created", record)


async def change(tx: Session, caller: UUID, record: Record, *, reason: str | None = None) -> None:
    """Write what has changed of a locked record; its audit entry names the fields."""
    fields = queries.changed(record)
    await queries.save(tx, record)
    await audit.write(tx, caller, "changed", record, fields=fields, reason=reason)


async def move(
    tx: Session,
    caller: UUID,
    record: Any,
    state: str,
    moves: Moves,
    refusal: type[WrongState],
    *,
    reason: str | None = None,
) -> None:
    """Move a locked record to another state. Raises ``refusal``."""
    before = record.state
    if state not in moves.get(before, ()):
        raise refusal(status=before)
    record.state = state
    await queries.save(tx, record)
    await audit.write(tx, caller, "moved", record, before=before, after=state, reason=reason)


async def page(
    tx: Session, query: SelectOfScalar[M], model: type[M], out: type[S], asked: PageParams
) -> Page[S]:
    """Return a page of a query, newest first."""
    return await keyset(
        asked,
        (UUID,),
        lambda after, limit: queries.page(tx, query, model, after[0] if after else None, limit),
        out.model_validate,
        lambda record: (record.id,),
    )
