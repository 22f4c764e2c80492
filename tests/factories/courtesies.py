"""Courtesies for tests: published ones, categories of people, claims and grants."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import local_date, now
from app.models.cards import CodePurpose
from app.models.orgs import Org
from app.queries import cards as card_queries
from app.runtime import Runtime
from tests.factories.http import keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer
from tests.factories.rewards import Counter, make_card_codes, make_counter

API = "/api/v1"
DAY = timedelta(days=1)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


@dataclass
class Offer:
    """A courtesy with its organisation, an organizer, and a merchant where it is used."""

    api: httpx.AsyncClient
    runtime: Runtime
    org: Org
    organizer: TestPerson
    counter: Counter
    body: dict[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def path(self) -> str:
        return f"{API}/courtesies/{self.id}"

    async def post(self, who: TestPerson, path: str, **body: Any) -> httpx.Response:
        """Send a request below /api/v1."""
        return await self.api.post(f"{API}/{path}", headers=keyed(who), json=body)

    async def claim(self, who: TestPerson) -> httpx.Response:
        return await self.post(who, f"courtesies/{self.id}/claims")

    async def claimed(self, who: TestPerson) -> dict[str, Any]:
        return _made(await self.claim(who))

    async def use(
        self, who: TestPerson, claim: str, counter: Counter | None = None
    ) -> httpx.Response:
        """Use a claim at a counter with a new code of the person's card."""
        [code] = await make_card_codes(self.runtime, who, 1)
        path = f"merchant/courtesy-claims/{claim}/use"
        return await self.post((counter or self.counter).staff, path, card_code=code)

    async def record(self, *people: TestPerson, category: str = "rider") -> dict[str, Any]:
        """Let the organizer record a category of people until tomorrow."""
        body = category_body(self.org, *people, category=category)
        return _made(await self.post(self.organizer, "person-categories", **body))

    async def grant(self, *people: TestPerson, **changes: Any) -> httpx.Response:
        body = grant_body(self, *people) | changes
        return await self.post(self.organizer, "courtesy-grants", **body)

    async def granted(self, *people: TestPerson, **changes: Any) -> dict[str, Any]:
        return _made(await self.grant(*people, **changes))

    async def claim_grant(self, who: TestPerson, grant: dict[str, Any]) -> httpx.Response:
        return await self.post(who, f"courtesy-grants/{grant['id']}/claims")

    async def seen(self, who: TestPerson) -> dict[str, Any]:
        """Return what a person may have of it."""
        reply = await self.api.get(self.path, headers=who.headers)
        mine: dict[str, Any] = reply.json()["mine"]
        return mine


def _made(reply: httpx.Response) -> dict[str, Any]:
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


def are_ids(value: object) -> bool:
    """Tell whether a value of a generated body is a list of ids that the schema allows."""
    if not isinstance(value, list) or not 0 < len(value) <= 10:
        return False
    try:
        return all(str(UUID(one)) == one.lower() for one in value)
    except (AttributeError, TypeError, ValueError):
        return False


def is_moment(value: object) -> bool:
    """Tell whether a value of a generated body is a time that the schema allows."""
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        return False
    try:
        return 2000 <= datetime.fromisoformat(value).year < 2100
    except ValueError:
        return False


def courtesy_body(org: Org, counter: Counter, **changes: Any) -> dict[str, Any]:
    """Return a courtesy that everybody may claim once a year, from yesterday on."""
    return {
        "org_id": str(org.id),
        "name": "健康体检",
        "venue": "青年之家",
        "places": [str(counter.merchant.id)],
        "period": "year",
        "starts_at": (now() - DAY).isoformat(),
        "ends_at": (now() + 800 * DAY).isoformat(),
        "cells": [{"quota": 1}],
    } | changes


def category_body(org: Org, *people: TestPerson, category: str = "rider") -> dict[str, Any]:
    return {
        "org_id": str(org.id),
        "category": category,
        "person_ids": [str(one.id) for one in people],
        "until": (local_date(now()) + 2 * DAY).isoformat(),
        "reason": "骑手名册",
    }


def grant_body(offer: Offer, *people: TestPerson) -> dict[str, Any]:
    return {
        "org_id": str(offer.org.id),
        "title": "暖心大礼包",
        "courtesy_ids": [offer.id],
        "person_ids": [str(one.id) for one in people],
        "claim_until": (now() + DAY).isoformat(),
        "reason": "骑手名册",
    }


async def make_offer(
    api: httpx.AsyncClient,
    runtime: Runtime,
    *,
    org: Org | None = None,
    counter: Counter | None = None,
    published: bool = True,
    **changes: Any,
) -> Offer:
    """Create a courtesy, published by default. ``changes``: of ``courtesy_body``."""
    org = org or await make_org(runtime)
    counter = counter or await make_counter(runtime, org=org)
    organizer = await make_organizer(runtime, org.id)
    body = courtesy_body(org, counter, **changes)
    reply = await api.post(f"{API}/courtesies", headers=keyed(organizer), json=body)
    offer = Offer(api, runtime, org, organizer, counter, _made(reply))
    if published:
        done = await offer.post(organizer, f"courtesies/{offer.id}/publish")
        assert done.status_code == 200, done.text
        offer.body = done.json()
    return offer


async def make_code_for(runtime: Runtime, person: TestPerson, purpose: CodePurpose) -> str:
    """Create a code of a purpose."""
    code = f"{secrets.randbelow(10**18):018}"
    async with runtime.database.transaction() as tx:
        expires_at = now() + timedelta(minutes=1)
        assert await card_queries.insert_code(tx, person.id, code, expires_at, None, purpose)
    return code
