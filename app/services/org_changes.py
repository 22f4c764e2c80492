"""Changes to the organisation tree: new, renamed, moved, closed organisations.

Each change of the tree locks the roots that it concerns, so that two changes see each other. Roles
apply by the path of an organisation: a moved one has the organizers of its new place.
"""

from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.validation_messages import invalid
from app.models.orgs import Level, Org
from app.models.people import Role
from app.queries import merchants as merchant_queries
from app.queries import org_changes as queries
from app.queries import orgs as org_queries
from app.queries import outbox
from app.schemas.org_changes import OrgContactIn, OrgIn
from app.schemas.orgs import OrgOut
from app.services import audit, orgs, people, records

ADMINISTRATORS = (Role.administrator,)
DEPTH = {level: depth for depth, level in enumerate(Level)}


class CodeTaken(Refusal):
    code, status, title = "orgs.code_taken", 409, "Code taken"
    zh, en = "该代码已被使用", "Another organisation has this code."
    fact_names = ("org_name",)


class BelowItself(Refusal):
    code, status, title = "orgs.below_itself", 409, "Below itself"
    zh, en = "不能移到自己或下级组织之下", "An organisation cannot be moved below itself."
    fact_names = ("org_name", "parent_name")


class OrgInUse(Refusal):
    """Open ones below it; its published activities that are not over; its active merchants."""

    code, status, title = "orgs.in_use", 409, "Organisation in use"
    zh = "该组织还有下级组织、未结束的活动或营业中的商户，不能撤销"
    en = "There are organisations below it, activities that are not over, or active merchants."
    fact_names = ("orgs", "activities", "merchants")


class OrgOpen(Refusal):
    code, status, title = "orgs.open", 409, "Organisation open"
    zh, en = "该组织未被撤销", "The organisation is not closed."


async def create(tx: Session, caller: UUID, body: OrgIn) -> OrgOut:
    """Create an organisation. Raises OrgNotFound, Forbidden, OrgClosed, Invalid, CodeTaken."""
    await records.authorized(tx, caller, ADMINISTRATORS, body.parent_id)
    parent = await _open_locked(tx, body.parent_id)
    _require_lower(body.level, parent, "body.level")
    made = await queries.insert_org(tx, parent, body.code, body.name, body.level)
    if made is None:
        raise CodeTaken(org_name=(await orgs.get_by_code(tx, body.code)).name)
    await _write(tx, caller, "created", made, above=parent)
    return OrgOut.model_validate(made)


async def rename(tx: Session, caller: UUID, org_id: UUID, name: str) -> OrgOut:
    """Rename an organisation. Idempotent. Raises OrgNotFound, Forbidden, OrgClosed."""
    org = await records.authorized_open(tx, caller, ADMINISTRATORS, org_id)
    if org.name != name:
        facts = {"before": org.name, "after": name}
        org.name = name
        await queries.save(tx, org)
        await audit.write_about(tx, caller, "renamed", ("org", org.id), org.id, facts=facts)
    return OrgOut.model_validate(org)


async def set_contact(tx: Session, caller: UUID, org_id: UUID, body: OrgContactIn) -> OrgOut:
    """Set how residents reach an organisation. Idempotent.

    Raises OrgNotFound, Forbidden, OrgClosed.
    """
    org = await records.authorized_open(tx, caller, ADMINISTRATORS, org_id)
    new = {"contact_phone": body.phone, "contact_note": body.note}
    changed = sorted(name for name, value in new.items() if getattr(org, name) != value)
    if changed:
        for name, value in new.items():
            setattr(org, name, value)
        await queries.save(tx, org)
        await audit.write_about(tx, caller, "changed", ("org", org.id), org.id, fields=changed)
    return OrgOut.model_validate(org)


async def move(tx: Session, caller: UUID, org_id: UUID, parent_id: UUID, reason: str) -> OrgOut:
    """Move an organisation with everything below it; its administrators are not enough.

    Raises OrgNotFound, Forbidden, OrgClosed, BelowItself, Invalid.
    """
    await _require_above(tx, caller, await orgs.get(tx, org_id))
    await records.authorized(tx, caller, ADMINISTRATORS, parent_id)
    paths = await org_queries.paths_of(tx, [org_id, parent_id])
    await queries.lock_roots(tx, list(paths.values()))
    [org] = await org_queries.lock(tx, [org_id])
    parent = await orgs.get_open(tx, parent_id)
    await _require_above(tx, caller, org)  # it may have been moved meanwhile
    await people.require_role(tx, caller, ADMINISTRATORS, parent.path)
    if parent.path.startswith(org.path):
        raise BelowItself(org_name=org.name, parent_name=parent.name)
    _require_lower(Level(org.level), parent, "body.parent_id")
    if org.parent_id != parent.id:
        await _write(tx, caller, "relocated", org, above=parent, reason=reason)
        await queries.move(tx, org, parent)
        # Leaderboards count points at the present place of an organisation.
        await outbox.put(tx, "leaderboards.rebuild", {"org_id": str(org.id)})
    return OrgOut.model_validate(org)


async def close(tx: Session, caller: UUID, org_id: UUID, reason: str) -> OrgOut:
    """Close an organisation without open ones below it, running activities and active merchants.

    It takes and gives nothing new: no activities, roles, organisations, proposals of awards,
    deductions, receipts, merchants, rewards and suspensions. What it has stays and can be ended:
    awards are approved or rejected, appeals and objections decided, spent points refunded,
    reservations collected, people restored. Raises OrgNotFound, Forbidden, OrgClosed, OrgInUse.
    """
    org = await _decided(tx, caller, org_id)
    if org.closed_at is not None:
        raise orgs.OrgClosed(closed_at=org.closed_at)
    at = now()
    below = await queries.open_children(tx, org.id)
    running = await queries.running_activities(tx, org.id, at)
    merchants = await merchant_queries.count_active(tx, org.id)
    if below or running or merchants:
        raise OrgInUse(orgs=below, activities=running, merchants=merchants)
    org.closed_at = at
    await queries.save(tx, org)
    await _write(tx, caller, "closed", org, reason=reason)
    return OrgOut.model_validate(org)


async def reopen(tx: Session, caller: UUID, org_id: UUID, reason: str) -> OrgOut:
    """Open a closed organisation again.

    Raises OrgNotFound, Forbidden, OrgOpen; OrgClosed if the one above it is closed.
    """
    org = await _decided(tx, caller, org_id)
    if org.closed_at is None:
        raise OrgOpen
    if org.parent_id is not None:
        await orgs.get_open(tx, org.parent_id)
    org.closed_at = None
    await queries.save(tx, org)
    await _write(tx, caller, "reopened", org, reason=reason)
    return OrgOut.model_validate(org)


async def _decided(tx: Session, caller: UUID, org_id: UUID) -> Org:
    """Lock an organisation that the caller may close: nobody who creates in it goes on before."""
    found = await orgs.get(tx, org_id)
    await _require_above(tx, caller, found)
    await queries.lock_roots(tx, [found.path])
    [org] = await org_queries.lock(tx, [org_id], alone=True)
    await _require_above(tx, caller, org)
    return org


async def _open_locked(tx: Session, org_id: UUID) -> Org:
    await queries.lock_roots(tx, [(await orgs.get(tx, org_id)).path])
    return await orgs.get_open(tx, org_id)


async def _require_above(tx: Session, caller: UUID, org: Org) -> None:
    """Raise Forbidden unless the caller is an administrator above, or of the root itself."""
    above = org.path.removesuffix(f"{org.code}/") if org.parent_id is not None else org.path
    await people.require_role(tx, caller, ADMINISTRATORS, above)


def _require_lower(level: Level, parent: Org, field: str) -> None:
    if DEPTH[level] <= DEPTH[Level(parent.level)]:
        raise invalid(field, "级别应低于上级组织", "the level must be below that of the parent")


async def _write(
    tx: Session,
    caller: UUID,
    verb: str,
    org: Org,
    *,
    above: Org | None = None,
    reason: str | None = None,
) -> None:
    """Write an entry; ``above``: the organisation below which it is put."""
    facts: dict[str, Any] = audit.about("org", above.id) if above is not None else {}
    subject = ("org", org.id)
    await audit.write_about(tx, caller, verb, subject, org.id, reason=reason, facts=facts)
