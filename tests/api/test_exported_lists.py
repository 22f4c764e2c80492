"""Every list has files beside it, or stands here with the reason why not."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

# By operation: why its items are no file.
_BOARD = "a board of a hundred ranks at most, and the caller's own rank"
_WHOLE = "a few items, whole in one reply"
_SUMMARY = "parts of one summary, which is read as a whole"
NOT_EXPORTED = {
    "getLeaderboard": _BOARD,
    "getHoursLeaderboard": _BOARD,
    "getOrgLeaderboard": _BOARD,
    "listHonours": _BOARD,
    "getToday": "a counter's day, whole in one reply; the statement of the day is a file",
    "getOurMonth": "a merchant's month; its statement is a file",
    "getMyCardCodes": "codes that live for a minute",
    "listMyPointEntries": "the statement of the passbook is the file of it",
    "listMyNotices": "one's own inbox; the copy of one's data holds it",
    "listMyQueues": "what waits for the caller now, by kind",
    "listMyDataCopies": "files already",
    "listMyChildren": _WHOLE,
    "listMySubscriptions": _WHOLE,
    "listConsentTexts": _WHOLE,
    "listCoOrganizers": _WHOLE,
    "listPosts": _WHOLE,
    "listStaff": _WHOLE,
    "listStewardsOfDay": _WHOLE,
    "listEndedCardNumbers": "a few numbers of one person; each look at them is on record",
    "listCourtesies": "each has a matrix of cells, which no row of a table shows",
    "listMyCourtesies": "what the caller may claim now; the claims are a file",
    "listMyCourtesyGrants": _WHOLE,
    "listMyPersonCategories": _WHOLE,
    "listWebhooks": _WHOLE,
    "listWebhookDeliveries": "for whoever runs the till; deleted after ninety days",
    "listWebhookAttempts": "as listWebhookDeliveries",
    "listAttachments": "pictures and documents, which are fetched one by one",
    "getRedemptionDay": _SUMMARY,
    "getDayReport": _SUMMARY,
    "getRewardList": _SUMMARY,
}


def lists(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and operation of every GET that replies with ``items``."""
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        if "items" in schemas.get(name, {}).get("properties", {}):
            yield path, methods["get"]["operationId"]


def without_files(document: dict[str, Any]) -> set[str]:
    paths = document["paths"]
    return {
        name
        for path, name in lists(document)
        if not {f"{path}.xlsx", f"{path}.csv"} <= paths.keys()
    }


def test_a_list_has_files_or_a_reason_why_not(app: FastAPI) -> None:
    assert without_files(app.openapi()) == NOT_EXPORTED.keys()


def test_a_list_without_files_would_be_found(app: FastAPI) -> None:
    document = app.openapi()
    left = {path: one for path, one in document["paths"].items() if path != "/api/v1/people.csv"}
    assert without_files(document | {"paths": left}) - NOT_EXPORTED.keys() == {"listMembers"}
