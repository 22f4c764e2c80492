"""A played world for tampering: every table that bears points has rows, and all days are sealed."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import httpx

from app.core.clock import local_date, now
from app.core.paging import PageParams
from app.jobs import funds
from app.models.merchants import MerchantKind
from app.models.orgs import Level, Org
from app.models.people import Role
from app.models.rewards import RewardKind
from app.runtime import Runtime
from app.services.ledger import seals
from tests.factories.activities import activity_body, sign_up
from tests.factories.awards import approve, give_award, propose, reject, reverse
from tests.factories.charges import make_waiting
from tests.factories.deductions import deduct
from tests.factories.exchanges import make_exchange_agreement
from tests.factories.http import keyed
from tests.factories.linked_places import check_in, make_linked
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
    make_with_role,
)
from tests.factories.points import refund, spend
from tests.factories.presences import checkout_of, come, leave, make_with_sessions
from tests.factories.quests import codes_of, complete, make_quest
from tests.factories.redemption_days import make_day, slot_body
from tests.factories.rewards import Counter, make_counter, make_reward, reserve
from tests.factories.settlements import PAST, first_of, make_agreement, month_of, settle
from tests.factories.signup_terms import make_sessions

API = "/api/v1"
A_DAY = timedelta(days=1)
CERTIFICATES = {"rule_key": "blood_donation"}


@dataclass
class Played:
    """``ids`` names rows; ``seals`` are those that somebody kept outside the database."""

    api: httpx.AsyncClient
    runtime: Runtime
    ids: dict[str, Any] = field(default_factory=dict)
    seals: dict[date, bytes] = field(default_factory=dict)

    async def post(
        self, who: TestPerson, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        reply = await self.api.post(f"{API}{path}", headers=keyed(who), json=body or {})
        assert reply.is_success, f"{path}: {reply.text}"
        found: dict[str, Any] = reply.json()
        return found


async def play(api: httpx.AsyncClient, runtime: Runtime) -> Played:
    """Let people do all that moves points, then seal every day up to today."""
    began = local_date(now())
    played = Played(api, runtime)
    street = await make_org(runtime)
    home = await make_org(runtime, parent=street, level=Level.community)
    organizers = [await make_organizer(runtime, home.id) for _ in range(2)]
    people = [await make_person(runtime) for _ in range(3)]
    for name, person in zip(("alice", "bob", "carol"), people, strict=True):
        played.ids[name] = person.id
    played.ids |= {"org": home.id, "street": street.id, "organizer": organizers[0].id}
    await _attend(played, home, organizers[0], people)
    await _leave(played, home, people)
    await _take_a_shift(played, home, people[2])
    await _award(played, home, organizers, people)
    await _quest(played, home, organizers[0], people[2])
    shop = await _spend(played, home, people)
    await _settle(played, home, organizers[0], shop)
    await _link(played, home)
    await _exchange(played, home)
    await _redemption_day(played, home, people)
    await _decide(played, home, organizers, people)
    await _merge(played, home)
    await funds.write_months(runtime)
    async with runtime.database.transaction() as tx:
        await tx.fetch("UPDATE fund_months SET closed_at = now()", {})  # as if they were over
    await _seal(played, began)
    return played


async def _attend(
    played: Played, home: Org, organizer: TestPerson, people: list[TestPerson]
) -> None:
    """Two places for three; the first checks in."""
    body = activity_body(home, capacity=2)
    activity = (await played.post(organizer, "/activities", body))["id"]
    await played.post(organizer, f"/activities/{activity}/publish")
    code = await played.api.get(
        f"{API}/activities/{activity}/checkin-code", headers=organizer.headers
    )
    signed = [await played.post(one, f"/activities/{activity}/signups") for one in people]
    assert [one["status"] for one in signed] == ["confirmed", "confirmed", "waitlisted"]
    done = await played.post(people[0], "/checkins", {"code": code.json()["code"]})
    played.ids |= {
        "activity": activity,
        "signup": signed[0]["id"],
        "place": signed[1]["id"],
        "waiting": signed[2]["id"],
        "checkin": done["checkin"]["id"],
        "attended": done["award"]["id"],
    }
    assert done["award"]["minutes"] > 0


async def _leave(played: Played, home: Org, people: list[TestPerson]) -> None:
    """A session of which three check out, one corrected afterwards, one annulled."""
    alice, bob, carol = people
    organizer = await make_organizer(played.runtime, home.id)
    starts_at = now() - timedelta(hours=3)
    activity = await make_with_sessions(played.runtime, (starts_at, 4), org=home, checks_out=True)
    await sign_up(played.runtime, activity, *people)
    ids = {"evening": activity.id}
    for name, person in (("alice", alice), ("bob", bob), ("carol", carol)):
        came = (await come(played.runtime, activity, person)).result.checkin.id
        await leave(played.runtime, activity, person)
        ids |= {f"came_{name}": came, f"left_{name}": await checkout_of(played.runtime, came)}
    path = f"/checkins/{ids['came_alice']}"
    since = {"checked_in_at": starts_at.isoformat(), "reason": "现场负责人确认"}
    reply = await played.api.put(f"{API}{path}", headers=keyed(organizer), json=since)
    await played.post(organizer, f"/checkins/{ids['came_bob']}/annulment", {"reason": "代签"})
    played.ids |= ids | {"instead": reply.json()["award"]["id"]}


async def _take_a_shift(played: Played, home: Org, person: TestPerson) -> None:
    """A place at a shift, whose time is held."""
    activity = await make_sessions(played.runtime, 2, shifts=True, org=home)
    made = await played.post(person, f"/activities/{activity.id}/signups", {"session": 1})
    played.ids |= {"shifts": activity.id, "shift": made["id"]}


async def _award(
    played: Played, home: Org, organizers: list[TestPerson], people: list[TestPerson]
) -> None:
    """Awards by hand: approved, rejected, waiting, reversed; two with certificates."""
    alice, bob, carol = people
    proposer, reviewer = organizers
    for name, person in (("donated", alice), ("donated_too", bob)):
        [made] = await propose(
            played.api,
            proposer,
            home,
            person,
            **CERTIFICATES,
            evidence={"certificate": f"A-{name}".replace("_", "").replace("-", "")},
        )
        assert (await approve(played.api, reviewer, made)).is_success
        played.ids[name] = made["id"]
    [rejected] = await propose(played.api, proposer, home, carol)
    assert (await reject(played.api, reviewer, rejected)).is_success
    [waiting] = await propose(played.api, proposer, home, alice)
    played.ids |= {"rejected": rejected["id"], "proposed": waiting["id"]}
    for person in people:
        given = await give_award(played.runtime, person, home, points=8, minutes=60, days_ago=1)
        played.ids[f"given_to_{person.id}"] = given
    played.ids["given"] = played.ids[f"given_to_{alice.id}"]
    taken = await give_award(played.runtime, bob, home, points=4)
    administrator = await make_administrator(played.runtime, home.id)
    assert (await reverse(played.api, administrator, taken)).is_success
    played.ids |= {"reversed": taken, "administrator": administrator.id}


async def _quest(played: Played, home: Org, organizer: TestPerson, person: TestPerson) -> None:
    quest = await make_quest(played.api, organizer, home)
    codes = await codes_of(played.api, organizer, quest)
    done = await complete(played.api, person, codes[:2])
    played.ids |= {"quest": quest["id"], "visit": done["visit"]["id"]}


async def _spend(played: Played, home: Org, people: list[TestPerson]) -> Counter:
    """A shop and a counter of the fund: rewards reserved, collected, given up; charges."""
    alice, bob, carol = people
    shop = await make_counter(played.runtime, org=home)
    bank = await make_counter(played.runtime, kind=MerchantKind.fund_counter, org=home)
    soap, rice = [await make_reward(played.runtime, at, points=2, stock=10) for at in (shop, bank)]
    for name, reward, at in (("collected", soap, shop), ("banked", rice, bank)):
        played.ids[name] = await _collected(played, alice, reward, at)
    reserved = await reserve(played.runtime, alice.id, soap)
    kept = await played.post(alice, "/redemptions", {"reward_id": str(soap.id), "quantity": 1})
    given_up = await reserve(played.runtime, bob.id, soap)
    await played.post(bob, f"/redemptions/{given_up.id}/cancel")
    undone = await _collected(played, carol, soap, shop)
    undo = {"reason": "拿错了"}
    back_again = await played.post(shop.staff, f"/merchant/redemptions/{undone}/undo", undo)
    partly = await spend(played.api, played.runtime, carol, 2, shop)
    part = {"reason": "少一份", "points": 1}
    await played.post(shop.staff, f"/merchant/charges/{partly}/refund", part)
    organizer = await make_organizer(played.runtime, home.id)
    movement = {"change": 5, "reason": "到货"}
    moved = await played.post(organizer, f"/rewards/{soap.id}/stock", movement)
    film = await make_reward(played.runtime, shop, kind=RewardKind.voucher, points=2)
    await played.post(organizer, f"/rewards/{film.id}/voucher-codes", {"generate": 2})
    watched = await played.post(alice, "/redemptions", {"reward_id": str(film.id)})
    charge = await spend(played.api, played.runtime, alice, 3, shop)
    back = await spend(played.api, played.runtime, bob, 2, shop)
    await refund(played.api, shop, back)
    await give_award(played.runtime, carol, home, points=6)
    _, confirmed = await make_waiting(played.api, played.runtime, carol)
    confirmation = f"/me/charges/{confirmed['id']}/confirmation"
    await played.post(carol, confirmation, {})
    played.ids |= {
        "film": watched["id"],
        "shop": shop.merchant.id,
        "bank": bank.merchant.id,
        "staff": shop.staff.id,
        "soap": soap.id,
        "reserved": reserved.id,
        "kept": kept["id"],
        "cancelled": given_up.id,
        "charge": charge,
        "confirmed": confirmed["id"],
        "refunded": back,
        "undone": undone,
        "anew": back_again["replaced_by"],
        "partly": partly,
        "movement": moved["id"],
    }
    return shop


async def _settle(played: Played, home: Org, organizer: TestPerson, shop: Counter) -> None:
    """A past month of the shop is settled, under an agreement that has ended, without a line."""
    before = first_of() - timedelta(days=1)
    agreement = await make_agreement(played.runtime, shop, until=before, state="ended")
    made = await settle(played.api, organizer, shop, home.id, month_of(first_of(PAST)))
    assert made.is_success, made.text
    played.ids |= {"settlement": made.json()["id"], "agreement": agreement.id}


async def _redemption_day(played: Played, home: Org, people: list[TestPerson]) -> None:
    """An order that is collected, one that is replaced by a substitute, and a movement."""
    alice, bob, _ = people
    day = await make_day(played.api, played.runtime, 2, 1, org=home, slots=[slot_body(5)])
    slot = day.body["slots"][0]["id"]
    order = await day.ordered(alice, slot_id=slot)
    assert (await day.hand_over(order)).is_success
    broken = await day.ordered(bob, slot_id=slot)
    body = {"order_id": broken["id"], "item_id": day.item(1), "reason": "破损"}
    code = await day.card_code(bob)
    swapped = await day.act(day.counter.staff, "substitutions", **body, card_code=code)
    path = f"items/{day.item()}/movements"
    moved = await day.act(day.organizer, path, quantity=-1, reason="报废")
    played.ids |= {
        "day_item": day.item(),
        "day_slot": slot,
        "day_order": order["id"],
        "day_movement": moved.json()["id"],
        "substitution": swapped.json()["id"],
    }


async def _collected(played: Played, person: TestPerson, reward: Any, at: Counter) -> Any:
    held = await reserve(played.runtime, person.id, reward)
    body = {"pickup_code": held.pickup_code}
    await played.post(at.staff, "/merchant/redemptions/collect", body)
    return held.id


async def _decide(
    played: Played, home: Org, organizers: list[TestPerson], people: list[TestPerson]
) -> None:
    """Donations, deductions with an appeal, objections."""
    _, bob, carol = people
    administrator = await make_administrator(played.runtime, home.id)
    given = {"kind": "donation", "points": 50, "giver": "爱心企业"}
    given |= {"form": "money", "value_cents": 5000}
    receipt = await played.post(administrator, f"/orgs/{home.id}/fund/receipts", given)
    missed = await deduct(played.api, organizers[0], home, carol)
    appealed = await deduct(played.api, organizers[0], home, bob)
    await played.post(bob, f"/deductions/{appealed['id']}/appeal", {"reason": "我去了"})
    decision = {"granted": False, "reason": "已核实"}
    await played.post(organizers[1], f"/deductions/{appealed['id']}/decision", decision)
    path = f"/awards/{played.ids['donated']}/objections"
    objection = await played.post(carol, path, {"reason": "不属实"})
    auditor = await make_with_role(played.runtime, Role.auditor, org=home.id)
    played.ids |= {
        "receipt": receipt["id"],
        "deduction": missed["id"],
        "appealed": appealed["id"],
        "objection": objection["id"],
        "auditor": auditor.id,
    }


async def _merge(played: Played, home: Org) -> None:
    """Two accounts of one person, each with points."""
    absorbed, kept = [await make_person(played.runtime) for _ in "ab"]
    for one in (absorbed, kept):
        await give_award(played.runtime, one, home, points=4, minutes=30)
    first, second = [await make_administrator(played.runtime, home.id) for _ in "ab"]
    code, other = [
        (await played.api.get(f"{API}/me/card/code", headers=one.headers)).json()["code"]
        for one in (absorbed, kept)
    ]
    body = {"org_id": str(home.id), "absorbed_code": code, "kept_code": other}
    made = await played.post(first, "/people/merges", body | {"reason": "同一人"})
    await played.post(second, f"/people/merges/{made['id']}/confirmation")
    played.ids |= {"merge": made["id"], "absorbed": absorbed.id, "survivor": kept.id}


async def _link(played: Played, home: Org) -> None:
    """A shop is linked, and somebody checks in there."""
    made = await make_linked(played.api, played.runtime, home)
    done = await check_in(played.api, await make_person(played.runtime), made.code)
    played.ids |= {"linked": made.id, "visited": done.json()["id"]}


async def _exchange(played: Played, home: Org) -> None:
    """Points go over to another programme, three for two."""
    person = await make_person(played.runtime)
    await give_award(played.runtime, person, home, points=4)
    agreement = await make_exchange_agreement(played.runtime, home)
    body = {"agreement_id": str(agreement.id), "org_id": str(home.id), "points": 3}
    made = await played.post(person, "/exchanges", body)
    played.ids |= {
        "exchange_agreement": agreement.id,
        "foreign": agreement.other.org.id,
        "exchange": made["id"],
    }


async def _seal(played: Played, began: date) -> None:
    """Close and seal the days of the play, today too: nothing comes after it."""
    ended = local_date(now())
    days = [began - A_DAY + n * A_DAY for n in range((ended - began).days + 2)]
    async with played.runtime.database.transaction() as tx:
        await seals.close_days(tx, days)
    for day in days:
        async with played.runtime.database.transaction() as tx:
            assert await seals.seal_day(tx, day)
    async with played.runtime.database.read() as tx:
        chain = await seals.browse(tx, PageParams(limit=len(days)))
    played.ids |= {"today": days[-1], "before": days[-2]}
    played.seals = {one.day: bytes.fromhex(one.seal) for one in chain.items}
