"""Pushes are read only if they carry WeChat's signature, and in safe mode only encrypted."""

import base64
import json
from typing import Any

import httpx
import pytest

from app.integrations.wechat.pushes import NotWechat, PushReader, signature_of
from app.integrations.wechat_sandbox.pushing import Pusher

TOKEN, APPID = "a-push-token", "wx-sandbox-appid"
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
EVENT = {"ToUserName": "gh_1", "Event": "wxa_media_check", "text": "青享"}


def signed(token: str, *parts: str) -> dict[str, str]:
    """Return the query of a push."""
    timestamp, nonce = "1714036504", "1514711492"
    plain = signature_of(token, timestamp, nonce)
    sealed = {"msg_signature": signature_of(token, timestamp, nonce, *parts)} if parts else {}
    return {"signature": plain, "timestamp": timestamp, "nonce": nonce} | sealed


async def pushed(
    token: str = TOKEN, aes_key: str | None = AES_KEY, appid: str = APPID
) -> tuple[dict[str, str], bytes]:
    """Return query and body of a push of the sandbox's."""
    taken: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        taken.append(request)
        return httpx.Response(200, text="success")

    pusher = Pusher("http://test/pushes", token, aes_key, appid, httpx.MockTransport(take))
    await pusher.push(EVENT)
    return dict(taken[0].url.params), taken[0].content


def test_the_signature_is_that_of_the_documentation() -> None:
    right = "f464b24fc39322e44b38aa78f5edd27bd1441696"
    assert signature_of("AAAAA", "1714036504", "1514711492") == right


@pytest.mark.parametrize(("aes_key", "is_legible"), [(None, True), (AES_KEY, False)])
async def test_what_the_sandbox_pushes_is_read(aes_key: str | None, is_legible: bool) -> None:
    query, body = await pushed(aes_key=aes_key)
    assert ("青享".encode() in body) == is_legible
    assert PushReader(TOKEN, aes_key, APPID).open(query, body) == EVENT


@pytest.mark.parametrize("changed", ["signature", "timestamp", "nonce"])
async def test_a_plain_push_of_anybody_else_is_refused(changed: str) -> None:
    query, body = await pushed(aes_key=None)
    for other in (query | {changed: "1"}, query | {changed: "签"}, _without(query, changed)):
        with pytest.raises(NotWechat):
            PushReader(TOKEN, None, APPID).open(other, body)


@pytest.mark.parametrize("changed", ["msg_signature", "timestamp", "nonce"])
async def test_an_encrypted_push_of_anybody_else_is_refused(changed: str) -> None:
    query, body = await pushed()
    reader = PushReader(TOKEN, AES_KEY, APPID)
    assert reader.open(query, body) == EVENT
    for other in (query | {changed: "1"}, _without(query, changed)):
        with pytest.raises(NotWechat):
            reader.open(other, body)


async def test_a_signature_that_was_seen_makes_no_other_message() -> None:
    """In plain mode it would: there the signature does not cover the body."""
    reader = PushReader(TOKEN, AES_KEY, APPID)
    first, (_, other) = await pushed(), await pushed()
    plain = json.dumps(EVENT).encode()
    blocks = base64.b64encode(bytes(64)).decode()
    for body in (other, plain, *map(_sealed, ("!", "签", "\ud800", blocks))):
        with pytest.raises(NotWechat):
            reader.open(first[0], body)


@pytest.mark.parametrize("sealed", ["", "!", "AAAA", base64.b64encode(bytes(64)).decode()])
async def test_what_is_signed_and_not_encrypted_is_refused(sealed: str) -> None:
    with pytest.raises(NotWechat):
        PushReader(TOKEN, AES_KEY, APPID).open(signed(TOKEN, sealed), _sealed(sealed))


async def test_a_push_to_another_mini_program_is_refused() -> None:
    query, body = await pushed(appid="wx-another")
    assert PushReader(TOKEN, AES_KEY, "wx-another").open(query, body) == EVENT
    with pytest.raises(NotWechat):
        PushReader(TOKEN, AES_KEY, APPID).open(query, body)


def _sealed(text: str) -> bytes:
    return json.dumps({"ToUserName": "gh_1", "Encrypt": text}).encode()


def _without(query: dict[str, str], name: str) -> dict[str, Any]:
    return {key: value for key, value in query.items() if key != name}
