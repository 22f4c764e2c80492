"""Rosters: who is expected at a session, encrypted for a device that will have no network."""

from uuid import UUID

from app.core import base64url, sealed_rosters
from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.sealed_rosters import Expected
from app.models.activities import Activity
from app.models.devices import Device, DeviceState
from app.queries import rosters as queries
from app.schemas.rosters import RosterOut
from app.services import activities, audit, devices, offline_codes
from app.services.devices import DeviceNotFound, DeviceWrongState

MOST = 5000  # as many as one upload may have scans


class NoRosterKey(Refusal):
    code, status, title = "rosters.no_key", 409, "No key for rosters"
    zh, en = (
        "该设备未登记 X25519 公钥，不能接收名单",
        "The device was registered without an X25519 key, so it gets no rosters.",
    )


class RosterTooLarge(Refusal):
    code, status, title = "rosters.too_large", 409, "Roster too large"
    zh, en = (
        "名单超过 5000 人，设备不能离线使用",
        "More than 5,000 people are expected: too many for a device without network.",
    )


async def seal(
    tx: Session, caller: UUID, activity_id: UUID, device_id: UUID, session: int | None
) -> RosterOut:
    """Return the confirmed places of a session, encrypted for a device; the reading is on record.

    Points by the caller's own check-in wait for another organizer from then on: whoever has the
    device in hand could scan their own card.

    Raises ActivityNotFound, Forbidden, SessionNotFound, ActivityNotOpen, OfflineTooEarly,
    DeviceNotFound, DeviceWrongState, NoRosterKey, RosterTooLarge.
    """
    activity = await activities.co_organized(tx, caller, activity_id)
    window = await offline_codes.window(tx, activity, session, now())
    number = window.session
    device = await _usable(tx, activity, device_id)
    if device.roster_key is None:
        raise NoRosterKey
    places = await queries.places(tx, activity, number, MOST + 1)
    if len(places) > MOST:
        raise RosterTooLarge
    await activities.note_part(tx, caller, activity, caller)
    facts = audit.about("device", device.id) | {"list": "roster", "rows": len(places)}
    await audit.write(tx, caller, "viewed", activity, facts=facts | {"session": number})
    expected = [Expected(card, name, signup) for signup, card, name in places]
    sealed = sealed_rosters.seal(device.roster_key, device.id, activity.serial, number, expected)
    return RosterOut(
        device_id=device.id,
        activity_id=activity.id,
        activity_serial=activity.serial,
        session=number,
        opens_at=window.opens_at,
        closes_at=window.closes_at,
        people=len(places),
        sealed=base64url.encode(sealed),
    )


async def _usable(tx: Session, activity: Activity, device_id: UUID) -> Device:
    """Return a device that can be used at an activity: of its organisation, above it or below it.

    Raises DeviceNotFound, DeviceWrongState.
    """
    device, path = await devices.find(tx, device_id)
    if not devices.is_near(path, activity.org_path):
        raise DeviceNotFound
    if device.state != DeviceState.active:
        raise DeviceWrongState(status=device.state)
    return device
