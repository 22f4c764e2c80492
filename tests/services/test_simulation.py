"""Simulation: the past under the rules of its day is the past; under a draft it is told why not."""

import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from app.core.clock import BEGINNING, local_date, midnight, now
from app.embedded.databases import create_database, drop_database
from app.embedded.layout import Engines
from app.models.awards import Award, AwardReason, AwardState
from app.models.orgs import Level, Org
from app.queries.awards import attendance as attendance_queries
from app.queries.awards import granting as granting_queries
from app.queries.awards.attendance import Act, Window
from app.runtime import Runtime, open_runtime
from app.schemas.awards.review import DecisionIn, ObjectionIn
from app.services.awards import public_notice, reversal, review, simulation
from app.services.awards.replay import Ineligibility, Outcome, Replay, Replayed
from app.services.awards.simulation import Earner, Simulation
from app.services.ledger import verification
from app.services.policies import publishing
from app.services.policies.reading import PolicyInvalid
from tests.engines import settings_for
from tests.factories.attendance import (
    PRAISE,
    attend,
    award_of,
    give_by_hand,
    in_force_since,
    live_through_a_year,
    shanghai,
)
from tests.factories.clock import travel
from tests.factories.orgs import make_org
from tests.factories.people import (
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.policies import share_units
from tests.services.test_policies import SOURCE

FIRST, LAST = date(2025, 1, 1), date(2025, 12, 31)
CASE_CAP = 'cap = { year = 3 }\nevidence = ["case_no"]'


@pytest_asyncio.fixture(scope="module")
async def runtime(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Runtime]:
    """A database of its own: what happens years ago would disturb others."""
    found, template = engines_and_template
    name = f"scratch_{os.getpid()}_simulation"
    await create_database(found.admin_database_url, name, template=template)
    async with open_runtime(settings_for(found, name, redis_db=8 + worker_number)) as opened:
        yield opened
    await drop_database(found.admin_database_url, name)


@pytest.fixture(autouse=True)
def programmes_in_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an organisation of the tests have a programme in the points of the one above.

    So that each need not open a unit: what is replayed is the same in any.
    """
    share_units(monkeypatch)


async def simulated(
    runtime: Runtime,
    source: str,
    org: Org | None,
    first: date = FIRST,
    last: date = LAST,
) -> tuple[Simulation, dict[str, Earner]]:
    """Simulate; return what was found, and everybody by their id."""
    everybody: dict[str, Earner] = {}

    async def note(one: Earner | None) -> None:
        if one is not None:
            everybody[str(one.id)] = one

    async with runtime.database.snapshot() as tx:
        draft = await publishing.draft(tx, source, org)
        found = await simulation.simulate(tx, draft, first, last, note)
    return found, everybody


async def replayed(
    runtime: Runtime, source: str, org: Org, first: date = FIRST, last: date = LAST
) -> list[tuple[Act, Outcome]]:
    """Replay award by award."""
    async with runtime.database.snapshot() as tx:
        draft = await publishing.draft(tx, source, org)
        until = midnight(last + timedelta(days=1))
        window = Window(midnight(first), until, org.path, draft.policy.unit_id)
        replay = Replay(draft)
        async for act in attendance_queries.acts_by_hand(tx, window, replay.rules_with_numbers):
            replay.note_numbers(act)
        outcomes: list[tuple[Act, Outcome]] = []
        async for acts in attendance_queries.acts_of_people(
            tx, window, replay.rules_once_in_a_life
        ):
            outcomes += replay.take(acts)
    return outcomes


@pytest.mark.parametrize("seed", [1, 2, 4])
async def test_the_rules_of_its_day_give_exactly_what_was_awarded(
    runtime: Runtime, seed: int
) -> None:
    org = await make_org(runtime)
    below = await make_org(runtime, parent=org, level=Level.community)
    await in_force_since(runtime, org, SOURCE, BEGINNING)
    await live_through_a_year(runtime, [org, below], seed)

    outcomes = await replayed(runtime, SOURCE, org)

    met = {
        AwardReason.full,
        AwardReason.once,
        AwardReason.cap_day,
        AwardReason.cap_month,
        AwardReason.overall_day,
    }
    assert len(outcomes) >= 90
    assert {act.reason for act, _ in outcomes} >= met
    days = Counter[tuple[UUID, date]]()
    for act, _ in outcomes:
        if act.counted_at is not None and act.ended_at is None:
            days[act.person_id, local_date(act.awarded_at)] += act.points
    assert 24 < max(days.values()) <= 48, "a day of emergency has a cap of its own"
    for act, outcome in outcomes:
        assert isinstance(outcome, Replayed), act
        then = (act.points_before_caps, act.points, act.minutes, act.reason)
        assert then == (
            outcome.points_before_caps,
            outcome.points,
            outcome.minutes,
            outcome.reason,
        ), act
    found, everybody = await simulated(runtime, SOURCE, org)
    assert found.total.now == found.total.draft
    assert found.reasons[0] == found.reasons[1]
    assert (found.more, found.less, found.same) == (0, 0, len(everybody))
    standing = [act.points for act, _ in outcomes if act.ended_at is None]
    assert found.total.now.points == sum(standing) > 0
    assert found.taken_back == len(outcomes) - len(standing) > 0


async def approved(runtime: Runtime, org: Org, award: Award) -> Award:
    reviewer = await make_organizer(runtime, org.id)
    async with runtime.database.transaction() as tx:
        await review.approve(tx, reviewer.id, award.id)
    return await award_of(runtime, award.id)


async def objected_to(runtime: Runtime, org: Org, award: Award) -> None:
    judge = await make_organizer(runtime, org.id)
    neighbour = await make_person(runtime)
    async with runtime.database.transaction() as tx:
        objection = await public_notice.object_to(
            tx, neighbour.id, award.id, ObjectionIn(reason="当天并未到场")
        )
        upheld = DecisionIn(upheld=True, reason="已核实")
        await public_notice.decide(tx, judge.id, objection.id, upheld)


async def corrected(runtime: Runtime, org: Org, award: Award) -> None:
    administrator = await make_administrator(runtime, org.id)
    async with runtime.database.transaction() as tx:
        await reversal.reverse(tx, administrator.id, award.id, "重复发放")


@pytest.mark.parametrize("taken_back", [objected_to, corrected])
async def test_what_was_taken_back_filled_caps_until_then(
    runtime: Runtime, taken_back: Callable[[Runtime, Org, Award], Awaitable[None]]
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    source = SOURCE.replace('cap = { day = 3, month = 6 }\nevidence = ["case_no"]', CASE_CAP)
    await in_force_since(runtime, org, source, BEGINNING)
    given = []
    for step in range(3):
        evidence = {"case_no": uuid4().hex}
        [award] = await give_by_hand(
            runtime, [person], org, now(), "council_submit", evidence=evidence
        )
        given.append(await approved(runtime, org, award))
        if step == 1:
            await taken_back(runtime, org, given[0])

    today = local_date(now())
    yesterday = today - timedelta(days=1)
    found, _ = await simulated(runtime, source, org, yesterday, today)
    outcomes = await replayed(runtime, source, org, yesterday, today)

    assert [one.points for one in given] == [3, 0, 3]
    assert [then.points for _, then in outcomes if isinstance(then, Replayed)] == [3, 0, 3]
    assert (found.taken_back, found.total.now.awards) == (1, 2)
    assert found.total.now == found.total.draft


async def test_what_was_reversed_took_its_hours_until_then(runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    administrator = await make_administrator(runtime, org.id)
    start = shanghai(3, 1)
    first = await attend(runtime, person, org, start, hours=3)
    before = await attend(runtime, person, org, start + timedelta(hours=1), hours=3)
    with travel(start + timedelta(hours=1.5)):
        async with runtime.database.transaction() as tx:
            await reversal.reverse(tx, administrator.id, first.id, "重复发放")
    after = await attend(runtime, person, org, start + timedelta(hours=2), hours=2)

    outcomes = await replayed(runtime, SOURCE, org)

    assert [one.minutes for one in (first, before, after)] == [180, 60, 60]
    assert [then.minutes for _, then in outcomes if isinstance(then, Replayed)] == [180, 60, 60]


async def test_what_nobody_has_approved_fills_no_cap(runtime: Runtime) -> None:
    """Of three proposals the second is approved, then the first: the third still waits."""
    org, person = await make_org(runtime), await make_person(runtime)
    source = SOURCE.replace('cap = { day = 3, month = 6 }\nevidence = ["case_no"]', CASE_CAP)
    await in_force_since(runtime, org, source, BEGINNING)
    given = []
    for _ in range(3):
        evidence = {"case_no": uuid4().hex}
        given += await give_by_hand(
            runtime, [person], org, now(), "council_submit", evidence=evidence
        )
    second, first = [await approved(runtime, org, given[one]) for one in (1, 0)]

    today = local_date(now())
    outcomes = await replayed(runtime, source, org, today - timedelta(days=1), today)

    assert (first.points, first.points_cut, second.points) == (0, 3, 3)
    told = {act.id: then.points for act, then in outcomes if isinstance(then, Replayed)}
    assert told == {first.id: 0, second.id: 3, given[2].id: 3}


async def test_a_lower_cap_cuts_and_says_so(runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime, "赵小梅")
    for hour in (8, 12):
        await attend(runtime, person, org, shanghai(3, 1, hour), hours=2)
    await attend(runtime, person, org, shanghai(3, 2), hours=2)
    draft = SOURCE.replace("cap = { day = 8, month = 60 }", "cap = { day = 5, month = 60 }")

    found, everybody = await simulated(runtime, draft, org)

    assert (found.total.now.points, found.total.draft.points) == (12, 9)
    assert (found.total.now.cut, found.total.draft.cut) == (0, 3)
    assert found.total.now.minutes == found.total.draft.minutes == 360
    assert found.reasons == ({AwardReason.full: 3}, {AwardReason.full: 2, AwardReason.cap_day: 1})
    assert (found.more, found.less, found.same) == (0, 1, 0)
    one = everybody[str(person.id)]
    assert (one.name, one.change, one.cap_hits, one.draft.awards) == ("赵*梅", -3, 1, 3)
    assert found.most_changed == [one]
    impact = found.impacts[org.id]
    assert (impact.code, impact.now.points, impact.draft.points) == (org.code, 12, 9)


async def test_an_award_without_a_grade_is_replayed_without_one(runtime: Runtime) -> None:
    """Though ``town`` is worth the same."""
    org, person = await make_org(runtime), await make_person(runtime)
    await give_by_hand(runtime, [person], org, shanghai(3, 2), "commendation", evidence=PRAISE)

    found, _ = await simulated(runtime, "[rules.commendation]\npoints = 10", org)

    told = found.rules["commendation"]
    assert (told.now.points, told.draft.points) == (15, 10)


async def test_more_points_and_hours_of_service(runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await attend(runtime, person, org, shanghai(3, 1), rule_key="theme_study")
    [praise] = await give_by_hand(
        runtime, [person], org, shanghai(3, 2), "commendation", evidence=PRAISE, grade="city"
    )
    draft = SOURCE.replace(
        'category = "study"\nper = "session"\npoints = 1\ncap = { day = 1',
        'category = "study"\nper = "hour"\nhours = true\npoints = 2\ncap = { day = 4',
    ).replace("city = 30", "city = 20")

    found, everybody = await simulated(runtime, draft, org)

    assert praise.points == 24
    assert (found.rules["theme_study"].now.points, found.rules["theme_study"].draft.points) == (
        *(1, 4),
    )
    assert found.rules["theme_study"].draft.minutes == 120
    assert found.rules["commendation"].draft.points == 20
    assert everybody[str(person.id)].change == 3 - 4


async def test_a_rule_that_is_off_gone_or_not_for_attendance_gives_nothing(
    runtime: Runtime,
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    for day, rule_key in enumerate(("theme_study", "duty_shift", "council_attend"), start=1):
        await attend(runtime, person, org, shanghai(3, day), rule_key=rule_key)
    draft = (
        SOURCE.replace("[rules.theme_study]", "[rules.theme_study]\noff = true")
        .replace("[rules.duty_shift]", "[rules.duty_watch]")
        .replace('per = "session"\npoints = 2', 'per = "item"\npoints = 2')
    )

    found, _ = await simulated(runtime, draft, org)

    assert (found.total.now.points, found.total.draft.awards) == (5, 0)
    assert list(found.ineligible) == [Ineligibility.no_rule]
    assert (
        found.ineligible[Ineligibility.no_rule].awards,
        found.ineligible[Ineligibility.no_rule].points,
    ) == (3, 5)


async def test_more_evidence_and_numbers_that_count_once(runtime: Runtime) -> None:
    org, (first, second) = await make_org(runtime), await make_people(runtime, 2)
    number = uuid4().hex
    reply = {"adoption_reply": f"No. {number}"}
    await give_by_hand(runtime, [second], org, shanghai(3, 1), "council_adopted", evidence=reply)
    await give_by_hand(runtime, [first], org, shanghai(3, 2), "council_adopted", evidence=reply)
    await give_by_hand(runtime, [first], org, shanghai(3, 3), "commendation", evidence=PRAISE)
    draft = SOURCE.replace(
        'evidence = ["adoption_reply"]',
        'evidence = ["adoption_reply"]\nunique = { adoption_reply = "batch" }',
    ).replace('evidence = ["document", ', 'evidence = ["photo", "document", ')

    found, everybody = await simulated(runtime, draft, org)

    assert {why: sums.points for why, sums in found.ineligible.items()} == {
        Ineligibility.number: 10,
        Ineligibility.evidence: 15,
    }
    assert everybody[str(second.id)].change == 0, "who named the number first has it"
    assert everybody[str(first.id)].change == -25


async def test_what_was_earned_before_counts_and_is_not_told(runtime: Runtime) -> None:
    """Points of January fill the year's cap of the draft; only February is reported."""
    org, person = await make_org(runtime), await make_person(runtime)
    for month in (1, 2):
        await attend(runtime, person, org, shanghai(month, 3), hours=3)
    before = await make_person(runtime)
    await attend(runtime, before, org, shanghai(1, 3))
    draft = SOURCE.replace(
        "cap = { day = 8, month = 60 }", "cap = { day = 8, month = 8, year = 8 }"
    )

    found, everybody = await simulated(
        runtime, draft, org, first=date(2025, 2, 1), last=date(2025, 2, 3)
    )

    assert (found.total.now.points, found.total.draft.points) == (6, 2)
    assert found.reasons[1] == {AwardReason.cap_year: 1}
    assert set(everybody) == {str(person.id)}


async def test_caps_begin_anew_with_the_year(runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    for at in (shanghai(12, 31, 23, year=2024), shanghai(1, 1, 0)):
        await attend(runtime, person, org, at)
    draft = SOURCE.replace("cap = { day = 8, month = 60 }", "cap = { year = 4 }")
    found, _ = await simulated(runtime, draft, org, first=date(2024, 12, 1))
    assert found.reasons[1] == {AwardReason.full: 2}


@pytest.mark.parametrize(("last", "awards_found"), [(date(2025, 3, 2), 1), (date(2025, 3, 3), 2)])
async def test_the_last_day_is_included(runtime: Runtime, last: date, awards_found: int) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    for at in (shanghai(3, 2, 0), shanghai(3, 3, 23)):
        await attend(runtime, person, org, at)
    found, _ = await simulated(runtime, SOURCE, org, first=date(2025, 3, 2), last=last)
    assert found.total.now.awards == awards_found


async def test_once_in_a_life_looks_at_the_years_before(runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    evidence = {"grid_confirm": "三茅"}
    for year in (2023, 2025):
        at = shanghai(3, 1, year=year)
        [award] = await give_by_hand(
            runtime, [person], org, at, "register_realname", evidence=evidence
        )
        await approved(runtime, org, award)
    found, _ = await simulated(runtime, SOURCE, org)
    assert found.reasons == ({AwardReason.once: 1}, {AwardReason.once: 1})
    yearly = SOURCE.replace('per = "once"', 'per = "community_year"')
    found, _ = await simulated(runtime, yearly, org)
    assert found.total.draft.points == 5


async def test_a_draft_that_tightens_reaches_its_subtree_and_no_programme_below(
    runtime: Runtime,
) -> None:
    """Its own rules hold below too; the cap of the day counts what others gave, as it was."""
    org, (person, other) = await make_org(runtime), await make_people(runtime, 2)
    tighter, apart = [await make_org(runtime, parent=org, level=Level.community) for _ in "ab"]
    await in_force_since(runtime, tighter, "[rules.volunteer_hour]\npoints = 1\n", BEGINNING)
    await in_force_since(runtime, apart, SOURCE, BEGINNING)
    await attend(runtime, person, apart, shanghai(3, 1, 8), hours=3)
    await attend(runtime, person, org, shanghai(3, 1, 12), hours=3)
    await attend(runtime, other, tighter, shanghai(3, 2), hours=3)
    await attend(runtime, other, apart, shanghai(3, 3), hours=3)

    found, everybody = await simulated(
        runtime, "[caps]\nday = 8\n[rules.volunteer_hour]\ncap = { day = 8, month = 8 }\n", org
    )

    assert set(found.impacts) == {org.id, tighter.id}
    assert {org_id: one.now.points for org_id, one in found.impacts.items()} == {
        org.id: 2,
        tighter.id: 3,
    }
    assert found.total.now == found.total.draft
    found, everybody = await simulated(runtime, "[caps]\nday = 7\n", org)
    assert everybody[str(person.id)].change == -1, "six of the seven came from elsewhere"
    assert everybody[str(other.id)].change == 0


async def test_a_whole_draft_is_for_all_without_a_programme_of_their_own(
    runtime: Runtime,
) -> None:
    everywhere, apart = await make_org(runtime), await make_org(runtime)
    await in_force_since(runtime, apart, SOURCE, BEGINNING)
    person = await make_person(runtime)
    for org in (everywhere, apart):
        await attend(runtime, person, org, shanghai(3, 1))

    found, everybody = await simulated(runtime, SOURCE, None)

    assert everywhere.id in found.impacts
    assert apart.id not in found.impacts
    assert everybody[str(person.id)].now.points == 4


async def test_a_draft_is_checked_where_it_would_stand(runtime: Runtime) -> None:
    org = await make_org(runtime)
    with pytest.raises(PolicyInvalid, match=r"line 2: caps\.day: 比上级宽"):
        await simulated(runtime, "[caps]\nday = 25\n", org)
    with pytest.raises(PolicyInvalid, match="line 1: 缺少"):
        await simulated(runtime, "[caps]\nday = 5\n", None)


async def test_how_awards_would_begin_is_told_by_proof(runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await attend(runtime, person, org, shanghai(3, 1))
    await give_by_hand(runtime, [person], org, shanghai(3, 2), "commendation", evidence=PRAISE)
    draft = SOURCE.replace("[release.rotating_code]", "[release.rotating_code]\nnotice_days = 2")

    found, _ = await simulated(runtime, draft, org)

    assert {key: sums.points for key, sums in found.begins.items()} == {
        ("rotating_code", AwardState.notice): 4,
        ("manual", AwardState.pending): 15,
    }


async def test_a_fund_with_a_limit_is_short_of_what_it_does_not_hold(runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    below = await make_org(runtime, parent=org, level=Level.community)
    await in_force_since(runtime, below, "[fund]\nlimited = true\n", BEGINNING)
    await attend(runtime, person, org, shanghai(3, 1))
    await attend(runtime, person, below, shanghai(3, 2))

    found, _ = await simulated(runtime, SOURCE, org)

    free, limited = found.impacts[org.id], found.impacts[below.id]
    assert (free.holds, free.short) == (None, 0)
    assert (limited.holds, limited.draft.points, limited.short) == (0, 4, 4)


async def test_nothing_is_written(runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    award = await attend(runtime, person, org, shanghai(3, 1))
    await simulated(runtime, SOURCE.replace("day = 8, month = 60", "day = 1"), org)
    async with runtime.database.snapshot() as tx:
        assert (await granting_queries.find(tx, award.id)) == award
        assert (await verification.verify(tx)).holds
