"""Access tokens: JWTs signed by HS256 with python-jose, and verified here.

python-jose 3.5 accepts an unknown ``crit``, a missing ``aud`` or ``exp``, tokens of 5 MB, and
headers nested so deep that the parser overflows. Here a header is accepted only as we write it.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from jose import jwt

from app.core.clock import now
from app.core.ids import new_id
from app.core.keys import derive, key_id

ISSUER = "qingxiang"
AUDIENCE = "qingxiang-api"
ALGORITHM = "HS256"
LIFETIME = timedelta(minutes=15)
MAX_TOKEN_BYTES = 4096
CACHE_SIZE = 10_000
# How much the clocks of two processes may differ.
LEEWAY_S = 5


class TokenInvalid(Exception):
    """A token is not valid. The caller is not told why."""


@dataclass(frozen=True)
class Claims:
    person_id: UUID
    family_id: UUID  # the login; revoking it revokes all its tokens
    expires_at: int  # epoch seconds

    @cached_property
    def person(self) -> str:
        """The id as text: claims are kept with their token, the text with them."""
        return str(self.person_id)


class Tokens:
    """Signs and verifies access tokens; verified ones are cached until they expire."""

    def __init__(self, secrets: list[bytes]) -> None:
        keys = [derive(secret, "access-token") for secret in secrets]
        self._signing_key = keys[0]
        # By the encoded header of our tokens, which names its key and is the same in all of them.
        self._keys = {_sign({}, key).partition(".")[0]: key for key in keys}
        self._verified: dict[str, Claims] = {}

    def sign(self, person_id: UUID, family_id: UUID, at: datetime) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(person_id),
            "sid": str(family_id),
            "jti": str(new_id()),
            "iat": int(at.timestamp()),
            "exp": int((at + LIFETIME).timestamp()),
        }
        return _sign(claims, self._signing_key)

    def verify(self, token: str) -> Claims:
        """Return the claims of a valid token, else raise TokenInvalid.

        Verified tokens are cached, as decoding one takes a third of the time of a bare request.
        A full cache is emptied.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._decode(token)
            if len(self._verified) >= CACHE_SIZE:
                self._verified.clear()
            self._verified[token] = claims
        if claims.expires_at <= now().timestamp():
            self._verified.pop(token, None)
            raise TokenInvalid
        return claims

    def _decode(self, token: str) -> Claims:
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenInvalid
        try:
            header, payload, signature = token.split(".")
            key = self._keys[header]
            expected = hmac.digest(key, f"{header}.{payload}".encode(), "sha256")
            # Compared as text: of a signature only the canonical encoding is accepted.
            if not hmac.compare_digest(_encoded(expected), signature):
                raise TokenInvalid
            claims = json.loads(_decoded(payload))
            if not _are_ours(claims):
                raise TokenInvalid
            return Claims(
                person_id=UUID(claims["sub"]),
                family_id=UUID(claims["sid"]),
                expires_at=claims["exp"],
            )
        except Exception:  # noqa: BLE001 - see below
            # Hostile input fails in many ways: KeyError, ValueError, RecursionError.
            raise TokenInvalid from None


def _sign(claims: dict[str, Any], key: bytes) -> str:
    return str(jwt.encode(claims, key, ALGORITHM, headers={"kid": key_id(key).hex()}))


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _are_ours(claims: dict[str, Any]) -> bool:
    """Check that all claims are present, issued by us for us, and valid now."""
    moment = now().timestamp()
    return (
        all(type(claims[name]) is str for name in ("iss", "aud", "sub", "sid", "jti"))
        and all(type(claims[name]) is int for name in ("iat", "exp"))
        and (claims["iss"], claims["aud"]) == (ISSUER, AUDIENCE)
        and claims["iat"] <= moment + LEEWAY_S
        and claims["exp"] > moment
        and ("nbf" not in claims or claims["nbf"] <= moment)
    )
