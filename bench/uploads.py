"""``python -m bench.uploads``: an upload of 5,000 scans, beside as many direct check-ins.

A third of the scans is by offline code. The direct check-ins come in lists of as many as a slice
of the upload has, so the ratio is what signatures, offline codes and the report cost. Both are
timed in turn, on one migrated database and one process; the web framework is left out.
"""

import asyncio
import secrets
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from app.core import base64url
from app.core.clock import now
from app.core.signed_events import Action, Event, Signed
from app.embedded.layout import Engines
from app.models.activities import Activity
from app.models.cards import SHOWN_DIGITS, card_number
from app.models.devices import Device, DeviceKind
from app.queries import devices as device_queries
from app.runtime import Runtime
from app.schemas.scans import MOST
from app.serve import load_demonstration
from app.services.checkins import Scan
from app.services.scans import uploads
from app.services.scans.uploads import Parcel
from bench.crowd import Crowd, Resident, check_in, lists
from bench.growth import open_world
from bench.scratch import scratch_engines

ROUNDS, ALLOWED = 3, 0.25
out = Console()


async def measure(runtime: Runtime) -> tuple[float, float]:
    """Return the medians of uploaded scans and of direct check-ins a second."""
    await load_demonstration(runtime.settings)
    crowd = Crowd(runtime)
    uploaded, direct = [], []
    for _ in range(ROUNDS):
        people = await crowd.residents(2 * MOST)
        [place] = await crowd.activities(1, people[0], rule="volunteer_hour")
        await crowd.sign_up(people, [place])
        parcel = await _recorded(runtime, place, people[:MOST])
        began = time.perf_counter()
        reply = await uploads.receive(
            runtime.database, runtime.offline_codes, runtime.scan_uploads, parcel
        )
        uploaded.append(MOST / (time.perf_counter() - began))
        assert reply.counted == MOST - 1, "all but who registered the device"
        came = [Scan(place.serial, one.id) for one in people[MOST:]]
        began = time.perf_counter()
        for part in lists(came, uploads.SLICE):
            await check_in(runtime, part)
        direct.append(MOST / (time.perf_counter() - began))
    return statistics.median(uploaded), statistics.median(direct)


async def _recorded(runtime: Runtime, place: Activity, people: Sequence[Resident]) -> Parcel:
    """Let a device record people; every third shows an offline code."""
    key = Ed25519PrivateKey.from_private_bytes(secrets.token_bytes(32))
    async with runtime.database.transaction() as tx:
        device = await device_queries.add(
            tx,
            Device(
                org_id=place.org_id,
                created_by=people[0].id,
                name="门口",
                kind=DeviceKind.counter,
                public_key=key.public_key().public_bytes_raw(),
            ),
        )
        rows = await tx.fetch(
            "SELECT serial FROM cards WHERE person_id = ANY(CAST(:people AS uuid[]))",
            {"people": [one.id for one in people]},
        )
    assert device is not None, "a new key"
    at = now().timestamp()
    events = []
    for number, row in enumerate(rows, 1):
        text = _event(runtime, device.id, number, place.serial, row.serial, at).text
        events.append(Signed(text, base64url.encode(key.sign(text.encode()))))
    return Parcel(device.id, None, None, int(now().timestamp() * 1000), events)


def _event(
    runtime: Runtime, device: UUID, number: int, activity: int, card: int, at: float
) -> Event:
    common = (device, number, activity, 0, Action.check_in, int(at * 1000))
    if number % 3:
        return Event(*common, card=card)
    digits = card_number(card)[-SHOWN_DIGITS:]
    code = runtime.offline_codes.make(card, digits, activity, 0, int(at) // 300)
    return Event(*common, code=code, digits=digits)


async def run(found: Engines) -> int:
    async with AsyncExitStack() as stack:
        uploaded, direct = await measure(await open_world(stack, found, "uploads", 2))
    ratio = uploaded / direct
    out.print(
        f"an upload of {MOST:,} scans: {uploaded:,.0f}/s, {MOST / uploaded:.1f} s;"
        f" direct check-ins: {direct:,.0f}/s; ratio {ratio:.2f}, at least {ALLOWED}"
    )
    return int(ratio < ALLOWED)


def main() -> int:
    with scratch_engines() as (_, found):
        return asyncio.run(run(found))


if __name__ == "__main__":
    sys.exit(main())
