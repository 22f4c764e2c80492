"""For each operation a request that reaches for something of Alice's, made anew each time.

An operation that is not here asks for nothing in particular: it takes no id and no body.
A second request of the same operation has a word after it: ``getActivity draft``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from app.core.clock import local_date, now
from app.models.activities import Activity, ActivityStatus
from tests.factories.activities import (
    activity_body,
    current_code,
    make_activity,
    make_attended,
)
from tests.factories.awards import approve, award_body, give_award, propose
from tests.factories.deductions import deduct, deduction_body
from tests.factories.http import keyed, log_in, wechat_code
from tests.factories.people import make_organizer
from tests.factories.rewards import make_card_codes, make_reward
from tests.factories.sheets import XLSX, make_sheet
from tests.security.world import World


@dataclass(frozen=True)
class Ask:
    """``ids`` fill the path of the route."""

    ids: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    files: dict[str, Any] | None = None  # fields of a form too, as (None, text)


Maker = Callable[[World], Awaitable[Ask]]


def _exported(make: Maker) -> Maker:
    """Ask for the file of a list, with a purpose."""

    async def ask(world: World) -> Ask:
        listed = await make(world)
        return replace(listed, query=listed.query | {"purpose": "核对"})

    return ask


REASON = {"reason": "x"}


async def _draft(world: World) -> Activity:
    return await make_activity(world.runtime, org=world.home, status=ActivityStatus.draft)


async def _made(world: World, person: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    caller = world.everybody[person]
    assert caller is not None
    response = await world.api.post(f"/api/v1/{path}", headers=keyed(caller), json=body)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def _redemption(world: World) -> dict[str, Any]:
    reward = await make_reward(world.runtime, world.shop)
    return await _made(world, "alice", "redemptions", {"reward_id": str(reward.id), "quantity": 1})


async def _signup(world: World) -> str:
    activity = await make_activity(world.runtime, org=world.home)
    return str((await _made(world, "alice", f"activities/{activity.id}/signups", {}))["id"])


async def _charge_body(world: World) -> dict[str, Any]:
    codes = await make_card_codes(world.runtime, world.alice, 1)
    return {"card_code": codes[0], "points": 1, "note": ""}


async def _charge(world: World) -> str:
    body = await _charge_body(world)
    return str((await _made(world, "counter", "merchant/charges", body))["id"])


async def _log_in(world: World) -> Ask:
    return Ask(body={"code": await wechat_code(world.api, f"user-{uuid4()}")})


async def _her_login(world: World) -> Ask:
    """Log Alice in once more: the login that she calls with must stay alive."""
    return Ask(body={"refresh_token": (await log_in(world.api, world.user))["refresh_token"]})


async def _update_me(_: World) -> Ask:
    return Ask(body={"display_name": "改名"})


async def _activity_of_home(world: World) -> Ask:
    return Ask({"activity_id": str((await make_activity(world.runtime, org=world.home)).id)})


async def _draft_of_home(world: World) -> Ask:
    return Ask({"activity_id": str((await _draft(world)).id)})


async def _drafts_of_home(world: World) -> Ask:
    await _draft(world)
    return Ask(query={"org_id": str(world.home.id), "status": "draft"})


async def _create_activity(world: World) -> Ask:
    return Ask(body=activity_body(world.home))


async def _cancel_signup(world: World) -> Ask:
    return Ask({"signup_id": await _signup(world)})


async def _list_signups(world: World) -> Ask:
    await _signup(world)
    return Ask()


async def _check_in(world: World) -> Ask:
    activity = await make_attended(world.runtime, world.alice, org=world.home)
    return Ask(body={"code": current_code(world.runtime, activity)})


async def _list_entries(world: World) -> Ask:
    await give_award(world.runtime, world.alice, world.home, points=1)
    return Ask()


async def _proof(world: World) -> Ask:
    await give_award(world.runtime, world.alice, world.home, points=1)
    return Ask({"number": "1"})


async def _transfer(world: World) -> Ask:
    given = await give_award(world.runtime, world.alice, world.home, points=1)
    return Ask({"transfer_id": str(given)}, REASON)


async def _propose(world: World) -> Ask:
    return Ask(body=award_body(world.home, [world.alice]))


async def _my_awards(world: World) -> Ask:
    await give_award(world.runtime, world.alice, world.home, points=1)
    return Ask()


async def _awards_of_home(world: World) -> Ask:
    await give_award(world.runtime, world.alice, world.home, points=1)
    return Ask(query={"org_id": str(world.home.id)})


async def _batch(world: World) -> Ask:
    row = {"person_id": str(world.alice.id), "evidence": {"certificate": uuid4().hex}}
    wanted = {"rule_key": "blood_donation", "org_id": str(world.home.id), "rows": [row]}
    return Ask(body=wanted)


async def _template(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id), "rule_key": "blood_donation"})


async def _sheet(world: World) -> Ask:
    line = (str(world.alice.id), uuid4().hex)
    fields = {name: (None, text) for name, text in (await _template(world)).query.items()}
    sheet = make_sheet(("person_id", "certificate"), line)
    return Ask(files=fields | {"file": ("awards.xlsx", sheet, XLSX)})


async def _award(world: World) -> Ask:
    proposer = await make_organizer(world.runtime, world.home.id)
    award = (await propose(world.api, proposer, world.home, world.alice))[0]
    return Ask({"award_id": award["id"]})


async def _rejected(world: World) -> Ask:
    return Ask((await _award(world)).ids, REASON)


async def _in_notice(world: World) -> str:
    proposed = (await _award(world)).ids
    reviewer = await make_organizer(world.runtime, world.home.id)
    approved = await approve(world.api, reviewer, {"id": proposed["award_id"]})
    assert approved.json()["state"] == "notice", approved.text
    return proposed["award_id"]


async def _notices_of_home(world: World) -> Ask:
    await _in_notice(world)
    return Ask(query={"org_id": str(world.home.id)})


async def _object(world: World) -> Ask:
    return Ask({"award_id": await _in_notice(world)}, REASON)


async def _objection(world: World) -> Ask:
    path = f"awards/{await _in_notice(world)}/objections"
    made = await _made(world, "bob", path, REASON)
    return Ask({"objection_id": str(made["id"])}, REASON | {"upheld": True})


async def _deduct(world: World) -> Ask:
    return Ask(body=deduction_body(world.home, world.alice))


async def _deducted(world: World) -> str:
    organizer = await make_organizer(world.runtime, world.home.id)
    return str((await deduct(world.api, organizer, world.home, world.alice))["id"])


async def _deductions_of_home(world: World) -> Ask:
    await _deducted(world)
    return Ask(query={"org_id": str(world.home.id)})


async def _my_deductions(world: World) -> Ask:
    await _deducted(world)
    return Ask()


async def _appeal(world: World) -> Ask:
    return Ask({"deduction_id": await _deducted(world)}, REASON)


async def _appealed(world: World) -> Ask:
    deduction = await _deducted(world)
    path = f"/api/v1/deductions/{deduction}/appeal"
    appealed = await world.api.post(path, headers=keyed(world.alice), json=REASON)
    assert appealed.status_code == 200, appealed.text
    return Ask({"deduction_id": deduction}, REASON | {"granted": True})


async def _audit_of_home(world: World) -> Ask:
    await _deducted(world)
    return Ask(query={"org_id": str(world.home.id)})


async def _fund(world: World) -> Ask:
    return Ask({"org_id": str(world.home.id)})


async def _receipt(world: World) -> Ask:
    return Ask((await _fund(world)).ids, {"kind": "donation", "points": 5, "giver": "甲"})


async def _redeem(world: World) -> Ask:
    reward = await make_reward(world.runtime, world.shop)
    return Ask(body={"reward_id": str(reward.id), "quantity": 1})


async def _cancel_redemption(world: World) -> Ask:
    return Ask({"redemption_id": (await _redemption(world))["id"]})


async def _list_redemptions(world: World) -> Ask:
    await _redemption(world)
    return Ask()


async def _collect(world: World) -> Ask:
    return Ask(body={"pickup_code": (await _redemption(world))["pickup_code"]})


async def _take_charge(world: World) -> Ask:
    return Ask(body=await _charge_body(world))


async def _refund(world: World) -> Ask:
    return Ask({"charge_id": await _charge(world)}, REASON)


async def _statement(world: World) -> Ask:
    await _charge(world)
    return Ask(query={"month": local_date(now()).isoformat()[:7]})


async def _leaderboard(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id)})


async def _attended(world: World) -> Ask:
    activity = await make_attended(world.runtime, world.alice, org=world.home)
    return Ask({"activity_id": str(activity.id)})


MAKERS: dict[str, Maker] = {
    "logIn": _log_in,
    "refreshLogin": _her_login,
    "logOut": _her_login,
    "updateMe": _update_me,
    "listActivities draft": _drafts_of_home,
    "createActivity": _create_activity,
    "getActivity": _attended,
    "getActivity draft": _draft_of_home,
    "publishActivity": _draft_of_home,
    "getCheckinCode": _activity_of_home,
    "getCheckinCodeSvg": _activity_of_home,
    "signUp": _activity_of_home,
    "cancelSignup": _cancel_signup,
    "listMySignups": _list_signups,
    "checkIn": _check_in,
    "listMyPointEntries": _list_entries,
    "proveMyPointEntry": _proof,
    "getMyStatementHtml": _list_entries,
    "getMyStatementXlsx": _list_entries,
    "reverseTransfer": _transfer,
    "proposeAwards": _propose,
    "proposeAwardBatch": _batch,
    "proposeAwardSheet": _sheet,
    "getAwardSheetTemplate": _template,
    "listMyAwards": _my_awards,
    "exportMyAwardsXlsx": _my_awards,
    "exportMyAwardsCsv": _my_awards,
    "listAwards": _awards_of_home,
    "exportAwardsXlsx": _exported(_awards_of_home),
    "exportAwardsCsv": _exported(_awards_of_home),
    "approveAward": _award,
    "rejectAward": _rejected,
    "listAwardNotices": _notices_of_home,
    "objectToAward": _object,
    "decideObjection": _objection,
    "deductPoints": _deduct,
    "listDeductions": _deductions_of_home,
    "exportDeductionsXlsx": _exported(_deductions_of_home),
    "exportDeductionsCsv": _exported(_deductions_of_home),
    "listMyDeductions": _my_deductions,
    "appealDeduction": _appeal,
    "decideAppeal": _appealed,
    "listAuditEntries": _audit_of_home,
    "exportAuditEntriesXlsx": _exported(_audit_of_home),
    "exportAuditEntriesCsv": _exported(_audit_of_home),
    "getFund": _fund,
    "listFundReceipts": _fund,
    "exportFundReceiptsXlsx": _exported(_fund),
    "exportFundReceiptsCsv": _exported(_fund),
    "receiveIntoFund": _receipt,
    "redeem": _redeem,
    "cancelRedemption": _cancel_redemption,
    "listMyRedemptions": _list_redemptions,
    "collectRedemption": _collect,
    "charge": _take_charge,
    "refundCharge": _refund,
    "getStatement": _statement,
    "exportStatementXlsx": _exported(_statement),
    "exportStatementCsv": _exported(_statement),
    "getLeaderboard": _leaderboard,
}
