"""Policy documents: what is wrong with one, what may stand below another, what is in force."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from app.core.clock import now
from app.models.orgs import Level
from app.queries.policies import Published
from app.runtime import Runtime
from app.schemas.policies.documents import PolicyDocument, Release
from app.services.policies import comparing, history, publishing
from app.services.policies.history import PolicyHistory, PolicyMissing
from app.services.policies.reading import PolicyInvalid, Table
from app.services.policies.rules import PointsPolicy
from app.services.policies.tightening import tighten
from tests.factories.orgs import make_org
from tests.factories.policies import open_unit, publish_in

SHIPPED = Path(__file__).parents[2] / "app" / "data" / "policy.toml"
SOURCE = SHIPPED.read_text(encoding="utf-8")
ABOVE = tomllib.loads(SOURCE)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def mistakes(source: str, above: Table | None = None) -> list[tuple[int, str]]:
    """Return line and path of what is wrong."""
    try:
        publishing.check(source, above)
    except PolicyInvalid as error:
        return [(problem.line, problem.path) for problem in error.problems]
    return []


def test_the_shipped_policy_has_no_mistake() -> None:
    document = publishing.check(SOURCE)
    assert (len(document.rules), len(document.tiers)) == (25, 4)
    caps = document.caps
    assert (caps.day, caps.emergency_day, caps.month, caps.year) == (24, 48, 150, 800)


# What is changed to what; where the mistake is; the line that is told, as it stands there.
MISTAKES = [
    ("points = 8", "points = 0", "rules.lecture_give.points", "points = 0"),
    ("points = 8", "points = 1.5", "rules.lecture_give.points", "points = 1.5"),
    ("points = 8", 'points = "8"', "rules.lecture_give.points", 'points = "8"'),
    ("points = 8", "points = 99999", "rules.lecture_give.points", "points = 99999"),
    ('"shift"', '"fortnight"', "rules.duty_shift.per", 'per = "fortnight"'),
    ('per = "shift"', 'pre = "shift"', "rules.duty_shift.pre", 'pre = "shift"'),
    ('per = "shift"', "", "rules.duty_shift.per", "[rules.duty_shift]"),
    ("{ day = 2, month = 16", "{ d = 2", "rules.duty_shift.cap.d", "cap = { d = 2 }"),
    (
        "{ day = 2, month",
        "{ day = 20, month",
        "rules.duty_shift.cap.month",
        "cap = { day = 20, month = 16 }",
    ),
    ("[rules.duty_shift]", "[rules.Duty]", "rules.Duty", "[rules.Duty]"),
    ("up_to = 10", "up_to = 2", "rules.tool_donate.up_to", "up_to = 2"),
    (
        "{ certificate =",
        "{ passport =",
        "rules.blood_donation.unique.passport",
        'unique = { passport = "person" }',
    ),
    (
        'evidence = ["checkin"]',
        'evidence = ["checkin"]\nunique = { checkin = "batch" }',
        "rules.theme_study.unique.checkin",
        'unique = { checkin = "batch" }',
    ),
    ("= 48", "= 4", "caps.emergency_day", "emergency_day = 4"),
    ("points_12m = 100", "points_12m = 10", "tiers.2", "[[tiers]]"),
    ('"peak"', '"growth"', "tiers.2.key", 'key = "growth"'),
    ("max_debt = 50", "max_debt = -1", "clawback.max_debt", "max_debt = -1"),
    ("[release.manual]", "[release.by_hand]", "release.by_hand", "[release.by_hand]"),
    ("[60, 30, 7]", "[60,\n  30,\n  0]", "lots.notice_days.2", "notice_days = [60,"),
    ('unit = "points"', "", "programme.unit", "[programme]"),
    ("limited = false", 'limited = "no"', "fund.limited", 'limited = "no"'),
    ('unit = "points"', 'unit = "minutes"', "programme.unit", 'unit = "minutes"'),
]


@pytest.mark.parametrize(("before", "after", "path", "told"), MISTAKES)
def test_each_mistake_is_told_with_its_line(before: str, after: str, path: str, told: str) -> None:
    assert before in SOURCE
    source = SOURCE.replace(before, after, 1)
    lines = {where: line for line, where in mistakes(source)}
    assert path in lines, lines
    line = source.splitlines()[lines[path] - 1]
    assert line.partition("  #")[0] == told
    if told == "[[tiers]]" or path == "tiers.2.key":
        assert source.splitlines()[: lines[path]].count("[[tiers]]") == 3


def test_every_mistake_is_told_in_the_order_of_lines() -> None:
    source = SOURCE.replace("day = 24", "day = 0", 1).replace('per = "shift"', 'per = "x"')
    found = mistakes(source)
    assert [path for _, path in found] == ["caps.day", "rules.duty_shift.per"]
    lines = source.splitlines()
    assert [lines[line - 1] for line, _ in found] == ["day = 0", 'per = "x"']


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("[programme\n", 1),
        ("a = 1\nb = \n", 2),
        ("a = 1\n\na = 2\n", 3),
        ('a = """\nnever ended', 2),
        ("\n" * 3_000, 3_001),
        ("a = " + "[" * 5_000, 1),
    ],
    ids=["header", "value", "twice", "open", "long", "deep"],
)
def test_what_is_no_toml_is_told_with_its_line(source: str, line: int) -> None:
    assert mistakes(source) == [(line, "")]


def test_a_document_without_a_programme_needs_one_above() -> None:
    assert mistakes("[caps]\nday = 10\n") == [(1, "")]
    assert mistakes("[caps]\nday = 10\n", ABOVE) == []


@pytest.mark.parametrize(
    "below",
    [
        "[caps]\nday = 10",
        "[fund]\nlimited = true",
        "[release.manual]\nreviewers = 2\nsecond_reviewer_from = 10\nnotice_days = 7",
        "[release.rotating_code]\nwait_hours = 1",
        "[rules.commendation]\npoints = 10\ngrades = { city = 20 }",
        "[rules.volunteer_hour]\ncap = { day = 4, year = 100 }",
        '[rules.theme_study]\nevidence = ["photo"]',
        "[rules.referral]\noff = true",
        "[rules.taskforce_emergency]\nrelease = { manual = { reviewers = 3 } }",
    ],
)
def test_below_one_may_be_stricter(below: str) -> None:
    assert mistakes(below, ABOVE) == []
    assert tighten(ABOVE, tomllib.loads(below))[0] != ABOVE


@pytest.mark.parametrize(
    ("below", "line", "path"),
    [
        ("[caps]\nmonth = 100\nday = 25", 3, "caps.day"),
        ("[release.manual]\nreviewers = 0", 2, "release.manual.reviewers"),
        ("[release.manual]\n\nnotice_days = 2", 3, "release.manual.notice_days"),
        ("[release.manual]\nsecond_reviewer_from = 21", 2, "release.manual.second_reviewer_from"),
        ("[release.poster_code]\nwait_hours = 1", 2, "release.poster_code.wait_hours"),
        ("[rules.commendation]\npoints = 16", 2, "rules.commendation.points"),
        (
            "[rules.commendation]\ngrades = { town = 15, world = 90 }",
            2,
            "rules.commendation.grades.world",
        ),
        ("[rules.volunteer_hour]\ncap = { day = 9 }", 2, "rules.volunteer_hour.cap.day"),
        ("[rules.referral]\nup_to = 2", 2, "rules.referral.up_to"),
        ("[rules.gift]\npoints = 1", 1, "rules.gift"),
        (
            "[rules.referral]\nrelease = { manual = { reviewers = 0 } }",
            2,
            "rules.referral.release.manual.reviewers",
        ),
        ("[tiers]\nkey = 1", 1, "tiers"),
        ("[lots]\nmonths = 12", 1, "lots"),
        ("[deductions.no_show]\npoints = 1", 1, "deductions"),
        ("[rules.referral]\nname = '甲'", 2, "rules.referral.name"),
        ("[caps]\nmonth = 20", 2, "caps.month"),  # below the day's 24, which stands above
    ],
)
def test_below_nobody_loosens(below: str, line: int, path: str) -> None:
    assert mistakes(below, ABOVE) == [(line, path)]


def book(*published: tuple[int, str | None, datetime, str]) -> PolicyHistory:
    return PolicyHistory([Published(*one) for one in published], {"points": 1, "other": 3})


def test_the_nearest_programme_holds_and_what_tightens_it() -> None:
    other = SOURCE.replace('unit = "points"', 'unit = "other"')
    found = book(
        (1, None, MONDAY, SOURCE),
        (2, "32", MONDAY, "[caps]\nday = 20"),
        (3, "3211", MONDAY, "[caps]\nday = 22\nmonth = 100"),
        (4, "3299", MONDAY, other),
    )
    expected = {
        "/": (1, 1, 24, 150),
        "/32/": (2, 1, 20, 150),
        "/32/3211/": (3, 1, 20, 100),  # 22 has no effect below 20
        "/32/3211/321182/": (3, 1, 20, 100),
        "/32/3299/": (4, 3, 24, 150),  # a programme of its own is not tightened from above
        "/99/": (1, 1, 24, 150),
    }
    for path, (version, unit, day, month) in expected.items():
        policy = found.policy(MONDAY, path)
        caps = policy.document.caps
        assert (policy.version, policy.unit_id, caps.day, caps.month) == (version, unit, day, month)


def test_a_version_holds_from_its_moment_on() -> None:
    later = MONDAY + timedelta(days=7)
    found = book(
        (1, None, MONDAY, SOURCE), (2, None, later, SOURCE.replace("day = 24", "day = 12"))
    )
    with pytest.raises(PolicyMissing):
        found.policy(MONDAY - timedelta(seconds=1))
    assert found.policy(later - timedelta(seconds=1)).document.caps.day == 24
    assert found.policy(later).document.caps.day == 12


def test_what_is_tightened_above_later_holds_below() -> None:
    """The line below was fine when it was published; it never loosens what came after."""
    tighter = SOURCE.replace("day = 24", "day = 12", 1).replace("[rules.referral]", "[rules.bring]")
    found = book(
        (1, None, MONDAY, SOURCE),
        (2, "32", MONDAY, "[caps]\nday = 20\n[rules.referral]\npoints = 1"),
        (3, None, MONDAY, tighter),
    )
    policy = found.policy(MONDAY, "/32/")
    assert policy.document.caps.day == 12
    assert policy.rule("referral") is None


def test_a_rule_says_what_its_award_waits_for() -> None:
    policy = book((1, None, MONDAY, SOURCE)).policy(MONDAY)
    rule = policy.document.rules["volunteer_hour"]
    assert policy.release(rule, "rotating_code").wait_hours == 0
    assert policy.release(rule, "poster_code").wait_hours == 24
    by_hand = policy.release(rule, "manual")
    assert [by_hand.reviewers_for(points) for points in (1, 19, 20)] == [1, 1, 2]
    emergency = policy.release(policy.document.rules["taskforce_emergency"], "manual")
    assert (emergency.reviewers_for(4), emergency.notice_days) == (2, 3)


async def test_publishing_counts_versions_and_takes_effect(runtime: Runtime) -> None:
    org = await make_org(runtime)
    community = await make_org(runtime, parent=org, level=Level.community)
    async with runtime.database.transaction() as tx:
        before = await history.in_force(tx, community.path)
        version = await publishing.publish(tx, "[caps]\nday = 10\n", org=org)
        after = await history.in_force(tx, community.path)

    assert (before.document.caps.day, after.document.caps.day) == (24, 10)
    assert after.version == version > before.version


def test_evidence_is_added_to_and_never_left_out() -> None:
    above = tomllib.loads(SOURCE)
    added = publishing.check('[rules.council_attend]\nevidence = ["photo"]', above)
    assert added.rules["council_attend"].evidence == ["checkin", "minutes", "photo"]
    for fewer in ("[]", '["minutes"]'):
        with pytest.raises(
            PolicyInvalid, match=r"line 2: rules\.council_attend\.evidence: 比上级宽"
        ):
            publishing.check(f"[rules.council_attend]\nevidence = {fewer}", above)


def test_a_number_in_the_evidence_may_be_raised_and_not_lowered() -> None:
    above = tomllib.loads(SOURCE)
    more = publishing.check('[rules.lecture_give]\nevidence = ["checkin>=12"]', above)
    assert more.rules["lecture_give"].evidence == ["checkin>=12", "rating"]
    for fewer in ("checkin>=5", "checkin"):
        with pytest.raises(PolicyInvalid, match=r"line 2: rules\.lecture_give\.evidence: 比上级宽"):
            publishing.check(f'[rules.lecture_give]\nevidence = ["{fewer}", "rating", "x"]', above)


def test_what_is_asked_of_all_awards_reaches_rules_that_say_more() -> None:
    """``taskforce_emergency`` asks for two reviewers of its own."""
    above = tomllib.loads(SOURCE)

    def emergency(below: str) -> Release:
        document = publishing.check(below, above)
        return PointsPolicy(1, 1, document).release(document.rules["taskforce_emergency"], "manual")

    assert emergency("[release.manual]\nreviewers = 3").reviewers == 3
    assert emergency("[release.manual]\nnotice_days = 9").notice_days == 9
    assert emergency("[release.manual]\nreviewers = 1").reviewers == 2
    own = (
        "[release.manual]\nreviewers = 3\n[rules.taskforce_emergency.release.manual]\nreviewers = 2"
    )
    assert emergency(own).reviewers == 2


@pytest.mark.parametrize(
    ("added", "path", "is_of_a_whole"),
    [
        ("[deductions.no_show]\npoints = 1", "deductions", True),
        ("[[tiers]]\nkey = 'x'", "tiers", True),
        ("[rules.theme_study]\nper = 'hour'", "rules.theme_study.per", True),
        ("[deduction.no_show]\npoints = 1", "deduction", False),
        ("[[tierz]]\nkey = 'x'", "tierz", False),
    ],
)
def test_what_only_a_whole_document_says_is_told_with_its_line(
    added: str, path: str, is_of_a_whole: bool
) -> None:
    with pytest.raises(PolicyInvalid) as told:
        publishing.check(f"[caps]\nday = 9\n\n{added}", tomllib.loads(SOURCE))
    [problem] = told.value.problems
    assert (problem.path, problem.line) == (path, 5 if path.startswith("rules") else 4)
    assert ("整份办法" in problem.zh) == is_of_a_whole


async def test_nothing_is_published_that_loosens(runtime: Runtime) -> None:
    org = await make_org(runtime)
    community = await make_org(runtime, parent=org, level=Level.community)
    async with runtime.database.transaction() as tx:
        await publishing.publish(tx, "[caps]\nday = 10\n", org=org)
        with pytest.raises(PolicyInvalid, match=r"caps\.day: 比上级宽：上级 10，这里 11"):
            await publishing.publish(tx, "[caps]\nday = 11\n", org=community)
        assert (await history.in_force(tx, community.path)).document.caps.day == 10


async def test_a_whole_document_below_has_a_unit_of_its_own(runtime: Runtime) -> None:
    """In the points of the one above it could say anything: that would loosen all of it."""
    org = await make_org(runtime)
    street = await make_org(runtime, parent=org, level=Level.community)
    looser = SOURCE.replace("\nday = 24", "\nday = 25").replace(
        "emergency_day = 48", "emergency_day = 49"
    )
    unit = await open_unit(runtime)
    async with runtime.database.transaction() as tx:
        for source in (SOURCE, looser):
            with pytest.raises(PolicyInvalid, match=r"programme\.unit: 上级的办法用这种积分"):
                await publishing.publish(tx, source, org=org)
    await publish_in(runtime, unit, org, looser)
    await publish_in(runtime, unit, org, SOURCE)  # the next version of its own
    with pytest.raises(PolicyInvalid, match=r"programme\.unit: 上级的办法用这种积分"):
        await publish_in(runtime, unit, street, SOURCE)


@pytest.mark.parametrize(
    "below",
    [
        "[release.device]\nwait_hours = 1\nreviewers = 0",
        "[release.device]\nnotice_days = 1",
        "[rules.volunteer_hour.release.device]\nreviewers = 0",
    ],
)
def test_a_proof_that_is_not_listed_above_waits_as_a_persons_word(below: str) -> None:
    above = tomllib.loads(SOURCE.replace("[release.device]\n", ""))
    with pytest.raises(PolicyInvalid, match="比上级宽"):
        publishing.check(below, above)
    tightened = publishing.check("[release.device]\nwait_hours = 1", above)
    assert tightened.release["device"].reviewers == tightened.release["manual"].reviewers == 1
    assert tightened.release["device"].wait_hours == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("[rules.council_attend]", '[rules.council_attend]\nkey = "no_such"'),
            r"council_attend\.key",
        ),
        (("day = 24", f"day = {'9' * 5000}"), "有一个数太大"),
    ],
)
def test_a_document_that_nobody_means(change: tuple[str, str], told: str) -> None:
    with pytest.raises(PolicyInvalid, match=told):
        publishing.check(SOURCE.replace(*change))


def test_what_others_contradict_each_other_in_is_not_told_to_who_comes_after() -> None:
    street = tomllib.loads("[rules.council_submit]\ncap = { month = 3 }")
    raised = SOURCE.replace("cap = { day = 3, month = 6 }", "cap = { day = 5, month = 6 }")
    above, looser = tighten(tomllib.loads(raised), street)
    assert looser == []
    assert mistakes("[release.manual]\nnotice_days = 4", above) == []
    assert mistakes("[rules.council_submit]\ncap = { day = 4 }", above) == []
    assert mistakes("[caps]\nmonth = 20", above) == [(2, "caps.month")]


def test_what_is_misspelled_hides_nothing_that_loosens() -> None:
    below = "[caps]\nday = 25\n[rulez.x]\noff = true\n[rules.referral]\npoints = '2'\nup_to = 3"
    assert mistakes(below, ABOVE) == [
        (2, "caps.day"),
        (3, "rulez"),
        (6, "rules.referral.points"),
        (7, "rules.referral.up_to"),
    ]


def evidence(*names: str) -> Table:
    return {"rules": {"opinion_report": {"evidence": list(names)}}}


def test_each_on_the_way_down_may_ask_for_as_much_as_a_document_holds() -> None:
    middle, _ = tighten(ABOVE, evidence(*(f"a{n}" for n in range(10))))
    bottom, looser = tighten(middle, evidence(*(f"b{n}" for n in range(10))))
    assert looser == []
    found = PolicyDocument.model_validate(bottom).rules["opinion_report"].evidence
    assert len(found) == len(set(found)) == 22


def test_a_rule_asks_for_twenty_things_and_not_one_more() -> None:
    above, _ = tighten(ABOVE, evidence(*(f"a{n}" for n in range(10))))  # two were there
    ten = [f'"b{n}"' for n in range(10)]
    assert mistakes(f"[rules.opinion_report]\nevidence = [{', '.join(ten[:8])}]", above) == []
    assert mistakes(f"[rules.opinion_report]\nevidence = [{', '.join(ten[:9])}]", above) == [
        (2, "rules.opinion_report.evidence")
    ]


def test_what_is_raised_above_does_not_lift_what_was_lowered_below() -> None:
    raised = tomllib.loads(SOURCE.replace("points = 3\nup_to = 10", "points = 6\nup_to = 12"))
    assert raised != ABOVE
    found, _ = tighten(raised, {"rules": {"tool_donate": {"up_to": 5}}})
    rule = found["rules"]["tool_donate"]
    assert (rule["points"], rule["up_to"]) == (5, 5)


async def test_a_unit_must_be_open(runtime: Runtime) -> None:
    unit = f"u{uuid4().hex[:12]}"
    source = SOURCE.replace('unit = "points"', f'unit = "{unit}"')
    org = await make_org(runtime)
    async with runtime.database.transaction() as tx:
        with pytest.raises(PolicyInvalid, match=r"programme\.unit: 账本中没有这个单位"):
            await publishing.publish(tx, source, org=org)


async def test_a_unit_is_that_of_one_organisation(runtime: Runtime) -> None:
    """Or a community could give, without a cap, what counts in another one's shops."""
    giver, other = await make_org(runtime), await make_org(runtime)
    unit = await open_unit(runtime)
    await publish_in(runtime, unit, giver, SOURCE)
    with pytest.raises(PolicyInvalid, match=r"programme\.unit: 另一机构的办法用这种积分"):
        await publish_in(runtime, unit, other, SOURCE)


async def test_a_version_does_not_take_effect_in_the_past(runtime: Runtime) -> None:
    """What was awarded was awarded by the rules of its day."""
    org = await make_org(runtime)
    async with runtime.database.transaction() as tx:
        with pytest.raises(PolicyInvalid, match="生效时间"):
            await publishing.publish(
                tx, "[caps]\nday = 10\n", org=org, effective_from=now() - timedelta(hours=1)
            )


async def test_a_comparison_names_what_changes(runtime: Runtime) -> None:
    org = await make_org(runtime)
    source = "[caps]\nday = 10\n[rules.referral]\noff = true\n"
    async with runtime.database.transaction() as tx:
        found = await comparing.compare(tx, source, org, now())
    assert [(one.path, one.before, one.after, one.effect) for one in found.changes] == [
        ("caps.day", 24, 10, "tightened"),
        ("rules.referral.off", None, True, "tightened"),
    ]


def by_code(source: str, rule: str) -> Release:
    document = publishing.check(source)
    return PointsPolicy(1, 1, document).release(document.rules[rule], "rotating_code")


STATED = "release = { manual = { reviewers = 2 }, rotating_code = { reviewers = 2 } }"


@pytest.mark.parametrize(
    ("rule", "reviewers"),
    [("volunteer_hour", 0), ("duty_shift", 1), ("taskforce_emergency", 2), ("lecture_give", 1)],
)
@pytest.mark.parametrize("release", [STATED, "release = { manual = { reviewers = 2 } }"])
def test_attendance_keeps_the_reviewers_of_a_rule_that_asks_for_more(
    release: str, rule: str, reviewers: int
) -> None:
    """Whether the document says so or not: it may have been published before."""
    assert by_code(SOURCE.replace(STATED, release), rule).reviewers == reviewers
    assert by_code(SOURCE.replace(STATED, release), rule).notice_days == 0


def test_reviewers_of_its_own_are_kept_without_evidence() -> None:
    own = "hours = true\nrelease = { manual = { reviewers = 3, second_reviewer_from = 9 } }\nnote"
    source = SOURCE.replace("hours = true\nnote", own, 1)
    release = by_code(source, "volunteer_hour")
    assert (release.reviewers, release.second_reviewer_from) == (3, 9)


def test_a_rule_that_would_loosen_attendance_is_warned_of() -> None:
    loose = SOURCE.replace(
        STATED, STATED.replace("code = { reviewers = 2", "code = { reviewers = 1")
    )
    assert publishing.warnings(publishing.check(SOURCE), SOURCE) == []

    found = publishing.warnings(publishing.check(loose), loose)

    assert len(found) == 1
    [warning] = found
    line = loose.splitlines()[warning.line - 1]
    assert line.startswith("release = { manual")
    assert warning.path == "rules.taskforce_emergency.release.rotating_code.reviewers"
    assert "2" in warning.en
