"""Records of organisations: access rights, lists and state changes.

Every change of a record writes an entry to the audit trail; ``actor`` is None for a job.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

from app.core.db import Session
from app.core.errors import PreconditionFailed, Refusal
from app.core.paging import Page, PageParams, keyset
from app.models.base import Record
from app.models.orgs import Org
from app.models.people import Role
from app.queries import people as people_queries
from app.queries import records as queries
from app.schemas.base import ChangeOut, Out
from app.services import audit, orgs, people

M = TypeVar("M", bound=Record)
S = TypeVar("S", bound=Out)
# Makes the replies of a page's rows, in their order, where a row alone does not do.
Shown = Callable[[Sequence[M]], Awaitable[Sequence[S]]]
Moves = Mapping[Any, Collection[Any]]  # from a state to the states that may follow it


class WrongState(Refusal):
    """Base of a noun's own ``<noun>.wrong_state``. Fact: ``status``, the current state."""

    status, title = 409, "Wrong state"
    zh, en = "当前状态不允许此操作", "The current state does not allow this."
    fact_names: ClassVar[tuple[str, ...]] = ("status",)


async def authorized(tx: Session, caller: UUID, roles: Collection[Role], org_id: UUID) -> Org:
    """Return the organisation if the caller holds one of the roles there or above.

    Raises OrgNotFound, Forbidden.
    """
    org = await orgs.get(tx, org_id)
    await people.require_role(tx, caller, roles, org.path)
    return org


async def authorized_open(tx: Session, caller: UUID, roles: Collection[Role], org_id: UUID) -> Org:
    """Return an organisation as ``authorized`` does, one that takes something new.

    It is not closed or moved before the commit. Raises OrgNotFound, Forbidden, OrgClosed.
    """
    await authorized(tx, caller, roles, org_id)
    return await orgs.get_open(tx, org_id)


async def locked(
    tx: Session,
    model: type[M],
    record_id: UUID,
    caller: UUID,
    roles: Collection[Role],
    missing: type[Refusal],
) -> M:
    """Lock and return a record. Raises ``missing``, also outside of the caller's subtrees."""
    record = await queries.lock(tx, model, record_id)
    if record is None:
        raise missing
    org = await orgs.get(tx, record.org_id)
    if not await people_queries.has_role_at(tx, caller, roles, org.path):
        raise missing
    return record


def require_version(current: int, read: int) -> None:
    """Raise PreconditionFailed unless a locked record has the version that its editor read."""
    if current != read:
        raise PreconditionFailed(version=current)


async def create(tx: Session, actor: UUID | None, record: Record, **facts: str | int) -> None:
    """Insert a record; its audit entry is ``created``, with these facts."""
    await queries.save(tx, record)
    await audit.write(tx, actor, "created", record, facts=facts)


async def edit(
    tx: Session,
    actor: UUID | None,
    record: Any,
    version: int,
    values: Mapping[str, Any],
    *,
    reason: str | None = None,
) -> list[ChangeOut]:
    """Give a locked record of this version new values; return the changes, before and after.

    Raises PreconditionFailed.
    """
    require_version(record.version, version)
    before = {name: getattr(record, name) for name in values}
    changed = sorted(name for name, value in values.items() if before[name] != value)
    if changed:
        for name in changed:
            setattr(record, name, values[name])
        record.version += 1
        await queries.save(tx, record)
        await audit.write(tx, actor, "changed", record, reason=reason, fields=changed)
    return [ChangeOut.of(name, before[name], values[name]) for name in changed]


async def move(
    tx: Session,
    actor: UUID | None,
    record: Any,
    state: str,
    moves: Moves,
    refusal: type[WrongState],
    *,
    reason: str | None = None,
    **facts: Any,
) -> None:
    """Move a locked record to another state; the audit entry names what else has changed.

    Raises ``refusal``, with these facts beside its ``status``.
    """
    before = record.state
    if state not in moves.get(before, ()):
        raise refusal(status=before, **facts)
    fields = queries.changed(record)
    record.state = state
    await queries.save(tx, record)
    await audit.write(
        tx, actor, "moved", record, before=before, after=state, reason=reason, fields=fields
    )


async def browse(
    tx: Session,
    caller: UUID,
    roles: Collection[Role],
    org_id: UUID,
    model: type[M],
    out: type[S] | Shown[M, S],
    asked: PageParams,
    **wanted: Any,
) -> Page[S]:
    """Return the records of a subtree, newest first; ``wanted`` columns that are not None.

    Raises OrgNotFound, Forbidden.
    """
    org = await authorized(tx, caller, roles, org_id)
    equal = {name: value for name, value in wanted.items() if value is not None}
    return await page(tx, queries.below(model, org.path, **equal), model, out, asked)


async def page(
    tx: Session,
    query: queries.Query[M],
    model: type[M],
    out: type[S] | Shown[M, S],
    asked: PageParams,
) -> Page[S]:
    """Return a page of a query, newest first.

    ``out``: the schema of the rows, or what makes the schemas of a page's rows.
    """

    async def read(last_id: UUID | None, limit: int) -> Sequence[tuple[M, S]]:
        found = await queries.page(tx, query, model, last_id, limit)
        if not isinstance(out, type):
            return list(zip(found, await out(found), strict=True))
        schema = cast("type[S]", out)
        return [(one, schema.model_validate(one)) for one in found]

    return await keyset(
        asked,
        (UUID,),
        lambda after, limit: read(after[0] if after else None, limit),
        lambda row: row[1],
        lambda row: (row[0].id,),
    )
