"""Access tokens that are not ours, not whole, or not any more: 401, whatever is wrong."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from jose import jwt

from app.core.clock import now
from app.core.keys import derive, key_id
from app.runtime import Runtime
from tests.engines import SECRET
from tests.factories.http import assert_refused
from tests.factories.people import make_person

KEY = derive(SECRET.encode(), "access-token")
KID = key_id(KEY).hex()
OMIT = object()  # stands for a member that is left out
ME = "/api/v1/me"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True)
class Forgery:
    """What differs from a token that would be accepted."""

    header: dict[str, Any]
    claims: dict[str, Any]
    key: bytes = KEY
    digest: str = "sha256"

    def text(self, person_id: str) -> str:
        moment = int(now().timestamp())
        header = {"alg": "HS256", "typ": "JWT", "kid": KID} | self.header
        claims = {
            "iss": "qingxiang",
            "aud": "qingxiang-api",
            "sub": person_id,
            "sid": str(uuid4()),
            "jti": str(uuid4()),
            "iat": moment,
            "exp": moment + 600,
        } | self.claims
        return signed(_part(header), _part(claims), self.key, self.digest)


def _part(members: dict[str, Any]) -> str:
    kept = {name: value for name, value in members.items() if value is not OMIT}
    # As python-jose writes it: another spelling of a header would be refused for that alone.
    return packed(json.dumps(kept, separators=(",", ":"), sort_keys=True).encode())


def unpacked(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def successor(letter: str) -> str:
    """Return the next letter of base64: 43 of them end with two bits that count for nothing."""
    return ALPHABET[ALPHABET.index(letter) ^ 1]


def packed(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def signed(header: str, payload: str, key: bytes = KEY, digest: str = "sha256") -> str:
    return f"{header}.{payload}.{packed(hmac.digest(key, f'{header}.{payload}'.encode(), digest))}"


def header(**changes: Any) -> Forgery:
    return Forgery(header=changes, claims={})


def claims(**changes: Any) -> Forgery:
    return Forgery(header={}, claims=changes)


def under(key: bytes) -> Forgery:
    return Forgery(header={}, claims={}, key=key)


def ago(**time: float) -> int:
    return int((now() - timedelta(**time)).timestamp())


OTHER_SECRET = derive(b"another secret of more than 32 bytes", "access-token")
FORGERIES: dict[str, Forgery] = {
    "alg none, signed all the same": header(alg="none"),
    "alg NONE": header(alg="NONE"),
    "alg missing": header(alg=OMIT),
    "alg null": header(alg=None),
    "alg in small letters": header(alg="hs256"),
    "alg a list": header(alg=["HS256"]),
    "alg RS256": header(alg="RS256"),
    "alg ES256": header(alg="ES256"),
    "alg HS384": Forgery({"alg": "HS384"}, {}, digest="sha384"),
    "alg HS512": Forgery({"alg": "HS512"}, {}, digest="sha512"),
    "alg HS256 over a longer digest": Forgery({}, {}, digest="sha512"),
    "kid missing": header(kid=OMIT),
    "kid null": header(kid=None),
    "kid empty": header(kid=""),
    "kid of nobody": header(kid="00000000"),
    "kid a number": header(kid=1),
    "kid a list": header(kid=[KID]),
    "kid an object": header(kid={"kid": KID}),
    "kid a path": header(kid="../../dev/null"),
    "typ missing": header(typ=OMIT),
    "typ null": header(typ=None),
    "typ of another kind": header(typ="at+jwt"),
    "typ JWE": header(typ="JWE"),
    "crit of a known claim": header(crit=["exp"]),
    "crit empty": header(crit=[]),
    "crit of an extension": header(crit=["http://example.test/x"]),
    "jku": header(jku="http://example.test/keys"),
    "jwk": header(jwk={"kty": "oct", "k": packed(b"mine")}),
    "x5u": header(x5u="http://example.test/cert"),
    "x5c": header(x5c=["MIIB"]),
    "b64 false": header(b64=False),
    "cty nested": header(cty="JWT"),
    "zip": header(zip="DEF"),
    "exp missing": claims(exp=OMIT),
    "exp null": claims(exp=None),
    "exp a string": claims(exp="99999999999"),
    "exp a fraction": claims(exp=99999999999.5),
    "exp true": claims(exp=True),
    "exp past": claims(exp=ago(seconds=1), iat=ago(minutes=15)),
    "exp the epoch": claims(exp=0),
    "exp negative": claims(exp=-1),
    "exp not a number": claims(exp=float("nan")),
    "exp infinite": claims(exp=float("inf")),
    "iat missing": claims(iat=OMIT),
    "iat null": claims(iat=None),
    "iat a string": claims(iat="now"),
    "iat a string of digits": claims(iat="1"),
    "nbf in the future": claims(nbf=99999999999),
    "nbf a string": claims(nbf="x"),
    "aud missing": claims(aud=OMIT),
    "aud null": claims(aud=None),
    "aud of another service": claims(aud="another-api"),
    "aud a list of others": claims(aud=["a", "b"]),
    "aud a number": claims(aud=1),
    "iss missing": claims(iss=OMIT),
    "iss null": claims(iss=None),
    "iss of another": claims(iss="https://login.example.test"),
    "sub missing": claims(sub=OMIT),
    "sub null": claims(sub=None),
    "sub no id": claims(sub="alice"),
    "sub a number": claims(sub=1),
    "sub empty": claims(sub=""),
    "sub a list": claims(sub=["x"]),
    "jti missing": claims(jti=OMIT),
    "jti null": claims(jti=None),
    "jti a number": claims(jti=1),
    "sid missing": claims(sid=OMIT),
    "sid no id": claims(sid="x"),
    "the key of rotating codes": under(derive(SECRET.encode(), "rotating-code")),
    "the key of the cipher": under(derive(SECRET.encode(), "cipher")),
    "the key of the blind index": under(derive(SECRET.encode(), "blind-index")),
    "the secret itself": under(SECRET.encode()),
    "an empty key": under(b"\0"),
    "another installation's key": under(OTHER_SECRET),
    "more than 4 KiB": claims(padding="x" * 5 * 1024),
    "five megabytes": claims(padding="x" * 5_000_000),
    "typ with a full-width letter": header(typ="ＪWT"),
    "alg with a space": header(alg="HS256 "),
    "kid with a new line": header(kid=KID + "\n"),
    "sub with a new line": claims(sub="{sub}\n"),
}

# From a token that is right to one that is not.
MANGLED: dict[str, Callable[[str], str | bytes]] = {
    "no signature": lambda token: token.rsplit(".", 1)[0] + ".",
    "two parts": lambda token: token.rsplit(".", 1)[0],
    "four parts": lambda token: token + ".x",
    "blanks of other alphabets": lambda token: b"\xa0" + token.encode() + b"\x85",
    "a truncated signature": lambda token: token[:-4],
    "another payload": lambda token: ".".join(
        (token.split(".")[0], packed(b'{"sub":"x"}'), token.split(".")[2])
    ),
    "another header": lambda token: packed(b'{"alg":"HS256"}') + token[token.index(".") :],
    "alg none without a signature": lambda token: (
        packed(b'{"alg":"none","typ":"JWT","kid":"' + KID.encode() + b'"}')
        + "."
        + token.split(".")[1]
        + "."
    ),
    "a header that is a list": lambda token: signed(packed(b"[]"), token.split(".")[1]),
    "a header that is no JSON": lambda token: signed(packed(b"{"), token.split(".")[1]),
    "a header nested deeply": lambda token: signed(
        packed(b'{"typ":' + b"[" * 1500 + b"]" * 1500 + b"}"), packed(b"{}")
    ),
    "a header nested a hundred thousand times": lambda token: signed(
        packed(b'{"typ":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), packed(b"{}")
    ),
    "a header whose last alg is none": lambda token: signed(
        packed(b'{"alg":"HS256","typ":"JWT","kid":"' + KID.encode() + b'","alg":"none"}'),
        token.split(".")[1],
    ),
    "a payload whose last exp is past": lambda token: signed(
        token.split(".")[0],
        packed(unpacked(token.split(".")[1])[:-1] + b',"exp":1}'),
    ),
    "a header of lone surrogates": lambda token: signed(
        packed(b'{"typ":"\\ud800","alg":"HS256"}'), token.split(".")[1]
    ),
    "a payload that is a list": lambda token: signed(token.split(".")[0], packed(b"[]")),
    "a payload that is no JSON": lambda token: signed(token.split(".")[0], packed(b"x")),
    "a payload nested deeply": lambda token: signed(
        token.split(".")[0], packed(b'{"exp":' + b"[" * 2000)
    ),
    "a payload of invalid UTF-8": lambda token: signed(token.split(".")[0], packed(b"\xff")),
    "nothing": lambda token: "",
    "dots": lambda token: "..",
    "no base64": lambda token: "?.?.?",
    "a trailing dot": lambda token: token + ".",
    "many trailing dots": lambda token: token + "...",
    "a leading dot": lambda token: "." + token,
    "padding after its signature": lambda token: token + "=",
    "a new line within": lambda token: token.replace(".", ".\n", 1),
    "a tab within": lambda token: token.replace(".", "\t.", 1),
    "a space within": lambda token: token.replace(".", ". ", 1),
    "a full-width full stop": lambda token: token.replace(".", "．"),
    "a zero-width space after it": lambda token: token + "\u200b",
    "other letters of the same base64": lambda token: (
        token.replace("-", "+").replace("_", "/") + "=="
    ),
    "a semicolon and more": lambda token: token + "; x=1",
    "a comma and another": lambda token: f"{token},{token}",
    "the bits of its signature that count for nothing": lambda token: (
        token[:-1] + successor(token[-1])
    ),
    "quotes around it": lambda token: f'"{token}"',
    "bytes beyond ASCII": lambda token: b"\xff\xfe." + token.encode(),
    "two tokens": lambda token: f"{token} {token}",
    "twenty kilobytes of dots": lambda token: "." * 20_000,
}


def test_there_are_sixty_and_all_differ() -> None:
    texts = {forgery.text("x") for forgery in FORGERIES.values()}
    assert len(texts) == len(FORGERIES) >= 60


async def test_a_token_built_by_hand_as_ours_is_accepted(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The control: without a difference the forgeries below would all pass."""
    person = await make_person(runtime)
    token = Forgery({}, {}).text(str(person.id))

    response = await api.get(ME, headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 200
    assert response.json()["id"] == str(person.id)


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_token_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, forgery: Forgery
) -> None:
    person = await make_person(runtime)

    response = await api.get(
        ME, headers={"Authorization": f"Bearer {forgery.text(str(person.id))}"}
    )

    assert_refused(response, 401, "auth.token_invalid")


async def test_a_token_of_the_future_is_refused(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    token = claims(iat=ago(hours=-1), exp=ago(hours=-2)).text(str(person.id))

    response = await api.get(ME, headers={"Authorization": f"Bearer {token}"})

    assert_refused(response, 401, "auth.token_invalid")


@pytest.mark.parametrize("mangle", MANGLED.values(), ids=MANGLED.keys())
async def test_a_mangled_token_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, mangle: Callable[[str], str | bytes]
) -> None:
    person = await make_person(runtime)
    found = mangle(person.headers["Authorization"].removeprefix("Bearer "))
    raw = found if isinstance(found, bytes) else found.encode()

    response = await api.get(ME, headers=[(b"Authorization", b"Bearer " + raw)])

    assert_refused(response, 401, "auth.token_invalid")


@pytest.mark.parametrize("value", ["", "Bearer", "Basic YWxpY2U6eA==", "Token x", "null"])
async def test_another_scheme_is_refused_even_where_no_login_is_needed(
    api: httpx.AsyncClient, value: str
) -> None:
    for path in (ME, "/api/v1/orgs"):
        response = await api.get(path, headers={"Authorization": value})

        assert_refused(response, 401, "auth.token_invalid")


async def test_without_a_token_the_answer_is_401(api: httpx.AsyncClient) -> None:
    assert_refused(await api.get(ME), 401, "auth.login_required")


async def test_a_token_lives_fifteen_minutes(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    young = runtime.tokens.sign(person.id, uuid4(), now() - timedelta(minutes=14, seconds=30))
    old = runtime.tokens.sign(person.id, uuid4(), now() - timedelta(minutes=15))

    alive = await api.get(ME, headers={"Authorization": f"Bearer {young}"})
    dead = await api.get(ME, headers={"Authorization": f"Bearer {old}"})

    assert alive.status_code == 200
    assert_refused(dead, 401, "auth.token_invalid")


async def test_a_token_has_all_claims_and_no_personal_data(runtime: Runtime) -> None:
    person = await make_person(runtime, name="王小四")

    token = runtime.tokens.sign(person.id, uuid4(), now())

    found = jwt.get_unverified_claims(token)
    assert found.keys() == {"iss", "aud", "sub", "sid", "jti", "iat", "exp"}
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": KID}
