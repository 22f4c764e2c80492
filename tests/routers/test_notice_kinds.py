"""Every kind of notice, from what happens to the inbox, in both languages."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from app.core.clock import local_date, midnight, now
from app.jobs import awards as award_jobs
from app.jobs import expiry, funds, signups
from app.models.notices import NoticeKind
from app.runtime import Runtime
from app.schemas.notify import kinds as table
from tests.factories.activities import (
    current_code,
    edit,
    edit_body,
    make_activity,
    make_attended,
    sign_up,
)
from tests.factories.awards import approve, end_notices, give_award, propose, reject, reverse
from tests.factories.deductions import deduct
from tests.factories.funds import make_limited, receive
from tests.factories.inbox import MONTHS, in_words, inbox
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.points import refund, spend
from tests.factories.policies import SHIPPED, open_unit, publish_in
from tests.factories.rewards import make_counter, make_overdue
from tests.factories.telling import Stage, Told

API = "/api/v1"


@pytest.fixture
async def stage(api: httpx.AsyncClient, runtime: Runtime) -> Stage:
    org = await make_org(runtime)
    organizer, reviewer, judge = [await make_organizer(runtime, org.id) for _ in range(3)]
    return Stage(api, runtime, org, organizer, reviewer, judge, await make_person(runtime))


async def award_paid(s: Stage) -> Told:
    award = await give_award(s.runtime, s.person, s.org, days_ago=2, proof="poster_code")
    await award_jobs.release(s.runtime)
    return Told(
        s.person,
        ("award", str(award)),
        "「测试发放」的 8 积分已到账。",
        "8 points credited for “测试发放”.",
    )


async def award_approved(s: Stage) -> Told:
    award = await s.in_notice()
    zh, en = in_words((await s.mine("awards"))["release_at"])
    return Told(
        s.person,
        ("award", award["id"]),
        f"「市级/镇级表彰」的 15 积分已通过审核，如无异议将于 {zh} 到账。",
        "“Commendation by city or town” was approved: 15 points,"
        f" credited on {en} unless somebody objects.",
    )


async def award_without_points(s: Stage) -> Told:
    award = [await s.in_notice() for _ in range(3)][-1]  # 15, 9 and 0 points: 24 a day
    await end_notices(s.runtime)
    others = ["award_approved", "public_notice_over"] * 2
    assert sorted(await kinds(s, s.person)) == sorted([*others, "award_without_points"])
    return Told(
        s.person,
        ("award", award["id"]),
        "「市级/镇级表彰」已通过审核，按积分上限不计积分。",
        "“Commendation by city or town” was approved: the caps left no points.",
    )


async def award_rejected(s: Stage) -> Told:
    award = await s.proposed()
    assert (await reject(s.api, s.reviewer, award)).status_code == 200
    return Told(
        s.person,
        ("award", award["id"]),
        "「市级/镇级表彰」的 15 积分不予发放：材料不全",
        "“Commendation by city or town” (15 points) was rejected: 材料不全",
    )


async def award_reversed(s: Stage) -> Told:
    award = await give_award(s.runtime, s.person, s.org)
    administrator = await make_administrator(s.runtime, s.org.id)
    assert (await reverse(s.api, administrator, award)).status_code == 201
    return Told(
        s.person,
        ("award", str(award)),
        "「测试发放」的 8 积分已冲正：录入错误",
        "“测试发放” (8 points) was reversed: 录入错误",
    )


async def public_notice_over(s: Stage) -> Told:
    award = await s.in_notice()
    await end_notices(s.runtime)
    return Told(
        s.person,
        ("award", award["id"]),
        "「市级/镇级表彰」公示期满，15 积分已到账。",
        "The public notice of “Commendation by city or town” is over: 15 points credited.",
    )


async def objection_decided(s: Stage) -> Told:
    award, objector = await s.in_notice(), await make_person(s.runtime)
    await s.decide(await s.objection(objector, award), upheld=False)
    return Told(
        objector,
        ("award", award["id"]),
        "您对「市级/镇级表彰」的异议不成立：已核实",
        "Your objection to “Commendation by city or town” was dismissed: 已核实",
    )


async def objection_ended(s: Stage) -> Told:
    award, objector = await s.in_notice(), await make_person(s.runtime)
    await s.objection(objector, award)
    first = await s.objection(await make_person(s.runtime), award)
    await s.decide(first, upheld=True)
    return Told(
        objector,
        ("award", award["id"]),
        "「市级/镇级表彰」已不予发放或已冲正，您的异议不再处理。",
        "“Commendation by city or town” was rejected or reversed,"
        " so your objection will not be decided.",
    )


async def points_charged(s: Stage) -> Told:
    await give_points(s.runtime, s.person.id, 9)
    charge = await spend(s.api, s.runtime, s.person, 8)
    return Told(
        s.person,
        ("charge", charge),
        "在测试商户消费 8 积分，余额 1 积分。",
        "8 points spent at 测试商户, 1 point left.",
    )


async def points_refunded(s: Stage) -> Told:
    await give_points(s.runtime, s.person.id, 9)
    counter = await make_counter(s.runtime)
    charge = await spend(s.api, s.runtime, s.person, 1, counter)
    await refund(s.api, counter, charge)
    return Told(
        s.person,
        ("charge", charge),
        "测试商户退还 1 积分：退货",
        "测试商户 refunded 1 point: 退货",
    )


async def points_deducted(s: Stage) -> Told:
    await give_points(s.runtime, s.person.id, 5, org=s.org.id)
    made = await deduct(s.api, s.organizer, s.org, s.person)
    zh, en = in_words(made["appeal_until"])
    return Told(
        s.person,
        ("deduction", made["id"]),
        f"因「无故缺席」扣 2 积分，{zh} 前可以申诉。",
        f"2 points deducted for “Absence without notice”. You may appeal until {en}.",
    )


async def points_expiring(s: Stage) -> Told:
    ends = now() + timedelta(days=6)
    await give_points(s.runtime, s.person.id, 7, expires_at=ends, org=s.org.id)
    await expiry.announce(s.runtime)
    day = local_date(ends)
    return Told(
        s.person,
        ("person", str(s.person.id)),
        f"您有 7 积分将于 {day.year}年{day.month}月{day.day}日 到期，请及时兑换。",
        f"7 points can be spent until {day.day} {MONTHS[day.month - 1]} {day.year}, then expire.",
    )


async def appeal_decided(s: Stage) -> Told:
    made = await s.appealed()
    path = f"/deductions/{made['id']}/decision"
    await s.post(s.reviewer, path, granted=True, reason="属实")
    return Told(
        s.person,
        ("deduction", made["id"]),
        "您对「无故缺席」扣分的申诉成立，扣分已撤销：属实",
        "Your appeal against the deduction for “Absence without notice” was granted,"
        " and the deduction"
        " revoked: 属实",
    )


async def redemption_reserved(s: Stage) -> Told:
    made = await s.reserved()
    zh, en = in_words(made["expires_at"])
    return Told(
        s.person,
        ("redemption", made["id"]),
        f"已预留「香皂」×2，20 积分，请于 {zh} 前领取。",
        f"“香皂” × 2 reserved for 20 points. Collect by {en}.",
    )


async def redemption_cancelled(s: Stage) -> Told:
    made = await s.reserved()
    for _ in range(2):
        await s.post(s.person, f"/redemptions/{made['id']}/cancel")
    return Told(
        s.person,
        ("redemption", made["id"]),
        "「香皂」×2 的兑换已取消，20 积分已退回。",
        "The reservation of “香皂” × 2 was cancelled, 20 points returned.",
    )


async def redemption_expired(s: Stage) -> Told:
    made = await s.reserved()
    await make_overdue(s.runtime, made["id"])
    await expiry.expire_reservations(s.runtime)
    return Told(
        s.person,
        ("redemption", made["id"]),
        "「香皂」×2 未按时领取，20 积分已退回。",
        "“香皂” × 2 was not collected in time, 20 points returned.",
    )


async def promoted(s: Stage) -> Told:
    activity, first = (
        await make_activity(s.runtime, org=s.org, capacity=1),
        await make_person(s.runtime),
    )
    await sign_up(s.runtime, activity, first, s.person)
    [place] = (await s.api.get(f"{API}/me/signups", headers=first.headers)).json()["items"]
    await s.api.delete(f"{API}/signups/{place['id']}", headers=first.headers)
    zh, en = in_words(activity.starts_at.isoformat())
    return Told(
        s.person,
        ("activity", str(activity.id)),
        f"候补成功：您已获得「清明植树」的名额，{zh} 开始。",
        f"From the waiting list you got a place at “清明植树”, which starts {en}.",
    )


async def activity_tomorrow(s: Stage) -> Told:
    starts_at = midnight(local_date(now()) + timedelta(days=1)) + timedelta(hours=9)
    activity = await make_attended(s.runtime, s.person, org=s.org, starts_at=starts_at)
    await signups.remind(s.runtime)
    zh, en = in_words(starts_at.isoformat())
    return Told(
        s.person,
        ("activity", str(activity.id)),
        f"您报名的「清明植树」将于 {zh} 开始。",
        f"“清明植树”, which you signed up to, starts {en}.",
    )


async def activity_changed(s: Stage) -> Told:
    activity = await make_attended(s.runtime, s.person, org=s.org)
    later = activity.ends_at + timedelta(hours=1)  # the start stays
    body = edit_body(activity, ends_at=later)
    assert (await edit(s.api, s.organizer, activity, body)).status_code == 200
    (zh, en), (until, until_en) = [in_words(t.isoformat()) for t in (activity.starts_at, later)]
    return Told(
        s.person,
        ("activity", str(activity.id)),
        f"您报名的「清明植树」有变更，新时间：{zh} 至 {until}，地点不变：—。",
        f"“清明植树”, which you signed up to, was changed. New time: {en} to {until_en};"
        " place as before: —.",
    )


async def activity_cancelled(s: Stage) -> Told:
    activity = await make_attended(s.runtime, s.person, org=s.org)
    await s.post(s.organizer, f"/activities/{activity.id}/cancel", reason="台风红色预警")
    zh, en = in_words(activity.starts_at.isoformat())
    return Told(
        s.person,
        ("activity", str(activity.id)),
        f"您报名的「清明植树」（{zh}）已取消：台风红色预警",
        f"“清明植树” ({en}), which you signed up to, was cancelled: 台风红色预警",
    )


async def proposals_waiting(s: Stage) -> Told:
    await propose(s.api, s.organizer, s.org, *await make_people(s.runtime, 2))
    return Told(
        s.reviewer,
        ("org", str(s.org.id)),
        f"{s.org.name}新收到 2 项积分申报，请审核。",
        f"2 new awards to review at {s.org.name}.",
    )


async def objections_waiting(s: Stage) -> Told:
    await s.objection(await make_person(s.runtime), await s.in_notice())
    return Told(
        s.judge,
        ("org", str(s.org.id)),
        f"{s.org.name}新收到 1 项公示异议，请处理。",
        f"1 new objection to decide at {s.org.name}.",
    )


async def appeals_waiting(s: Stage) -> Told:
    await s.appealed()
    return Told(
        s.reviewer,
        ("org", str(s.org.id)),
        f"{s.org.name}新收到 1 项扣分申诉，请处理。",
        f"1 new appeal to decide at {s.org.name}.",
    )


PLAYS: dict[NoticeKind, Callable[[Stage], Awaitable[Told]]] = {
    NoticeKind(play.__name__): play
    for play in (
        *(award_paid, award_approved, award_without_points, award_rejected, award_reversed),
        public_notice_over,
        *(objection_decided, objection_ended, points_charged, points_refunded, points_deducted),
        *(points_expiring, appeal_decided, redemption_reserved, redemption_cancelled),
        *(redemption_expired, promoted, activity_tomorrow, activity_changed, activity_cancelled),
        proposals_waiting,
        *(objections_waiting, appeals_waiting),
    )
}


def test_every_kind_is_played() -> None:
    assert PLAYS.keys() == set(NoticeKind)


@pytest.mark.parametrize("kind", sorted(table().keys() - set(NoticeKind)))
def test_a_kind_of_one_noun_is_played_in_its_own_tests(kind: str) -> None:
    own = Path(__file__).parents[1].rglob(f"test_{kind.partition('_')[0]}*.py")
    assert any(f'"{kind}"' in file.read_text(encoding="utf-8") for file in own)


@pytest.mark.parametrize("kind", PLAYS)
async def test_who_it_concerns_is_told_once_in_their_language(
    stage: Stage, kind: NoticeKind
) -> None:
    told = await PLAYS[kind](stage)

    for language in ("zh-CN", "en"):
        found = await inbox(stage.api, stage.runtime, told.person, language)
        [notice] = [one for one in found if one["kind"] == kind]
        assert notice["text"] == (told.en if language == "en" else told.zh)
        assert notice["title"] == table()[kind].title.said(language)
        assert (notice["subject"]["type"], notice["subject"]["id"]) == told.subject
        assert notice["is_read"] is False


async def kinds(stage: Stage, person: TestPerson) -> list[str]:
    """Return what a person was told, oldest first."""
    return [one["kind"] for one in reversed(await inbox(stage.api, stage.runtime, person))]


async def test_an_upheld_objection_tells_both(stage: Stage) -> None:
    award, objector = await stage.in_notice(), await make_person(stage.runtime)
    await stage.decide(await stage.objection(objector, award), upheld=True)

    [decided] = await inbox(stage.api, stage.runtime, objector)
    assert decided["text"] == "您对「市级/镇级表彰」的异议成立：已核实"
    assert await kinds(stage, stage.person) == ["award_approved", "award_rejected"]


async def test_who_has_a_part_in_it_is_not_asked_to_decide(stage: Stage) -> None:
    await propose(stage.api, stage.organizer, stage.org, stage.reviewer)
    objecting = replace(stage, person=await make_person(stage.runtime))
    award = await objecting.in_notice()
    await objecting.objection(stage.reviewer, award)
    await objecting.objection(await make_person(stage.runtime), award)
    appealing = replace(stage, person=stage.reviewer)
    await appealing.appealed()

    assert await kinds(stage, stage.organizer) == []
    waiting = [one for one in await kinds(stage, stage.reviewer) if one.endswith("_waiting")]
    assert waiting == ["proposals_waiting"], "the one that is of another person"


async def test_what_one_tells_the_reviewers_is_one_notice_however_many_rows(stage: Stage) -> None:
    people = await make_people(stage.runtime, 3)
    rows = [{"person_id": str(one.id), "evidence": {"certificate": f"{one.id}"}} for one in people]
    body = {"rule_key": "blood_donation", "org_id": str(stage.org.id), "rows": rows}
    await stage.post(stage.organizer, "/awards/batches", **body)
    await stage.proposed()

    [notice] = await inbox(stage.api, stage.runtime, stage.reviewer)
    assert notice["text"] == f"{stage.org.name}新收到 4 项积分申报，请审核。"


async def test_the_first_of_two_approvals_tells_nobody(stage: Stage) -> None:
    award = (await propose(stage.api, stage.organizer, stage.org, stage.person, grade="city"))[0]
    assert (await approve(stage.api, stage.reviewer, award)).json()["state"] == "pending"
    assert await kinds(stage, stage.person) == []


async def test_an_award_that_waited_for_its_fund_tells_when_it_is_paid(stage: Stage) -> None:
    org = await make_limited(stage.runtime)
    await give_award(stage.runtime, stage.person, org)
    await funds.pay(stage.runtime)
    assert await kinds(stage, stage.person) == []

    await receive(stage.runtime, org, 8)
    await funds.pay(stage.runtime)
    [paid] = await inbox(stage.api, stage.runtime, stage.person)
    assert paid["text"] == "「测试发放」的 8 积分已到账。"


@pytest.mark.parametrize(("reviewers", "told"), [(0, ["award_paid"]), (1, [])])
async def test_an_award_that_waits_for_nothing_tells_that_it_is_paid(
    stage: Stage, reviewers: int, told: list[str]
) -> None:
    """By a programme of its own: proposed or approved, it is there at once."""
    source, unit = SHIPPED, await open_unit(stage.runtime)
    for rule in ("second_reviewer_from = 20", "notice_days = 3"):
        assert rule in source
        source = source.replace(rule, "")
    source = source.replace("[release.manual]\nreviewers = 1", f"[release.manual]\n{reviewers=}")
    await publish_in(stage.runtime, unit, stage.org, source)

    award = await stage.proposed()

    assert await kinds(stage, stage.person) == told
    if reviewers:
        assert (await approve(stage.api, stage.reviewer, award)).json()["state"] == "available"
        assert await kinds(stage, stage.person) == ["award_paid"]


async def test_a_check_in_and_a_refused_charge_tell_nobody(stage: Stage) -> None:
    activity = await make_attended(stage.runtime, stage.person, org=stage.org)
    await stage.post(stage.person, "/checkins", code=current_code(stage.runtime, activity))
    counter = await make_counter(stage.runtime)
    with pytest.raises(AssertionError, match=r"points\.insufficient"):
        await spend(stage.api, stage.runtime, stage.person, 99, counter)
    assert await kinds(stage, stage.person) == []
