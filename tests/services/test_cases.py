"""The workflow of cases: the order of the steps, who takes them, in what time, on record."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.core.db_errors import sqlstate
from app.core.errors import Refusal
from app.models.cases import Case, CaseKind, CaseOutcome, CaseState, CaseStep, Satisfaction
from app.models.orgs import Org
from app.queries import records as record_queries
from app.runtime import Runtime
from app.services import cases, people
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person

ADOPTED = CaseOutcome.adopted
CHECK_VIOLATION = "23514"
_ENTRIES = text("""
SELECT number, step, from_state, to_state, author_id, handler_id, text FROM case_entries
WHERE case_id = :case ORDER BY number
""")
_TRAIL = text("SELECT actor_id, to_state FROM audit_entries WHERE subject_id = :case ORDER BY id")


class HasPart(Refusal):
    code, status, title = "test.has_part", 403, "Has a part in it"
    zh, en = "当事人", "You have a part in it."


@dataclass(frozen=True)
class Stage:
    """A case's people: who opened it, two organizers, and a third who has a part in it."""

    runtime: Runtime
    org: Org
    opener: TestPerson
    handler: TestPerson
    other: TestPerson
    party: TestPerson

    @property
    def parties(self) -> cases.Parties:
        return {self.party.id: HasPart}


Act = Callable[[Session, Stage, Case], Awaitable[None]]
ACTS: dict[CaseStep, Act] = {
    CaseStep.accepted: lambda tx, s, case: cases.accept(tx, s.handler.id, case, s.parties),
    CaseStep.returned: lambda tx, s, case: cases.send_back(
        tx, s.handler.id, case, "请补充时间", s.parties
    ),
    CaseStep.refused: lambda tx, s, case: cases.refuse(
        tx, s.handler.id, case, "不属本单位", s.parties
    ),
    CaseStep.completed: lambda tx, s, case: cases.complete(tx, s.opener.id, case, "上周三"),
    CaseStep.assigned: lambda tx, s, case: cases.assign(
        tx, s.handler.id, case, s.org.id, s.other.id, s.parties
    ),
    CaseStep.answered: lambda tx, s, case: cases.answer(
        tx, s.handler.id, case, ADOPTED, "已改", s.parties
    ),
    CaseStep.rated: lambda tx, s, case: cases.rate(tx, s.opener.id, case, Satisfaction.satisfied),
    CaseStep.withdrawn: lambda tx, s, case: cases.withdraw(tx, s.opener.id, case),
}
# From which states each step may be taken.
FROM = {
    CaseStep.accepted: {"received"},
    CaseStep.returned: {"received"},
    CaseStep.refused: {"received"},
    CaseStep.completed: {"returned"},
    CaseStep.assigned: {"accepted"},
    CaseStep.answered: {"accepted"},
    CaseStep.rated: {"answered"},
    CaseStep.withdrawn: {"received", "returned", "accepted", "answered"},
}
# Which steps lead from the opening to a state.
WAYS: dict[CaseState, tuple[CaseStep, ...]] = {
    CaseState.received: (),
    CaseState.returned: (CaseStep.returned,),
    CaseState.accepted: (CaseStep.accepted,),
    CaseState.answered: (CaseStep.accepted, CaseStep.answered),
    CaseState.refused: (CaseStep.refused,),
    CaseState.closed: (CaseStep.accepted, CaseStep.answered, CaseStep.rated),
    CaseState.withdrawn: (CaseStep.withdrawn,),
}


@pytest.fixture
async def stage(runtime: Runtime) -> Stage:
    org = await make_org(runtime)
    organizers = [await make_organizer(runtime, org.id) for _ in range(3)]
    handler, other, party = organizers
    return Stage(runtime, org, await make_person(runtime), handler, other, party)


@pytest.fixture(autouse=True)
def _rated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an answer wait for a rating: it closes each kind that there is yet."""
    monkeypatch.setattr(cases, "FINAL", ())


async def open_case(tx: Session, stage: Stage) -> Case:
    subject = ("deduction", uuid4())
    return await cases.open(
        tx, stage.opener.id, CaseKind.appeal, subject, stage.org.id, "当天请过假"
    )


async def case_in(tx: Session, stage: Stage, state: CaseState) -> Case:
    case = await open_case(tx, stage)
    for step in WAYS[state]:
        await ACTS[step](tx, stage, case)
    assert case.state == state
    return case


async def rows(runtime: Runtime, query: Any, case: Case) -> list[tuple[Any, ...]]:
    async with runtime.database.read() as tx:
        return [tuple(row) for row in await tx.execute(query, {"case": case.id})]


async def test_each_step_of_a_case_is_on_record(stage: Stage) -> None:
    opener, handler, other = stage.opener.id, stage.handler.id, stage.other.id
    async with stage.runtime.database.transaction() as tx:
        case = await open_case(tx, stage)
        for step in ("returned", "completed", "accepted", "assigned"):
            await ACTS[CaseStep(step)](tx, stage, case)
        for outcome, satisfaction in (("dismissed", "unsatisfied"), ("adopted", "unsatisfied")):
            await cases.answer(tx, other, case, CaseOutcome(outcome), outcome, stage.parties)
            await cases.rate(tx, opener, case, Satisfaction(satisfaction))

    assert await rows(stage.runtime, _ENTRIES, case) == [
        (1, "opened", None, "received", opener, None, None),
        (2, "returned", "received", "returned", handler, None, "请补充时间"),
        (3, "completed", "returned", "received", opener, None, "上周三"),
        (4, "accepted", "received", "accepted", handler, handler, None),
        (5, "assigned", "accepted", "accepted", handler, other, None),
        (6, "answered", "accepted", "answered", other, other, "dismissed"),
        (7, "rated", "answered", "accepted", opener, other, "unsatisfied"),
        (8, "answered", "accepted", "answered", other, other, "adopted"),
        (9, "rated", "answered", "closed", opener, other, "unsatisfied"),
    ]
    found = (case.state, case.outcome, case.answer, case.satisfaction, case.round, case.due_at)
    assert found == ("closed", "adopted", "adopted", "unsatisfied", 1, None)
    trail = await rows(stage.runtime, _TRAIL, case)
    assert [actor for actor, _ in trail] == [
        *(opener, handler, opener, handler, handler, other, opener, other, opener)
    ]
    assert trail[-1] == (opener, "closed")


@pytest.mark.parametrize("step", ACTS)
@pytest.mark.parametrize("state", WAYS)
async def test_a_step_follows_the_states_that_it_may(
    stage: Stage, state: CaseState, step: CaseStep
) -> None:
    async with stage.runtime.database.transaction() as tx:
        case = await case_in(tx, stage, state)
        number = case.last_number

    async def take() -> None:
        async with stage.runtime.database.transaction() as tx:
            locked = await record_queries.lock(tx, Case, case.id)
            assert locked is not None
            await ACTS[step](tx, stage, locked)

    if state in FROM[step]:
        await take()
    else:
        with pytest.raises(cases.WrongState) as refused:
            await take()
        assert refused.value.facts == {"status": state}
    entries = await rows(stage.runtime, _ENTRIES, case)
    assert len(entries) == number + (state in FROM[step])


HANDLING: dict[str, Callable[[Session, Stage, Case, TestPerson], Awaitable[None]]] = {
    "accept": lambda tx, s, case, who: cases.accept(tx, who.id, case, s.parties),
    "send_back": lambda tx, s, case, who: cases.send_back(tx, who.id, case, "x", s.parties),
    "refuse": lambda tx, s, case, who: cases.refuse(tx, who.id, case, "x", s.parties),
    "assign": lambda tx, s, case, who: cases.assign(
        tx, s.handler.id, case, s.org.id, who.id, s.parties
    ),
    "answer": lambda tx, s, case, who: cases.answer(tx, who.id, case, ADOPTED, "x", s.parties),
    "decide": lambda tx, s, case, who: cases.decide(tx, who.id, case, ADOPTED, "x", s.parties),
}


@pytest.mark.parametrize("verb", HANDLING)
async def test_who_has_a_part_in_it_does_not_handle_it(stage: Stage, verb: str) -> None:
    state = CaseState.accepted if verb in ("assign", "answer") else CaseState.received
    for who, refusal in ((stage.opener, cases.OwnCase), (stage.party, HasPart)):
        with pytest.raises(refusal):
            async with stage.runtime.database.transaction() as tx:
                await HANDLING[verb](tx, stage, await case_in(tx, stage, state), who)


async def test_a_case_has_one_handler_and_one_opener(stage: Stage) -> None:
    nobody = await make_person(stage.runtime)
    async with stage.runtime.database.transaction() as tx:
        case = await case_in(tx, stage, CaseState.accepted)
        for verb in ("answer", "decide"):
            with pytest.raises(cases.NotHandler):
                await HANDLING[verb](tx, stage, case, stage.other)
        with pytest.raises(cases.NotHandler):
            await cases.assign(
                tx, stage.other.id, case, stage.org.id, stage.other.id, stage.parties
            )
        with pytest.raises(people.Forbidden):
            await HANDLING["assign"](tx, stage, case, nobody)
        with pytest.raises(cases.CaseNotFound):
            await cases.withdraw(tx, stage.handler.id, case)
        with pytest.raises(cases.CaseNotFound):
            await cases.complete(tx, stage.handler.id, case, "x")
        with pytest.raises(cases.CaseNotFound):
            await cases.rate(tx, stage.handler.id, case, Satisfaction.satisfied)


@pytest.mark.parametrize(
    ("state", "days"), [("received", 3), ("returned", 14), ("accepted", 7), ("answered", 14)]
)
async def test_the_next_step_is_due_at_the_end_of_a_day(
    stage: Stage, state: str, days: int
) -> None:
    async with stage.runtime.database.transaction() as tx:
        today = local_date(now())
        case = await case_in(tx, stage, CaseState(state))
        found = case.due_at
    ends = {midnight(day + timedelta(days=days + 1)) for day in (today, local_date(now()))}
    assert found in ends


@pytest.mark.parametrize("step", [CaseStep.completed, CaseStep.rated])
async def test_the_opener_has_some_time(stage: Stage, step: CaseStep) -> None:
    [state] = FROM[step]
    async with stage.runtime.database.transaction() as tx:
        case = await case_in(tx, stage, CaseState(state))
        case.due_at = now()
        with pytest.raises(cases.TooLate) as refused:
            await ACTS[step](tx, stage, case)
        assert refused.value.facts == {"closes_at": case.due_at}


async def test_a_handler_who_is_late_may_still_answer(stage: Stage) -> None:
    async with stage.runtime.database.transaction() as tx:
        case = await open_case(tx, stage)
        for step in (CaseStep.accepted, CaseStep.answered):
            case.due_at = now()
            await ACTS[step](tx, stage, case)
    assert case.state == CaseState.answered


async def test_an_answer_that_is_carried_out_closes_the_case(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for kind in CaseKind:
        async with stage.runtime.database.transaction() as tx:
            case = await cases.open(tx, stage.opener.id, kind, ("x", uuid4()), stage.org.id, "x")
            await cases.decide(tx, stage.handler.id, case, ADOPTED, "已改", stage.parties)
        assert (case.state, case.due_at) == (CaseState.closed, None)


async def test_cases_end_with_their_subject(stage: Stage) -> None:
    subject = ("award", uuid4())
    openers = [await make_person(stage.runtime) for _ in range(2)]
    async with stage.runtime.database.transaction() as tx:
        first, second = [
            await cases.open(tx, one.id, CaseKind.objection, subject, stage.org.id, "x")
            for one in openers
        ]
        await cases.refuse(tx, stage.handler.id, first, "x", stage.parties)
        lapsed = await cases.lapse(tx, stage.handler.id, CaseKind.objection, subject[1])
    assert (lapsed, first.state, second.state) == ([second], "refused", "withdrawn")
    [*_, last] = await rows(stage.runtime, _ENTRIES, second)
    assert last[1:5] == ("lapsed", "received", "withdrawn", stage.handler.id)


ENTER = """
INSERT INTO case_entries (case_id, number, step, from_state, to_state)
VALUES (:case, {}, 'refused', '{}', '{}')
"""
COPY = """
INSERT INTO cases (kind, subject_type, subject_id, org_id, created_by, reason, state, round,
    last_number)
SELECT kind, subject_type, uuidv7(), org_id, created_by, reason, state, round, last_number
FROM cases WHERE id = :case
"""
REFUSE = "UPDATE cases SET state = 'refused', last_number = {} WHERE id = :case"
UNENTERED = {
    "a state without an entry": (REFUSE.format("last_number + 1"),),
    "a state under the last entry": (REFUSE.format("last_number"),),
    "another handler": ("UPDATE cases SET handler_id = :handler WHERE id = :case",),
    "a number alone": ("UPDATE cases SET last_number = last_number + 1 WHERE id = :case",),
    "a gap": (ENTER.format(3, "received", "refused"), REFUSE.format(3)),
    "an entry from another state": (ENTER.format(2, "returned", "refused"), REFUSE.format(2)),
    "an entry to another state": (ENTER.format(2, "received", "withdrawn"), REFUSE.format(2)),
    "a case without an entry": (COPY,),
}


async def run(stage: Stage, case: Case, *statements: str) -> None:
    """Run statements in a transaction of the service's role."""
    async with stage.runtime.database.transaction() as tx:
        for statement in statements:
            await tx.execute(text(statement), {"case": case.id, "handler": stage.handler.id})


@pytest.mark.parametrize("statements", UNENTERED.values(), ids=UNENTERED.keys())
async def test_a_change_without_its_entry_is_not_committed(
    stage: Stage, statements: tuple[str, ...]
) -> None:
    async with stage.runtime.database.transaction() as tx:
        case = await open_case(tx, stage)

    with pytest.raises(Exception, match="no entry") as refused:
        await run(stage, case, *statements)

    assert sqlstate(refused.value) == CHECK_VIOLATION
    assert len(await rows(stage.runtime, _ENTRIES, case)) == 1


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("handler_id = created_by", "ck_cases_handler_id"),
        ("outcome = 'adopted'", "ck_cases_answer"),
        ("state = 'closed'", "ck_cases_answered_at"),
        ("state = 'answered'", "ck_cases_answered_at"),
        ("state = 'lost'", "ck_cases_state"),
        ("round = 2", "ck_cases_round"),
    ],
)
async def test_what_no_case_can_be(stage: Stage, change: str, constraint: str) -> None:
    async with stage.runtime.database.transaction() as tx:
        case = await open_case(tx, stage)

    with pytest.raises(Exception, match=constraint) as refused:
        await run(stage, case, f"UPDATE cases SET {change} WHERE id = :case")  # noqa: S608

    assert sqlstate(refused.value) == CHECK_VIOLATION
