"""Cases: one workflow for requests that an organisation must decide.

These functions lock nothing and check no role: the service of the case's subject has locked the
case and checked the role of the caller. They check that the handler is not a party, the order of
the steps, and the deadlines of the opener. Each writes an entry of the case and one of the audit
trail; texts are stored in the entries only.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.core.errors import Refusal
from app.models.cases import (
    DAYS,
    FINAL,
    MOVES,
    Case,
    CaseEntry,
    CaseKind,
    CaseOutcome,
    CaseState,
    CaseStep,
    Satisfaction,
)
from app.queries import cases as queries
from app.services import audit, people, records
from app.services.ledger import moments

Parties = Mapping[UUID, type[Refusal]]  # people who may not handle the case, with their refusals


class CaseNotFound(Refusal):
    code, status, title = "cases.not_found", 404, "No such case"
    zh, en = "事项不存在", "There is no such case."


class WrongState(records.WrongState):
    code = "cases.wrong_state"


class OwnCase(Refusal):
    code, status, title = "cases.own", 403, "Own case"
    zh, en = "不能处理本人提出的事项", "Somebody else must handle your case."


class NotHandler(Refusal):
    code, status, title = "cases.not_handler", 403, "Not the handler"
    zh, en = "该事项由他人办理", "Somebody else handles this case."


class TooLate(Refusal):
    code, status, title = "cases.too_late", 409, "Too late"
    zh, en = "已超过办理期限", "The time for this is over."
    fact_names = ("closes_at",)


async def open(  # noqa: A001 - the workflow's word
    tx: Session, caller: UUID, kind: CaseKind, subject: tuple[str, UUID], org_id: UUID, reason: str
) -> Case:
    """Open a case about a subject, given by noun and id, at an organisation."""
    case = Case(
        kind=kind,
        subject_type=subject[0],
        subject_id=subject[1],
        org_id=org_id,
        reason=reason,
        state=CaseState.received,
        due_at=_due(CaseState.received),
        created_by=caller,
    )
    await records.create(tx, caller, case, kind=kind, **audit.about(*subject))
    await queries.enter(tx, CaseEntry.of(case, CaseStep.opened, caller, None, None))
    return case


async def accept(tx: Session, caller: UUID, case: Case, parties: Parties) -> None:
    """Accept a received case. Raises WrongState, OwnCase or a party's refusal."""
    await _require_no_part(tx, caller, case, parties)
    case.handler_id = caller
    await _move(tx, caller, case, CaseStep.accepted, CaseState.accepted)


async def send_back(tx: Session, caller: UUID, case: Case, reason: str, parties: Parties) -> None:
    """Return a case to the opener, who must add something. Raises as ``accept``."""
    await _require_no_part(tx, caller, case, parties)
    await _move(tx, caller, case, CaseStep.returned, CaseState.returned, reason)


async def refuse(tx: Session, caller: UUID, case: Case, reason: str, parties: Parties) -> None:
    """Refuse to handle a case. Raises as ``accept``."""
    await _require_no_part(tx, caller, case, parties)
    await _move(tx, caller, case, CaseStep.refused, CaseState.refused, reason)


async def complete(tx: Session, caller: UUID, case: Case, text: str) -> None:
    """Add what was missing. Raises CaseNotFound, WrongState, TooLate."""
    _require_opener(caller, case)
    await _move(tx, caller, case, CaseStep.completed, CaseState.received, text)


async def assign(
    tx: Session, caller: UUID, case: Case, org_id: UUID, person: UUID, parties: Parties
) -> None:
    """Assign an accepted case to another organizer, of any organisation.

    Raises NotHandler, OwnCase or a party's refusal, OrgNotFound, Forbidden, WrongState.
    """
    await _require_handler(tx, caller, case)
    await _require_no_part(tx, person, case, parties)
    org = await records.authorized(tx, person, people.ORGANIZERS, org_id)
    case.org_id, case.handler_id = org.id, person
    await _move(tx, caller, case, CaseStep.assigned, CaseState.accepted)


async def answer(
    tx: Session, caller: UUID, case: Case, outcome: CaseOutcome, text: str, parties: Parties
) -> None:
    """Answer an accepted case. Raises OwnCase or a party's refusal, NotHandler, WrongState."""
    await _require_no_part(tx, caller, case, parties)
    await _require_handler(tx, caller, case)
    at = await moments.moment(tx)
    case.outcome, case.answer, case.answered_at = outcome, text, at
    state = CaseState.closed if case.kind in FINAL else CaseState.answered
    await _move(tx, caller, case, CaseStep.answered, state, text)


async def decide(
    tx: Session, caller: UUID, case: Case, outcome: CaseOutcome, text: str, parties: Parties
) -> None:
    """Accept a case unless it is accepted, and answer it. Raises as ``answer``."""
    if case.state == CaseState.received:
        await accept(tx, caller, case, parties)
    await answer(tx, caller, case, outcome, text, parties)


async def rate(tx: Session, caller: UUID, case: Case, satisfaction: Satisfaction) -> None:
    """Rate an answer and close the case; the first unsatisfactory answer reopens it.

    Raises CaseNotFound, WrongState, TooLate.
    """
    _require_opener(caller, case)
    reopens = satisfaction == Satisfaction.unsatisfied and case.round == 0
    case.satisfaction, case.round = satisfaction, case.round + reopens
    state = CaseState.accepted if reopens else CaseState.closed
    await _move(tx, caller, case, CaseStep.rated, state, satisfaction)


async def withdraw(tx: Session, caller: UUID, case: Case) -> None:
    """Withdraw an open case. Raises CaseNotFound, WrongState."""
    _require_opener(caller, case)
    await _move(tx, caller, case, CaseStep.withdrawn, CaseState.withdrawn)


async def lapse(
    tx: Session, actor: UUID | None, kind: CaseKind, subject_id: UUID
) -> Sequence[Case]:
    """End the open cases about a locked subject that has ended; return them."""
    lapsed = await queries.lock_open(tx, kind, subject_id)
    for case in lapsed:
        await end(tx, actor, case)
    return lapsed


async def end(tx: Session, actor: UUID | None, case: Case) -> None:
    """End a locked open case without a decision: its subject has ended, or its opener has gone."""
    await _move(tx, actor, case, CaseStep.lapsed, CaseState.withdrawn)


async def _require_no_part(tx: Session, person: UUID, case: Case, parties: Parties) -> None:
    await people.require_no_part(tx, person, {**parties, case.created_by: OwnCase})


async def _require_handler(tx: Session, person: UUID, case: Case) -> None:
    if case.handler_id is not None and not await people.is_any_of(tx, person, case.handler_id):
        raise NotHandler


def _require_opener(person: UUID, case: Case) -> None:
    if person != case.created_by:
        raise CaseNotFound


def _due(state: CaseState) -> datetime | None:
    """Return the deadline of the next step: the end of a Shanghai day."""
    if state not in DAYS:
        return None
    return midnight(local_date(now()) + timedelta(days=DAYS[state] + 1))


async def _move(
    tx: Session,
    author: UUID | None,
    case: Case,
    step: CaseStep,
    to: CaseState,
    text: str | None = None,
) -> None:
    before, due_at = case.state, case.due_at
    is_late = due_at is not None and now() >= due_at
    if step in (CaseStep.completed, CaseStep.rated) and before in MOVES[step] and is_late:
        raise TooLate(closes_at=due_at)
    case.last_number += 1
    if step != CaseStep.assigned:
        case.due_at = _due(to)
    await records.move(tx, author, case, to, MOVES[step], WrongState)
    await queries.enter(tx, CaseEntry.of(case, step, author, before, text))
