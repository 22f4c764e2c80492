"""Operations sent with the examples of their bodies, on the demonstration data of development.

Shows that an example can be sent as it stands, and yields the replies that the month of the
demonstration has none of. Every step wants a reply of the 200s.
"""

from io import BytesIO
from typing import Any

from openpyxl import load_workbook

from app.demo import (
    tour_cards,
    tour_children,
    tour_days,
    tour_doors,
    tour_lists,
    tour_offices,
    tour_presences,
    tour_quests,
    tour_scans,
    tour_series,
    tour_webhooks,
)
from app.demo.caller import Caller
from app.demo.cast import CAST, CITY, MERCHANT_IDS, PERSON_IDS, STREET, fixed_id
from app.demo.phone import Network, Unexpected, until

CITY_ID, STREET_ID = str(fixed_id(0, CITY)), str(fixed_id(0, STREET))
CAFE, COUNTER = (str(MERCHANT_IDS[user]) for user in ("merchant", "merchant2"))
BOB = str(PERSON_IDS["bob"])
ALICES_CARD = "6800000000072"
BOBS_CARD = "6800000000080"
ROW: dict[str, str | int] = {
    "card_no": BOBS_CARD,
    "quantity": 1,
    "grade": "town",
    "document": "扬青发〔2026〕4号",
    "public_notice": "5 日",
}
SEALED_WITHIN_S = 90.0
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "78da63f8ffff3f0005fe02fe0def46b80000000049454e44ae426082"
)


async def travel(network: Network) -> None:
    """Make the whole tour. Raises Unexpected at the first refusal."""
    document = (await network.client.get("/openapi.json")).json()
    tour = Caller(network, document)
    for stop in STOPS:
        await stop(tour)


async def _first(tour: Caller) -> None:
    await tour.do("alice", "isAlive")
    await tour.do("alice", "isReady")
    await tour.do("alice", "redeem")  # before anything takes points from her
    refreshed = tour.phones["alice"]
    login = await refreshed.log_in()
    await tour.do("alice", "refreshLogin", {"refresh_token": login["refresh_token"]})


async def _activities(tour: Caller) -> None:
    made = await tour.do("organizer", "createActivity")
    await tour.do("organizer", "publishActivity", activity_id=made["id"])
    place = {"activity_id": made["id"]}
    edited = await tour.do("organizer", "getActivity", **place)
    await tour.do("organizer", "editActivity", version=edited["version"], **place)
    for user in ("alice", "bob"):
        signup = await tour.do(user, "signUp", **place)
    await tour.do("organizer", "signUpGroup", **place)
    await tour.do("organizer", "listActivitySignups", **place)
    await tour.do("organizer", "removeSignup", signup_id=signup["id"])
    await tour.do("organizer", "sendActivityMessage", **place)
    await tour.do("organizer", "listActivityMessages", **place)
    await tour.do("organizer", "addCoOrganizer", **place)
    await tour.do("organizer", "listCoOrganizers", **place)
    copy = await tour.do("organizer", "copyActivity", **place)
    await tour.do("organizer", "publishActivity", activity_id=copy["id"])
    await tour.do("organizer", "cancelActivity", activity_id=copy["id"])
    listed = await tour.do("alice", "listActivities", org_id=STREET_ID, limit=2)
    await tour.do("organizer", "listActivityCheckins", activity_id=listed["items"][0]["id"])
    await tour.do("organizer", "closeActivity", activity_id=listed["items"][0]["id"])
    fields = {"subject_type": "activity", "subject_id": made["id"]}
    picture = await tour.upload("organizer", "/attachments", "cover.png", PNG, **fields)
    await tour.do("organizer", "listAttachments", **fields)
    await tour.do("organizer", "getAttachment", attachment_id=picture["id"])


async def _forms(tour: Caller) -> None:
    form = await tour.do("organizer", "createForm")
    place = {"form_id": form["id"]}
    await tour.do("organizer", "editForm", {"title": "志愿者报名表二"}, form["version"], **place)
    await tour.do("organizer", "publishForm", **place)
    await tour.do("organizer", "listForms", org_id=STREET_ID)
    await tour.do("organizer", "getForm", **place)
    made = await tour.do("organizer", "createActivity")
    activity = {"activity_id": made["id"]}
    await tour.do("organizer", "publishActivity", **activity)
    await tour.do("organizer", "setActivityForm", place, **activity)
    asked = await tour.do("alice", "getActivityForm", **activity)
    named = {"form_version_id": asked["form_version_id"]}
    await tour.do("alice", "answerActivityForm", named, **activity)
    await tour.do("alice", "getActivityForm", **activity)
    await tour.do("organizer", "listActivityAnswers", **activity)
    other = await tour.do("organizer", "createActivity")
    await tour.do("organizer", "setActivityForm", place, activity_id=other["id"])
    await tour.do("organizer", "removeActivityForm", activity_id=other["id"])
    await tour.do("organizer", "retireForm", **place)


async def _places(tour: Caller) -> None:
    """A place that an organizer approves, and one that is offered to who waits."""
    asked = {"capacity": 1, "signup_terms": {"needs_approval": True, "offer_minutes": 30}}
    made = await tour.do("organizer", "createActivity", asked)
    await tour.do("organizer", "publishActivity", activity_id=made["id"])
    signups = [await tour.do(user, "signUp", activity_id=made["id"]) for user in ("alice", "bob")]
    for one in signups:
        await tour.do("organizer", "decideSignup", signup_id=one["id"])
    await tour.do("alice", "cancelSignup", signup_id=signups[0]["id"])
    await tour.do("bob", "acceptPlace", signup_id=signups[1]["id"])


async def _templates(tour: Caller) -> None:
    made = await tour.do("organizer", "createActivityTemplate")
    place = {"activity_template_id": made["id"]}
    await tour.do("organizer", "listActivityTemplates", org_id=STREET_ID)
    await tour.do("organizer", "getActivityTemplate", **place)
    await tour.do("organizer", "editActivityTemplate", version=made["version"], **place)
    await tour.do("organizer", "startActivity", **place)


async def _awards(tour: Caller) -> None:
    asked = {"org_id": STREET_ID, "rule_key": "commendation", "grade": "town"}
    await tour.do("organizer", "previewAward", card_no=ALICES_CARD, **asked)
    proposed = await tour.do("organizer", "proposeAwards")
    await tour.do("organizer2", "approveAwards", {"award_ids": _awards_of(proposed["items"])})
    shown = proposed["items"][1]["award"]["id"]  # bob's
    objection = await tour.do("alice", "objectToAward", award_id=shown)
    await tour.do("admin", "decideObjection", objection_id=objection["id"])
    batch = await tour.do("organizer", "proposeAwardBatch")
    first, second = _awards_of(batch["rows"])
    await tour.do("organizer2", "rejectAward", award_id=first)
    await tour.do("organizer2", "rejectAwards", {"award_ids": [second]})
    sheet = await _filled(tour)
    rule = {"org_id": STREET_ID, "rule_key": "commendation"}
    await tour.upload("organizer", "/awards/batches/sheet", "awards.xlsx", sheet, **rule)
    await tour.do("organizer", "listAwards", org_id=STREET_ID)
    mine = await tour.do("alice", "listMyAwards")
    paid = next(
        one["award"]["id"]
        for one in mine["items"]
        if one["award"]["points"] >= 5 and one["award"]["state"] in ("available", "spent")
    )
    await tour.do("admin", "reverseTransfer", transfer_id=paid)
    await tour.do("organizer", "listMyQueues")


async def _filled(tour: Caller) -> bytes:
    """Fill in the template of a rule for one person."""
    template = await tour.do(
        "organizer", "getAwardSheetTemplate", org_id=STREET_ID, rule_key="commendation"
    )
    workbook = load_workbook(BytesIO(template))
    sheet = workbook.worksheets[0]
    sheet.append([_cell(str(heading.value)) for heading in sheet[1]])
    filled = BytesIO()
    workbook.save(filled)
    return filled.getvalue()


def _cell(heading: str) -> str | int | None:
    """Return a value for a column, whose heading holds the name of the field."""
    for name, value in ROW.items():
        if name in heading:
            return value
    return None


def _awards_of(items: list[dict[str, Any]]) -> list[str]:
    return [one["award"]["id"] for one in items]


async def _people(tour: Caller) -> None:
    await tour.do("alice", "updateMe")
    await tour.do("bob", "updateMe", {"display_name": CAST["bob"]})
    await tour.do("organizer", "confirmName", {"display_name": CAST["bob"]}, person_id=BOB)
    await tour.do("alice", "issueMyCertificate")
    await tour.do("alice", "getMyCertificateOfHours")
    await tour.do("alice", "listMyCertificates")
    await tour.do("alice", "listConsentTexts")
    await tour.do("alice", "recordMyConsent")
    await tour.do("alice", "listMyConsents")
    await tour.do("alice", "createStatementLink")
    await tour.do("alice", "answerSubscriptions")
    await tour.do("alice", "listMySubscriptions")
    await tour.do("alice", "getHoursLeaderboard", period="all", around="me")
    await tour.do("alice", "getOrgLeaderboard", level="street", period="all")
    notices = await tour.do("alice", "listMyNotices")
    await tour.do("alice", "readMyNotices", {"up_to": notices["items"][0]["id"]})
    await tour.do("organizer", "deductPoints")
    await tour.do("organizer", "listDeductions", org_id=STREET_ID)
    await tour.do("alice", "listMyDeductions")
    for name in ("closeMyAccount", "getMyClosure", "keepMyAccount"):
        await tour.do("carol", name)
    await tour.do("admin", "listMembers", org_id=STREET_ID)
    person = {"org_id": CITY_ID, "person_id": BOB}
    await tour.do("admin", "getMember", **person)
    for operation in ("suspendCard", "restoreCard", "suspendMember", "restoreMember"):
        await tour.do("admin", operation, person_id=BOB)


async def _merchants(tour: Caller) -> None:
    applied = await tour.do("alice", "applyAsMerchant")
    declined = {"approved": False, "reason": "资料不全"}
    await tour.do("admin", "decideMerchant", declined, merchant_id=applied["id"])
    cafe = {"merchant_id": CAFE}
    await tour.do("organizer", "listMerchants", org_id=STREET_ID)
    found = await tour.do("organizer", "getMerchant", **cafe)
    await tour.do("organizer", "editMerchant", version=found["version"], **cafe)
    await tour.do("organizer", "recordVisit", **cafe)
    await tour.do("organizer", "listVisits", **cafe)
    await tour.do("merchant", "listMyMerchants")
    await tour.do("merchant", "getToday")
    shop = await tour.do("organizer", "openShop", **cafe)
    await tour.do("alice", "listShops")
    await tour.do("organizer", "editShop", version=shop["version"], shop_id=shop["id"])
    await tour.do("organizer", "moveShop", shop_id=shop["id"])
    await tour.do("organizer", "getMerchantStatement", **cafe)
    await tour.do("organizer", "listRedemptions", org_id=STREET_ID)
    for status in ("suspended", "active"):
        await tour.do("admin", "setMerchantStatus", {"status": status}, **cafe)


async def _rewards(tour: Caller) -> None:
    made = await tour.do("organizer", "createReward")
    place = {"reward_id": made["id"]}
    await tour.do("organizer", "setRewardStatus", **place)
    await tour.do("alice", "getReward", **place)
    await tour.do("organizer", "moveStock", **place)
    await tour.do("organizer", "listStockMovements", **place)
    edited = await tour.do("organizer", "getReward", **place)
    await tour.do("organizer", "editReward", version=edited["version"], **place)
    await tour.do("organizer", "setRewardStatus", {"status": "withdrawn"}, **place)
    await tour.do("organizer", "listAllRewards", org_id=STREET_ID)
    await tour.do("organizer", "removeStaff", merchant_id=COUNTER)


async def _orgs(tour: Caller) -> None:
    made = await tour.do("admin", "createOrg")
    place = {"org_id": made["id"]}
    await tour.do("admin", "renameOrg", **place)
    others = await tour.do("admin", "listOrgs", level="street", limit=2)
    await tour.do("admin", "moveOrg", {"parent_id": others["items"][1]["id"]}, **place)
    await tour.do("admin", "setOrgContact", **place)
    await tour.do("admin", "closeOrg", **place)
    await tour.do("admin", "reopenOrg", **place)
    await tour.do("admin", "giveRole")
    await tour.do("admin", "giveRole", {"role": "administrator", "card_no": BOBS_CARD})
    await tour.do("admin", "offerAppointment")
    await tour.do("auditor", "listAppointments", org_id=CITY_ID)
    await tour.do("auditor", "listAuditEntries", org_id=CITY_ID)
    await tour.do("alice", "getCurrentPolicy", org_id=STREET_ID)
    await tour.do("admin", "listPolicyVersions", org_id=CITY_ID)


async def _funds(tour: Caller) -> None:
    street = {"org_id": STREET_ID}
    receipt = await tour.do("admin", "receiveIntoFund", **street)
    await tour.do("alice", "getFund", **street)
    await tour.do("alice", "listFundReceipts", **street)
    place = {**street, "receipt_id": receipt["id"]}
    await tour.do("alice", "getFundReceipt", **place)
    await tour.do("alice", "listFundMonths", **street)
    await tour.do("alice", "getFundCoverage", **street)
    await tour.do("alice", "listFundPeriods", **street, period="quarter")
    await tour.do("admin", "proposeReceiptReversal", **place)
    del tour.phones["bob"]  # _people ended his login, _orgs made him administrator
    await tour.do("bob", "decideReceiptReversal", **place)


async def _proofs(tour: Caller) -> None:
    """Wait for the seals, which the worker writes once a minute."""

    async def is_sealed() -> bool:
        return bool((await tour.do("alice", "listSeals"))["items"])

    if not await until(is_sealed, True, SEALED_WITHIN_S):
        raise Unexpected("listSeals", "a seal", "none")
    await tour.do("alice", "proveMyPointEntry", number=1)


STOPS = (
    *(_first, *tour_lists.STOPS, _activities, _forms, _places, _templates, _awards, _people),
    *(_merchants, _rewards, _orgs, _funds, *tour_doors.STOPS, *tour_offices.STOPS),
    *(*tour_quests.STOPS, *tour_series.STOPS, *tour_presences.STOPS, *tour_children.STOPS),
    *(*tour_scans.STOPS, *tour_webhooks.STOPS, *tour_days.STOPS, *tour_cards.STOPS, _proofs),
)
