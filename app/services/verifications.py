"""Verifications of the ledger, asked for over the API and run by a worker, one at a time.

They run what `qingxiang ledger verify` runs without options. The worker writes every few seconds
that it still runs. One without such a beat for a minute is ``interrupted``: its worker was killed,
and it is never taken for one that found nothing, as a result is only written while the row says
``running``.
"""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id
from app.models.people import Role
from app.models.verifications import Verification
from app.models.verifications import VerificationState as State
from app.queries import verifications as queries
from app.schemas.verifications import VerificationFindingOut, VerificationOut
from app.services import audit
from app.services.ledger.verification import Report
from app.services.people import Forbidden

READERS = (Role.auditor, Role.administrator)
SILENT = timedelta(seconds=60)
KEPT = timedelta(days=731)


class VerificationNotFound(Refusal):
    code, status, title = "verifications.not_found", 404, "No such verification"
    zh, en = "核对记录不存在", "There is no such verification."


class VerificationActive(Refusal):
    """``verification_id``: the one that waits or runs."""

    code, status, title = "verifications.active", 409, "Verification active"
    zh, en = "已有一次核对在等待或进行中", "Another verification waits or runs."
    fact_names = ("verification_id", "status")


async def start(tx: Session, caller: UUID) -> VerificationOut:
    """Ask for a verification. Raises Forbidden, VerificationActive."""
    await _require_root(tx, caller)
    made = await queries.add(tx, caller)
    if made is None:
        other = await queries.active(tx)
        known = (other.id, other.state) if other else (None, None)
        raise VerificationActive(verification_id=known[0], status=known[1])
    await audit.write_about(tx, caller, "created", ("verification", made.id), None)
    return _to_out(made)


async def browse(tx: Session, caller: UUID, asked: PageParams) -> Page[VerificationOut]:
    """Return verifications, newest first. Raises Forbidden."""
    await _require_root(tx, caller)
    return await by_id(asked, lambda before, limit: queries.page(tx, before, limit), _to_out)


async def read(tx: Session, caller: UUID, verification_id: UUID) -> VerificationOut:
    """Return a verification. Raises Forbidden, VerificationNotFound."""
    await _require_root(tx, caller)
    found = await queries.find(tx, verification_id)
    if found is None:
        raise VerificationNotFound
    return _to_out(found)


async def claim(tx: Session) -> UUID | None:
    """Begin the verification that waits; None without one."""
    return await queries.claim(tx)


async def beat(tx: Session, verification_id: UUID, step: str, done: int, total: int) -> bool:
    """Write how far a verification is; False if it was declared interrupted."""
    return await queries.beat(tx, verification_id, step, done, total)


async def finish(tx: Session, verification_id: UUID, report: Report | None) -> bool:
    """Write the result; None: it failed. False if it was declared interrupted before."""
    if report is None:
        state, result = State.failed, {}
    else:
        state = State.ok if report.holds else State.findings
        result = {
            "checks": report.checks,
            "rows_read": report.rows,
            "findings": dict(Counter(one.check for one in report.differences)),
            "sealed_to": report.sealed_to,
            "head": report.head,
        }
    written = await queries.end(tx, verification_id, state, **result)
    if written:
        await _note(tx, verification_id, state)
    return written


async def interrupt(tx: Session, silent: timedelta = SILENT) -> int:
    """End verifications whose worker is silent; return how many."""
    ended = await queries.interrupt(tx, silent)
    for one in ended:
        await _note(tx, one, State.interrupted)
    return len(ended)


async def forget(tx: Session, at: datetime) -> None:
    """Delete verifications that ended two years ago."""
    await queries.forget(tx, at - KEPT)


async def _note(tx: Session, verification_id: UUID, state: State) -> None:
    subject = ("verification", verification_id)
    await audit.write_about(tx, None, "moved", subject, None, before=State.running, after=state)


async def _require_root(tx: Session, caller: UUID) -> None:
    """A verification reads the whole installation, so a role at a root is needed."""
    if not await queries.holds_at_root(tx, caller, READERS):
        raise Forbidden


def _to_out(one: Verification) -> VerificationOut:
    ended, started = one.ended_at, one.started_at
    return VerificationOut(
        **one.model_dump(exclude={"findings", "head", "beat_at"}),
        duration_s=(ended - started).total_seconds() if ended and started else None,
        findings=[
            VerificationFindingOut(check=name, count=n) for name, n in sorted(one.findings.items())
        ],
        head=one.head.hex() if one.head else None,
    )
