"""Devices for tests, with their private keys, and programmed as docs/devices.md says."""

import re
import secrets
from dataclasses import dataclass
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core import base64url
from app.models.orgs import Org
from tests.engines import ROOT
from tests.factories.http import keyed
from tests.factories.people import TestPerson

DEVICES = "/api/v1/devices"
PAGE = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
PIECES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@dataclass(frozen=True)
class TestDevice:
    __test__ = False

    id: str
    signing_key: Ed25519PrivateKey
    roster_key: X25519PrivateKey
    told: dict[str, Any]  # the reply


def new_key() -> str:
    """Return a new Ed25519 public key, as it is written."""
    return base64url.encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw())


def device_body(org: Org, **changes: Any) -> dict[str, Any]:
    """Return a valid body of POST /devices, with new keys."""
    signing, roster = (secrets.token_bytes(32) for _ in "ab")
    return _body(org, signing, roster) | changes


def _body(org: Org, signing: bytes, roster: bytes) -> dict[str, Any]:
    keys = (
        Ed25519PrivateKey.from_private_bytes(signing).public_key(),
        X25519PrivateKey.from_private_bytes(roster).public_key(),
    )
    public, sealing = (base64url.encode(one.public_bytes_raw()) for one in keys)
    return {
        "org_id": str(org.id),
        "name": "门口",
        "kind": "counter",
        "public_key": public,
        "roster_key": sealing,
    }


async def register(
    api: httpx.AsyncClient, organizer: TestPerson, org: Org, **changes: Any
) -> TestDevice:
    signing, roster = (secrets.token_bytes(32) for _ in "ab")
    body = _body(org, signing, roster) | changes
    reply = await api.post(DEVICES, headers=keyed(organizer), json=body)
    assert reply.status_code == 201, reply.text
    return TestDevice(
        reply.json()["id"],
        Ed25519PrivateKey.from_private_bytes(signing),
        X25519PrivateKey.from_private_bytes(roster),
        reply.json(),
    )


async def revoke(
    api: httpx.AsyncClient, organizer: TestPerson, device_id: str, reason: str = "丢失"
) -> httpx.Response:
    path = f"{DEVICES}/{device_id}"
    return await api.delete(path, headers=organizer.headers, params={"reason": reason})


def programmed() -> dict[str, Any]:
    """Return the functions that a programmer copies from the page: sign, check, read_roster."""
    found: dict[str, Any] = {}
    for piece in PIECES:
        exec(piece, found)  # noqa: S102 - of our own page
    return found
