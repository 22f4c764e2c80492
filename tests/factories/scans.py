"""Scans for tests: a device that records people without network, and what it uploads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx

from app.core import base64url
from app.core.clock import now
from app.core.signed_events import Action, Event
from app.models.activities import Activity
from app.models.cards import Card, card_number
from app.runtime import Runtime
from app.services import signups
from app.services.signups import Claim, Claimed
from tests.factories.devices import TestDevice
from tests.factories.people import TestPerson

Signed = dict[str, str]


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


async def card_of(runtime: Runtime, person: TestPerson) -> int:
    """Return the serial of a person's card."""
    return await card_serial(runtime, person.id)


async def card_serial(runtime: Runtime, person: UUID) -> int:
    async with runtime.database.read() as tx:
        card = await tx.get(Card, person)
    assert card is not None
    return card.serial


async def sign_up_before(runtime: Runtime, activity: Activity, *people: TestPerson) -> None:
    """Sign people up an hour before the start."""
    async with runtime.database.transaction() as tx:
        claims = [Claim(activity.id, one.id) for one in people]
        outcomes = await signups.claim(tx, claims, activity.starts_at - timedelta(hours=1))
    assert all(isinstance(one, Claimed) for one in outcomes)


@dataclass
class Recorder:
    """A device at an activity. ``ahead_ms``: how much its clock is ahead of the server's."""

    runtime: Runtime
    device: TestDevice
    activity: Activity
    ahead_ms: int = 0
    sequences: Any = field(default_factory=lambda: count(1))

    def sign(self, event: Event) -> Signed:
        signature = self.device.signing_key.sign(event.text.encode())
        return {"text": event.text, "signature": base64url.encode(signature)}

    def event(self, at: datetime, action: Action = Action.check_in, **changes: Any) -> Event:
        values: dict[str, Any] = {
            "device": UUID(self.device.id),
            "sequence": changes.pop("sequence", None) or next(self.sequences),
            "activity": self.activity.serial,
            "session": 0,
            "action": action,
            "clock_ms": ms(at) + self.ahead_ms,
        }
        return Event(**(values | changes))

    async def came(self, person: TestPerson, at: datetime, **changes: Any) -> Signed:
        card = await card_of(self.runtime, person)
        return self.sign(self.event(at, card=card, **changes))

    async def left(self, person: TestPerson, at: datetime, **changes: Any) -> Signed:
        return await self.came(person, at, action=Action.check_out, **changes)

    async def showed(
        self,
        person: TestPerson,
        at: datetime,
        *,
        of: Activity | None = None,
        digits: str | None = None,
        code_at: datetime | None = None,
        **changes: Any,
    ) -> Signed:
        """Record the offline code that a person shows: of ``of`` and ``code_at`` if given."""
        card = await card_of(self.runtime, person)
        own = card_number(card)[-4:]
        step = int((code_at or at).timestamp()) // 300
        serial = (of or self.activity).serial
        session = changes.get("session", 0)
        code = self.runtime.offline_codes.make(card, own, serial, session, step)
        return self.sign(self.event(at, code=code, digits=digits or own, **changes))

    def body(self, events: Sequence[Signed], *, sent: datetime | None = None) -> dict[str, Any]:
        return {"sent_ms": ms(sent or now()) + self.ahead_ms, "events": list(events)}

    async def upload(
        self, api: httpx.AsyncClient, steward: TestPerson, events: Sequence[Signed]
    ) -> dict[str, Any]:
        """Upload by a steward; return the reply."""
        path = f"/api/v1/activities/{self.activity.id}/scans"
        body = self.body(events) | {"device_id": self.device.id}
        reply = await api.post(path, headers=steward.headers, json=body)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def send(self, api: httpx.AsyncClient, events: Sequence[Signed]) -> dict[str, Any]:
        """Upload by the device itself; return the reply."""
        path = f"/api/v1/devices/{self.device.id}/events"
        reply = await api.post(path, json=self.body(events))
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found


def told(reply: dict[str, Any]) -> list[str]:
    """Return outcome and reason of each event of a reply."""
    return [one["reason"] or one["outcome"] for one in reply["items"]]
