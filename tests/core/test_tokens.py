"""Access tokens: ours verify until they expire, and nothing else ever does."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from jose import jwt

from app.core import tokens as module
from app.core.keys import derive, key_id
from app.core.tokens import LIFETIME, TokenInvalid, Tokens

OLD, NEW = b"o" * 32, b"n" * 32
KEY = derive(NEW, "access-token")
KID = key_id(KEY).hex()
PERSON, FAMILY = uuid4(), uuid4()
AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
CLAIMS: dict[str, Any] = {
    "iss": "qingxiang",
    "aud": "qingxiang-api",
    "sub": str(PERSON),
    "sid": str(FAMILY),
    "jti": str(uuid4()),
    "iat": int(AT.timestamp()),
    "exp": int((AT + LIFETIME).timestamp()),
}


@pytest.fixture
def tokens() -> Tokens:
    return Tokens([NEW])


def forged(claims: dict[str, Any], *, key: Any = KEY, alg: str = "HS256", **header: Any) -> str:
    return str(jwt.encode(claims, key, alg, headers={"kid": KID} | header))


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def unsigned(header: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in (header, CLAIMS)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def refuses(tokens: Tokens, token: str) -> bool:
    try:
        tokens.verify(token)
    except TokenInvalid:
        return True
    return False


def test_what_is_signed_verifies(tokens: Tokens) -> None:
    with time_machine.travel(AT, tick=False):
        claims = tokens.verify(tokens.sign(PERSON, FAMILY, AT))
    assert (claims.person_id, claims.family_id) == (PERSON, FAMILY)
    assert claims.expires_at == int(AT.timestamp()) + 900


def test_the_forgery_of_these_tests_would_pass_if_nothing_were_wrong(tokens: Tokens) -> None:
    """The negative control of everything below."""
    with time_machine.travel(AT, tick=False):
        assert tokens.verify(forged(CLAIMS)).person_id == PERSON


WRONG = {
    **{f"without {name}": forged(without(name)) for name in CLAIMS},
    "another issuer": forged(CLAIMS | {"iss": "qingxiang2"}),
    "another audience": forged(CLAIMS | {"aud": "somebody-else"}),
    "a subject that is no id": forged(CLAIMS | {"sub": "root"}),
    "an expiry in a string": forged(CLAIMS | {"exp": str(CLAIMS["exp"])}),
    "an expiry with a fraction": forged(CLAIMS | {"exp": CLAIMS["exp"] + 0.5}),
    "an unknown kid": forged(CLAIMS, kid="00000000"),
    "a critical extension": forged(CLAIMS, crit=["b64"]),
    "a jku": forged(CLAIMS, jku="https://evil.example/keys"),
    "a jwk": forged(CLAIMS, jwk={"kty": "oct", "k": "AA"}),
    "an x5u": forged(CLAIMS, x5u="https://evil.example/cert"),
    "another type": forged(CLAIMS, typ="at+jwt"),
    "another algorithm": forged(CLAIMS, alg="HS512"),
    "the key of another purpose": forged(CLAIMS, key=derive(NEW, "rotating-code")),
    "the bare secret": forged(CLAIMS, key=NEW),
    "an empty key": forged(CLAIMS, key=b""),
    "no algorithm": unsigned({"alg": "none", "typ": "JWT", "kid": KID}),
    "no signature": unsigned({"alg": "HS256", "typ": "JWT", "kid": KID}),
    "a header that is a list": "W10.e30.AAAA",
    "a kid that is a list": unsigned({"alg": "HS256", "typ": "JWT", "kid": [KID]}),
    "a huge token": forged(CLAIMS | {"x": "a" * 5000}),
    "a header nested too deep": base64.urlsafe_b64encode(b"[" * 2900).decode() + ".e30.AA",
    "nothing": "",
    "dots": "..",
    "more dots": "a.b.c.d",
    "not ascii": "青.享.卡",
}


@pytest.mark.parametrize("token", WRONG.values(), ids=WRONG.keys())
def test_anything_else_is_refused(tokens: Tokens, token: str) -> None:
    with time_machine.travel(AT, tick=False):
        assert refuses(tokens, token)
        assert refuses(tokens, token), "the second time as well"


@given(st.text(max_size=200))
def test_whatever_comes_is_refused_without_a_crash(text: str) -> None:
    assert refuses(Tokens([NEW]), text)


def test_a_changed_character_is_noticed(tokens: Tokens) -> None:
    with time_machine.travel(AT, tick=False):
        token = tokens.sign(PERSON, FAMILY, AT)
        for place in range(0, len(token) - 1, 7):
            other = "A" if token[place] != "A" else "B"
            assert refuses(tokens, token[:place] + other + token[place + 1 :]), place


def test_the_cache_does_not_outlive_the_expiry(tokens: Tokens) -> None:
    token = tokens.sign(PERSON, FAMILY, AT)
    with time_machine.travel(AT, tick=False) as clock:
        tokens.verify(token)
        clock.shift(LIFETIME - timedelta(seconds=1))
        tokens.verify(token)
        clock.shift(timedelta(seconds=1))
        assert refuses(tokens, token)
        assert refuses(Tokens([NEW]), token), "and never verified by anybody new"


def test_a_token_is_decoded_once(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel(AT, tick=False):
        token = tokens.sign(PERSON, FAMILY, AT)
        first = tokens.verify(token)
        monkeypatch.setattr(tokens, "_decode", lambda _: pytest.fail("decoded again"))
        assert tokens.verify(token) is first


def test_a_refused_token_is_not_remembered(tokens: Tokens) -> None:
    assert refuses(tokens, "a.b.c")
    assert tokens._verified == {}


def test_the_cache_is_bounded(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_SIZE", 5)
    with time_machine.travel(AT, tick=False):
        for _ in range(12):
            tokens.verify(tokens.sign(PERSON, uuid4(), AT))
    assert len(tokens._verified) <= 5


def test_after_a_rotation_old_tokens_live_out_their_minutes() -> None:
    with time_machine.travel(AT, tick=False):
        old = Tokens([OLD]).sign(PERSON, FAMILY, AT)
        both = Tokens([NEW, OLD])
        assert both.verify(old).person_id == PERSON
        assert Tokens([NEW]).verify(both.sign(PERSON, FAMILY, AT)).family_id == FAMILY
        assert refuses(Tokens([NEW]), old)


def test_no_two_tokens_are_the_same(tokens: Tokens) -> None:
    assert tokens.sign(PERSON, FAMILY, AT) != tokens.sign(PERSON, FAMILY, AT)


def test_a_person_is_a_uuid(tokens: Tokens) -> None:
    with time_machine.travel(AT, tick=False):
        assert isinstance(tokens.verify(forged(CLAIMS)).person_id, UUID)
