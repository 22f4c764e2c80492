"""Devices: an organisation registers their keys, and revokes them.

Who revokes a device because it was lost or stolen wants every event of its key refused from then
on: there is no way back to active. The same phone is registered anew, with a new key.
"""

from collections.abc import Sequence
from uuid import UUID

from app.core import base64url
from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.models.devices import Device, DeviceKind, DeviceState
from app.queries import devices as queries
from app.queries import orgs as org_queries
from app.queries import records as record_queries
from app.schemas.devices import DeviceIn, DeviceOut
from app.services import audit, orgs, people, records

MOST = 200  # active ones of an organisation
MOVES = {DeviceState.active: {DeviceState.revoked}}


class DeviceNotFound(Refusal):
    code, status, title = "devices.not_found", 404, "No such device"
    zh, en = "设备不存在", "There is no such device."


class DeviceWrongState(records.WrongState):
    code = "devices.wrong_state"


class DeviceKeyTaken(Refusal):
    code, status, title = "devices.key_taken", 409, "Key taken"
    zh, en = (
        "该公钥已登记过，请为设备生成新的密钥",
        "This public key belongs or belonged to a device: make new keys.",
    )


class TooManyDevices(Refusal):
    code, status, title = "devices.too_many", 409, "Too many devices"
    zh, en = "本组织的设备数量已达上限", "The organisation has as many devices as it may have."
    fact_names = ("limit", "used")


async def register(tx: Session, caller: UUID, body: DeviceIn) -> DeviceOut:
    """Register a device. Raises OrgNotFound, Forbidden, OrgClosed, TooManyDevices, DeviceKeyTaken.

    The organisation is locked before its devices are counted.
    """
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    await org_queries.lock(tx, [org.id])
    used = await queries.count_active(tx, org.id)
    if used >= MOST:
        raise TooManyDevices(limit=MOST, used=used)
    keys = {name: _key(getattr(body, name)) for name in ("public_key", "roster_key")}
    content = body.model_dump(exclude={*keys}) | keys
    made = await queries.add(tx, Device(created_by=caller, **content))
    if made is None:
        raise DeviceKeyTaken
    await audit.write(tx, caller, "created", made, facts={"kind": made.kind})
    return DeviceOut.of(made)


def _key(text: str | None) -> bytes | None:
    return None if text is None else base64url.decode(text, 32)


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    kind: DeviceKind | None,
    state: DeviceState | None,
    asked: PageParams,
) -> Page[DeviceOut]:
    """Return the devices of a subtree, newest first. Raises OrgNotFound, Forbidden."""

    async def shown(found: Sequence[Device]) -> list[DeviceOut]:
        return [DeviceOut.of(one) for one in found]

    wanted = {"kind": kind, "state": state}
    return await records.browse(tx, caller, people.READERS, org_id, Device, shown, asked, **wanted)


async def get(tx: Session, caller: UUID, device_id: UUID) -> DeviceOut:
    """Return a device. Raises DeviceNotFound, also outside of the caller's subtrees."""
    device = await record_queries.find(tx, Device, device_id)
    if device is not None:
        org = await orgs.get(tx, device.org_id)
        if await people.holds(tx, caller, people.READERS, org.path):
            return DeviceOut.of(device)
    raise DeviceNotFound


async def find(tx: Session, device_id: UUID) -> tuple[Device, str]:
    """Return a device, whoever asks, and the path of its organisation. Raises DeviceNotFound."""
    device = await record_queries.find(tx, Device, device_id)
    if device is None:
        raise DeviceNotFound
    return device, (await orgs.get(tx, device.org_id)).path


def is_near(path: str, org_path: str) -> bool:
    """Whether a device can be used at an activity: of its organisation, above it or below it."""
    return org_path.startswith(path) or path.startswith(org_path)


async def revoke(tx: Session, caller: UUID, device_id: UUID, reason: str) -> DeviceOut:
    """Revoke a device: what arrives from it afterwards is refused.

    Raises DeviceNotFound, DeviceWrongState.
    """
    device = await records.locked(tx, Device, device_id, caller, people.ORGANIZERS, DeviceNotFound)
    device.reason, device.revoked_at = reason, now()
    await records.move(
        tx, caller, device, DeviceState.revoked, MOVES, DeviceWrongState, reason=reason
    )
    return DeviceOut.of(device)
