"""The contract of the paths: what front-ends and acceptance checks call, name by name.

More may be added to each; none of these may change its meaning.
"""

import re
from typing import Any

import pytest
from fastapi import FastAPI

# Method, path, ``?`` query parameters, and the fields of the body; ``once``: an Idempotency-Key.
CONTRACT = """
POST /auth/wechat {code}
POST /auth/refresh {refresh_token}
POST /auth/logout {refresh_token}
GET /me
GET /orgs ?parent_id level q
GET /activities ?org_id category status starts_after q
POST /activities {org_id title description category starts_at ends_at signup_opens_at signup_closes_at capacity rule_key location}
POST /activities/{id}/publish
GET /activities/{id}
POST /activities/{id}/signups
DELETE /signups/{id}
GET /me/signups
GET /activities/{id}/checkin-code ?action
GET /activities/{id}/checkin-code.svg
POST /checkins {code location}
GET /me/points
GET /me/points/entries
GET /me/card
GET /me/card/code
GET /rewards ?org_id merchant_id
POST /redemptions {reward_id quantity} once
POST /redemptions/{id}/cancel
POST /merchant/redemptions/collect {pickup_code} once
POST /merchant/charges {card_code points note} once
POST /merchant/charges/{id}/refund {reason} once
GET /merchant/statement ?month
POST /awards {rule_key org_id person_ids quantity evidence} once
POST /ledger/transfers/{id}/reversal {reason} once
GET /leaderboards ?org_id period limit
GET /audit ?org_id subject_type subject_id actor_id since
GET /me/notices
POST /me/notices/read {up_to}
POST /attachments {file}
GET /attachments/{id}
GET /jobs/{id}
PUT /activities/{id}
DELETE /activities/{id}
POST /activities/{id}/cancel {reason}
POST /activities/{id}/close
POST /activities/{id}/copies once
GET /me/activities ?status
GET /activities/{id}/signups ?status q
GET /activities/{id}/checkins
POST /signups/{id}/removal {reason} once
POST /activities/{id}/messages {text} once
GET /people ?org_id q card_no
POST /people/{id}/suspension {reason}
POST /people/merges
GET /people/{id}/card/numbers ?org_id
GET /policies/current ?org_id
GET /policies ?org_id
POST /policies/checks
POST /policies/simulations
POST /policies
GET /awards/preview ?rule_key org_id person_id
GET /roles
POST /roles {role org_id merchant_id card_no person_id from until}
DELETE /roles/{id}
POST /orgs
PUT /orgs/{id}
POST /orgs/imports {file}
GET /merchants
POST /merchants
GET /merchants/{id}
PUT /merchants/{id}
POST /merchants/{id}/decision
POST /merchants/{id}/status
POST /merchants/{id}/staff
POST /rewards once
PUT /rewards/{id}
POST /rewards/{id}/status {status} once
POST /rewards/{id}/stock {change reason} once
GET /rewards/{id}
POST /merchant/redemptions/preview {pickup_code}
POST /merchant/charges/preview {card_code points}
GET /merchant/today
POST /merchant/redemptions/{id}/undo
GET /me/exports
POST /me/exports
DELETE /me
POST /me/reopening
GET /me/consents
PUT /me/consents
POST /me/subscriptions
GET /me/certificates/hours.pdf
GET /certificates/{id}
POST /checkouts {code location}
POST /activities/{id}/attendance {action card_code card_no person_id walk_in} once
POST /activities/{id}/attendance/batches once
PUT /checkins/{id} {checked_in_at checked_out_at reason} once
POST /checkins/{id}/annulment {reason} once
GET /activities/{id}/roster
POST /activities/{id}/scans
GET /devices
POST /devices
DELETE /devices/{id}
POST /devices/{id}/events
GET /activities/{id}/live
GET /activities/{id}/live/stream
POST /activities/{id}/sessions
POST /activities/{id}/posts
POST /activities/{id}/shifts
POST /shifts/{id}/swaps
GET /forms
POST /forms
GET /quests
POST /quests
"""  # noqa: E501 - a table
LINES = CONTRACT.strip().splitlines()
# Fields of the replies that a client reads by name.
REPLIES = {
    "AuditEntryOut": "id at actor verb subject from to reason",
    "NoticeOut": "id kind title text subject is_read created_at",
    "AttachmentOut": "id url thumbnail_url kind bytes",
    "StartedJobOut": "id kind state progress result",
    "CheckinCodeOut": "code expires_at refresh_after_seconds svg_url url",
    "CheckoutResultOut": "checkin award points",
    "PresenceOut": "id checked_in_at checked_out_at minutes",
    "ScansOut": "counted duplicate conflict refused",
}


def operation_at(document: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    """Return the operation of a path, whatever the names of its parameters."""
    for known, methods in document["paths"].items():
        if re.sub(r"\{[^}]+\}", "{id}", known) == f"/api/v1{path}":
            found: dict[str, Any] | None = methods.get(method.lower())
            if found is not None:
                return found
    return None


def missing(document: dict[str, Any], line: str) -> set[str]:
    """Return what a line of the table names and the document does not have."""
    method, path, *rest = line.split(" ", 2)
    asked = rest[0] if rest else ""
    operation = operation_at(document, method, path)
    if operation is None:
        return {f"{method} {path}"}
    given = {(one["in"], one["name"]) for one in operation.get("parameters", [])}
    given |= {("body", name) for name in fields_of(document, operation)}
    query, body = re.search(r"\?([a-z_ ]+)", asked), re.search(r"\{(.+)\}", asked)
    wanted = {("query", name) for name in (query[1].split() if query else ())}
    wanted |= {("body", name) for name in (body[1].split() if body else ())}
    wanted |= {("header", "idempotency-key")} if "once" in asked.split() else set()
    return {" ".join(one) for one in wanted - given}


def fields_of(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        found |= {*document["components"]["schemas"].get(name, {}).get("properties", {})}
    return found


@pytest.mark.parametrize("line", LINES)
def test_the_document_has_what_the_contract_names(app: FastAPI, line: str) -> None:
    assert missing(app.openapi(), line) == set()


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_has_the_fields_of_the_contract(app: FastAPI, name: str) -> None:
    schema = app.openapi()["components"]["schemas"][name]
    assert {*REPLIES[name].split()} - {*schema["properties"]} == set()


def test_what_is_missing_would_be_found(app: FastAPI) -> None:
    document = app.openapi()
    assert missing(document, "GET /people/{id}/friends") == {"GET /people/{id}/friends"}
    assert missing(document, "GET /people ?org_id nickname {mood} once") == {
        "query nickname",
        "body mood",
        "header idempotency-key",
    }
