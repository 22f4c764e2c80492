"""A small world for one caller, so that generated requests reach what they name.

Everything that belongs to somebody belongs to the caller: its sign-ups, its redemptions,
the activities of its organisation, the charges of its counter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.jobs import seals
from app.models.activities import Activity, ActivityStatus
from app.models.orgs import Org
from app.models.people import Role
from app.queries import people
from app.runtime import Runtime
from tests.factories.activities import current_code, make_activity
from tests.factories.awards import approve, give_award, propose
from tests.factories.deductions import deduct
from tests.factories.http import keyed, log_in, wechat_code
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people, make_person
from tests.factories.rewards import make_card_codes, make_counter, make_reward
from tests.factories.sheets import make_sheet

API = "/api/v1"
# A phone's card codes live for a minute; these must not expire under way.
OUTLIVES_THE_RUN = timedelta(hours=1)
FEW, MANY = 4, 16
LIVE_CODE = "the code on the screen"
# Of a commendation, and of somebody who did not come.
EVIDENCE = {"document": "扬青发〔2026〕3号", "public_notice": "已公示五日", "activity": "植树"}
COMMENDED = ("document", "public_notice")
SEALED = timedelta(days=2)  # ago: that day is over
# Who calls. Nobody sends no token.
NOBODY, RESIDENT, STAFF = "nobody", "resident", Role.merchant_staff
ROLES: tuple[str, ...] = (NOBODY, RESIDENT, Role.organizer, STAFF, Role.auditor, Role.administrator)


@dataclass(frozen=True)
class World:
    """``known``: by the name of a parameter or field, what exists and the caller may name.

    ``sheet`` is one that may be uploaded. ``live_code`` gives what stands for LIVE_CODE
    when it is sent: it is soon too old.
    """

    headers: dict[str, str] = field(repr=False)
    known: Mapping[str, Sequence[str]]
    live_code: Callable[[], str] = str
    sheet: bytes = b""


async def make_world(runtime: Runtime, api: httpx.AsyncClient, role: str) -> World:
    org = await make_org(runtime)
    counter = await make_counter(runtime, org=org)
    caller = await _caller(runtime, role, org.id, counter.merchant.id)
    others = await make_people(runtime, FEW)
    organizer = await make_organizer(runtime, org.id)
    rewards = [await make_reward(runtime, counter, stock=MANY) for _ in range(FEW)]
    for person in (caller, *others):
        await give_points(runtime, person.id, 100_000, org=org.id, at=now() - SEALED)
    await seals.seal(runtime)
    charges = [await _charge(api, runtime, counter.staff, others[0]) for _ in range(FEW)]
    redemptions = [await _post(api, caller, "/redemptions", reward_id=r.id) for r in rewards]
    # Each is reviewed once, and many tries go to awards that are the caller's own.
    awards = await propose(api, organizer, org, *await make_people(runtime, MANY))
    shown = await _in_notice(api, runtime, org)
    objections = [
        await _post(api, one, f"/awards/{shown[0]['id']}/objections", reason="未到场")
        for one in others
    ]
    deductions = [await deduct(api, organizer, org, caller) for _ in range(FEW)]
    appealed = [await _appealed(api, organizer, org, one) for one in others]
    activities = await _activities(runtime, org)
    signups = [
        await _post(api, caller, f"/activities/{one.id}/signups") for one in activities[-FEW:]
    ]
    screens = cycle(activities[-FEW:])
    known = {
        "org_id": [str(org.id)],
        "person_ids[*]": [str(person.id) for person in (caller, *others)],
        "rows[*].person_id": [str(person.id) for person in others],
        "merchant_id": [str(counter.merchant.id)],
        "reward_id": [str(reward.id) for reward in rewards],
        "activity_id": [str(one.id) for one in activities],
        "signup_id": [signup["id"] for signup in signups],
        "person_id": [str(person.id) for person in others],
        "award_id": [award["id"] for award in (*awards, *shown[1:])],
        "objection_id": [one["id"] for one in objections],
        "deduction_id": [one["id"] for one in (*deductions, *appealed)],
        "transfer_id": [str(await give_award(runtime, caller, org)) for _ in range(FEW)],
        "charge_id": [charge["id"] for charge in charges],
        "redemption_id": [redemption["id"] for redemption in redemptions],
        "pickup_code": [redemption["pickup_code"] for redemption in redemptions],
        "card_code": await make_card_codes(runtime, caller, MANY, OUTLIVES_THE_RUN),
        "rule_key": ["volunteer_hour", "commendation", "no_show"],
        "month": [f"{now():%Y-%m}"],
        "starts_at": [(now() - timedelta(minutes=1)).isoformat()],
        "ends_at": [(now() + timedelta(hours=2)).isoformat()],
        "refresh_token": [(await log_in(api))["refresh_token"] for _ in range(MANY)],
        "code": [LIVE_CODE] * MANY + [await wechat_code(api, f"{role}-{n}") for n in range(MANY)],
    }
    return World(
        {} if role == NOBODY else caller.headers,
        known,
        lambda: current_code(runtime, next(screens)),
        make_sheet(
            ("person_id", *COMMENDED),
            *[(str(one.id), *(EVIDENCE[name] for name in COMMENDED)) for one in others],
        ),
    )


async def _caller(runtime: Runtime, role: str, org: UUID, merchant: UUID) -> TestPerson:
    caller = await make_person(runtime)
    async with runtime.database.transaction() as tx:
        if role == STAFF:
            await people.grant_role(tx, caller.id, Role(role), org=None, merchant=merchant)
        elif role in set(Role):
            await people.grant_role(tx, caller.id, Role(role), org=org, merchant=None)
    return caller


async def _activities(runtime: Runtime, org: Org) -> list[Activity]:
    """Some drafts, then some under way."""
    states = [ActivityStatus.draft] * FEW + [ActivityStatus.published] * FEW
    return [await make_activity(runtime, org=org, status=state) for state in states]


async def _in_notice(api: httpx.AsyncClient, runtime: Runtime, org: Org) -> list[dict[str, Any]]:
    """Awards that somebody proposed and somebody else approved."""
    proposer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    awards = await propose(api, proposer, org, *await make_people(runtime, FEW))
    return [(await approve(api, reviewer, award)).json() for award in awards]


async def _appealed(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, person: TestPerson
) -> dict[str, Any]:
    deduction = await deduct(api, organizer, org, person)
    path = f"{API}/deductions/{deduction['id']}/appeal"
    reply = await api.post(path, headers=keyed(person), json={"reason": "请过假"})
    assert reply.status_code == 200, reply.text
    return deduction


async def _charge(
    api: httpx.AsyncClient, runtime: Runtime, staff: TestPerson, payer: TestPerson
) -> dict[str, str]:
    [code] = await make_card_codes(runtime, payer, 1, OUTLIVES_THE_RUN)
    return await _post(api, staff, "/merchant/charges", card_code=code, points=5)


async def _post(
    api: httpx.AsyncClient, person: TestPerson, path: str, **body: object
) -> dict[str, str]:
    plain = {k: str(v) if isinstance(v, UUID) else v for k, v in body.items()}
    reply = await api.post(API + path, headers=keyed(person), json=plain)
    assert reply.status_code == 201, reply.text
    made: dict[str, str] = reply.json()
    return made
