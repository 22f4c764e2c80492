"""docs/devices.md: its pieces of Python do on its test vectors what the page says."""

import re
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core import base64url, offline_codes, sealed_rosters, signed_events
from app.core.offline_codes import OfflineCodes
from tests.factories.devices import PAGE, PIECES, programmed

EVENT, CODE, ROSTER = (one.strip() for one in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL))
AT, STEP = 1_796_000_400, 1_796_000_400 // offline_codes.STEP_SECONDS
CODES = OfflineCodes([b"the secret of docs/devices.md, of no server"])


@pytest.fixture(scope="module")
def device() -> dict[str, Any]:
    return programmed()


def test_each_piece_is_short() -> None:
    assert len(PIECES) == 3
    assert max(len(one.splitlines()) for one in PIECES) <= 35


def test_an_event_is_signed_as_the_server_verifies_it(device: dict[str, Any]) -> None:
    text, signature = device["sign"](bytes([1]) * 32, *EVENT.splitlines()[1:])
    public = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32).public_key().public_bytes_raw()
    assert text == EVENT
    assert f"`{signature}`" in PAGE
    assert f"`{base64url.encode(public)}`" in PAGE
    [event] = signed_events.verify(
        [signed_events.Signed(text, signature)], {UUID(EVENT.splitlines()[1]): public}
    )
    assert isinstance(event, signed_events.Event)
    assert (event.card, event.activity, event.sequence) == (7, 42, 1)


def test_a_code_is_checked_without_the_server(device: dict[str, Any]) -> None:
    keys = {one.id: one.public_key for one in CODES.public_keys(AT)}
    [key, _] = CODES.public_keys(AT)
    assert CODES.make(7, "0072", 42, 0, STEP) == CODE
    assert f"`{key.id}` = `{base64url.encode(key.public_key)}`" in PAGE

    def check(code: str = CODE, digits: str = "0072", at: int = AT, activity: int = 42) -> Any:
        return device["check"](code, digits, keys, activity, 0, at)

    assert check() is None
    assert check(at=AT + 599) is None
    assert check(digits="0080") == "not the card that is shown"
    assert check(at=AT + 600) == check(at=AT - 301) == "of another time"
    assert check(activity=43) == "of another activity"
    assert check(CODE[:-1]) == "no offline code"
    assert check(CODE[:60] + "AAAA" + CODE[64:]) == "forged"
    assert check(OfflineCodes([b"x" * 32]).make(7, "0072", 42, 0, STEP)).startswith("no code of")
    # With the check of another card in it, as a friend would need it.
    raw, other = (base64url.decode(one, 103) for one in (CODE, CODES.make(8, "0080", 42, 0, STEP)))
    assert raw is not None
    assert other is not None
    mixed = base64url.encode(raw[:35] + other[35:39] + raw[39:])
    assert check(mixed, digits="0080") == "forged"


def test_a_roster_is_read(device: dict[str, Any]) -> None:
    private = X25519PrivateKey.from_private_bytes(bytes([2]) * 32)
    public = private.public_key().public_bytes_raw()
    person = {"card": 7, "name": "李雷", "signup": "01900000-0000-7000-8000-00000000051a"}
    assert f"`{base64url.encode(public)}`" in PAGE
    assert device["read_roster"](bytes([2]) * 32, ROSTER) == [person]
    expected = [sealed_rosters.Expected(7, "李雷", UUID(person["signup"]))]  # type: ignore[arg-type]
    made = sealed_rosters.seal(public, UUID(EVENT.splitlines()[1]), 42, 0, expected)
    assert device["read_roster"](bytes([2]) * 32, base64url.encode(made)) == [person]
