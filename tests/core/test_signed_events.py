"""Events of devices: one spelling, signed, and weighed by clocks and sequences."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from app.core import base64url
from app.core.signed_events import (
    MAX_AGE,
    MAX_JUMP,
    MAX_SKEW,
    Action,
    Doubt,
    Event,
    Flaw,
    Place,
    Signed,
    Upload,
    is_weak,
    missing,
    parse,
    verify,
    weigh,
)

MINE, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
DEVICE, STRANGER = UUID(int=1 << 64), UUID(int=2 << 64)
KEYS = {DEVICE: MINE.public_key().public_bytes_raw()}
AT = datetime(2026, 11, 30, 4, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
EVENT = Event(DEVICE, 7, 42, 0, Action.check_in, AT_MS, card=12)
SECOND = timedelta(seconds=1)

people = st.one_of(
    st.fixed_dictionaries({"card": st.integers(1, 2**31 - 1)}),
    st.fixed_dictionaries(
        {
            "code": st.from_regex("[A-Za-z0-9_-]{1,200}", fullmatch=True),
            "digits": st.from_regex("[0-9]{4}", fullmatch=True),
        }
    ),
)
places = st.builds(
    Place,
    st.integers(-90_000_000, 90_000_000),
    st.integers(-180_000_000, 180_000_000),
    st.integers(0, 99_999),
)


def signed(event: Event, by: Ed25519PrivateKey = MINE) -> Signed:
    return Signed(event.text, base64url.encode(by.sign(event.text.encode())))


@given(
    *(st.uuids(), st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1), st.integers(0, 65_535)),
    *(st.sampled_from(Action), st.integers(0, 4_102_444_799_999), people, st.none() | places),
)
def test_an_event_is_read_as_it_was_written(
    device: UUID,
    sequence: int,
    activity: int,
    session: int,
    action: Action,
    clock_ms: int,
    person: dict[str, int | str],
    place: Place | None,
) -> None:
    event = Event(device, sequence, activity, session, action, clock_ms, place=place, **person)  # type: ignore[arg-type]
    assert parse(event.text) == event
    assert len(event.text) <= 400


@given(st.text(alphabet="\n0123456789abcdefinoutcrd:-,qgxv_ ", max_size=300) | st.text())
def test_whatever_is_read_has_one_spelling(text: str) -> None:
    event = parse(text)
    assert event is None or event.text == text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("event-1", "event-2"),
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n0\n"),
        ("\n7\n", "\n+7\n"),
        ("\n7\n", "\n2147483648\n"),
        ("\n7\n", "\n\uff17\n"),
        ("\n42\n", "\n0\n"),
        ("\n0\nin", "\n65536\nin"),
        ("\nin\n", "\nIN\n"),
        ("\nin\n", "\r\nin\r\n"),
        ("card:12", "card:0"),
        ("card:12", "code:AA"),
        ("card:12", "code:AA:123"),
        ("card:12", f"code:{'A' * 201}:1234"),
        (f"\n{AT_MS}\n", "\n4102444800000\n"),
        ("\n-", "\n90000001,0,5"),
        ("\n-", "\n0,0,100000"),
        ("\n-", "\n-0,0,5"),
        ("\n-", "\n-\n"),
        ("\n-", "\n- "),
    ],
)
def test_a_second_spelling_and_numbers_out_of_range_are_malformed(old: str, new: str) -> None:
    changed = EVENT.text.replace(old, new)
    assert changed != EVENT.text
    signature = base64url.encode(MINE.sign(changed.encode()))
    assert verify([Signed(changed, signature)], KEYS) == [Flaw.malformed]


def test_malformed_and_badly_signed_are_told_apart() -> None:
    good = signed(EVENT)
    bad = Signed(replace(EVENT, card=13).text, good.signature)
    stranger = signed(replace(EVENT, device=STRANGER))
    shapes = [good.signature[:-1], good.signature + "A", good.signature + "==", "", "\u9752" * 86]
    items = [good, bad, signed(EVENT, OTHER), stranger, *(Signed(EVENT.text, s) for s in shapes)]
    assert verify(items, KEYS) == [
        EVENT,
        Flaw.bad_signature,
        Flaw.bad_signature,
        Flaw.unknown_device,
        *[Flaw.malformed] * len(shapes),
    ]
    assert verify([good], KEYS | {STRANGER: OTHER.public_key().public_bytes_raw()}) == [EVENT]


def test_a_weak_key_is_known_as_one() -> None:
    """Under a key of small order one signature fits one text in eight, or every text."""
    forged = (1).to_bytes(32, "little") + bytes(32)
    weak = [n.to_bytes(32, "little") for n in (0, 1, 2**255 - 20)]
    weak += [bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")]
    weak += [bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
    for key in weak:
        assert is_weak(key)
        assert is_weak(key[:31] + bytes([key[31] | 0x80]))
        assert any(_fits(key, forged, b"%d" % n) for n in range(200))
    assert is_weak((2**255 - 19).to_bytes(32, "little"))  # 0, written in a second way
    assert not is_weak(KEYS[DEVICE])
    assert not any(_fits(KEYS[DEVICE], forged, b"%d" % n) for n in range(200))


def _fits(key: bytes, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def weighed(
    *,
    ago: timedelta = timedelta(minutes=5),
    skew: timedelta = timedelta(0),
    revoked: timedelta | None = None,
    sequence: int = 7,
    last: int = 0,
) -> datetime | Doubt:
    """Weigh an event of some time ago, of a device whose clock is ahead by ``skew``.

    ``revoked``: how long before the upload.
    """
    event = replace(EVENT, clock_ms=int((AT - ago + skew).timestamp() * 1000), sequence=sequence)
    upload = Upload(AT, int((AT + skew).timestamp() * 1000))
    revoked_at = None if revoked is None else AT - revoked
    return weigh(event, upload, revoked_at=revoked_at, last_sequence=last)


@pytest.mark.parametrize("skew", [timedelta(0), MAX_SKEW, -MAX_SKEW, timedelta(seconds=-90)])
def test_a_clock_that_is_a_little_wrong_is_corrected(skew: timedelta) -> None:
    assert weighed(skew=skew) == AT - timedelta(minutes=5)


def test_what_does_not_count() -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)
    assert weighed(skew=day) == weighed(skew=-day) == Doubt.clock_skewed
    assert weighed(skew=MAX_SKEW + SECOND) == Doubt.clock_skewed
    assert weighed(revoked=hour) == weighed(revoked=timedelta(0)) == Doubt.revoked
    assert weighed(revoked=hour, ago=day) == Doubt.revoked  # it says it was recorded before
    assert weighed(revoked=-SECOND) == weighed()
    assert weighed(ago=-SECOND) == Doubt.ahead
    assert weighed(ago=timedelta(0)) == AT
    assert weighed(ago=MAX_AGE) == AT - MAX_AGE
    assert weighed(ago=MAX_AGE + SECOND) == Doubt.too_old
    assert weighed(last=500, sequence=500 + MAX_JUMP) == weighed()
    assert weighed(last=500, sequence=501 + MAX_JUMP) == Doubt.sequence_jumps
    assert weighed(last=500, sequence=1) == weighed()  # any order


def test_gaps_are_counted() -> None:
    assert missing(0, [1, 2, 3]) == 0
    assert missing(0, [3, 1, 3]) == 1
    assert missing(10, [2, 14]) == 3
    assert missing(10, []) == missing(10, [4]) == 0
