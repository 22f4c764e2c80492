"""The address of WeChat's pushes: only WeChat is heard there."""

import json

import httpx
import pytest

from app.core.settings import Settings
from app.services import pushes
from tests.conftest import ScratchFactory
from tests.factories.http import assert_refused
from tests.integrations.test_wechat_pushes import AES_KEY, TOKEN, signed

PUSHES = "/api/v1/wechat/pushes"
MATRIX = """
operation          rule    nobody alice bob  counter rival sibling parent auditor admin outsider
verifyPushAddress  anyone  403    403   403  403     403   403     403    403     403   403       403=pushes.not_wechat
receivePush        anyone  403    403   403  403     403   403     403    403     403   403       403=pushes.not_wechat
"""  # noqa: E501 - a table


async def test_without_a_token_nobody_is_wechat(api: httpx.AsyncClient, settings: Settings) -> None:
    assert settings.wechat_push_token is None
    for query in ({}, signed(""), signed("None")):
        assert_refused(await api.get(PUSHES, params=query), 403, "pushes.not_wechat")
        assert_refused(await api.post(PUSHES, params=query, json={}), 403, "pushes.not_wechat")


async def test_wechat_verifies_the_address_and_pushes(scratch: ScratchFactory) -> None:
    async with scratch(wechat_push_token=TOKEN, public_url="http://test") as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            query = signed(TOKEN) | {"echostr": "5837397520665436492"}
            echo = await api.get(PUSHES, params=query)
            wrong = await api.get(PUSHES, params=query | {"nonce": "1"})
            unknown = await api.post(PUSHES, params=query, json={"Event": "subscribe_msg_popup"})
            odd = [await api.post(PUSHES, params=query, json=one) for one in ({}, {"Event": 1})]
            no_json = await api.post(PUSHES, params=query, content=b"<xml/>")

    assert (echo.status_code, echo.text) == (200, "5837397520665436492")
    assert echo.headers["content-type"] == "text/plain; charset=utf-8"
    assert_refused(wrong, 403, "pushes.not_wechat")
    assert {(one.status_code, one.text) for one in (unknown, *odd)} == {(200, "success")}
    assert_refused(no_json, 403, "pushes.not_wechat")


async def test_an_event_with_an_odd_name_changes_nothing(scratch: ScratchFactory) -> None:
    event = {"Event": "wxa_media_check", "result": {"suggest": "pass"}}
    async with scratch(wechat_push_token=TOKEN, public_url="http://test") as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            for name in ("a\0b", "\ud800", "\udfff", "", "签", "a b", 1, None):
                # ``json=`` would not encode half of a surrogate pair.
                body = json.dumps(event | {"trace_id": name}).encode()
                reply = await api.post(PUSHES, params=signed(TOKEN), content=body)
                assert (reply.status_code, reply.text) == (200, "success")


async def test_an_encrypted_text_that_is_no_text_is_not_wechats(scratch: ScratchFactory) -> None:
    settings = {"wechat_push_token": TOKEN, "wechat_push_aes_key": AES_KEY}
    async with scratch(**settings, public_url="http://test") as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
            body = b'{"Encrypt": "\\ud800"}'
            reply = await api.post(PUSHES, params=signed(TOKEN), content=body)

    assert_refused(reply, 403, "pushes.not_wechat")


def test_a_noun_declares_the_events_that_it_acts_on() -> None:
    assert pushes.handlers().keys() == {
        "wxa_media_check",
        "user_authorization_revoke",
        "user_authorization_cancellation",
    }


@pytest.mark.parametrize("change", [{"public_url": None}, {"public_url": "https://host/path"}])
def test_a_token_without_a_public_address_is_refused(change: dict[str, str | None]) -> None:
    values = {"wechat_push_token": TOKEN, "public_url": "https://host", "secret_key": "x" * 32}
    assert Settings.model_validate(values).checks_pictures
    with pytest.raises(ValueError, match="QX_PUBLIC_URL"):
        Settings.model_validate(values | change)
