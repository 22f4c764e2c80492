"""The URL to which WeChat sends its events; it is set in the mini-program's console."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import PlainTextResponse

from app.api.access import ANYONE, allow
from app.api.context import runtime_of
from app.api.deps import Cipher, Tx
from app.api.operations import any_query
from app.api.routes import Router
from app.core.language import Bilingual
from app.integrations.wechat.pushes import NotWechat, PushReader
from app.services import pushes

ABOUT = Bilingual("微信消息推送的接收地址", "The address to which WeChat sends its events")
router = Router(tags=["pushes"], about=ABOUT)
ADDRESS = "/wechat/pushes"
RECEIVED = "success"  # after any other reply WeChat sends the event again
Text = Annotated[str, Query(max_length=200)]


def _reader(request: Request) -> PushReader:
    reader = runtime_of(request).pushes
    if reader is None:  # without a token no request can be verified
        raise NotWechat
    return reader


async def _message(request: Request) -> dict[str, Any]:
    return _reader(request).open(request.query_params, await request.body())


@router.get(
    ADDRESS,
    operation_id="verifyPushAddress",
    response_class=PlainTextResponse,
    **allow(ANYONE, NotWechat),
)
@any_query
async def verify_push_address(
    request: Request,
    echostr: Annotated[Text, Query(description="What is to be answered.")] = "",
    signature: Annotated[Text, Query(description="WeChat's signature of the request.")] = "",  # noqa: ARG001 - documented; read from the query
    timestamp: Annotated[Text, Query(description="WeChat's time: Unix seconds.")] = "",  # noqa: ARG001
    nonce: Annotated[Text, Query(description="WeChat's random text.")] = "",  # noqa: ARG001
) -> PlainTextResponse:
    """Answer the verification request that WeChat's console sends to this URL."""
    _reader(request).verify(request.query_params)
    return PlainTextResponse(echostr)


@router.post(
    ADDRESS,
    operation_id="receivePush",
    response_class=PlainTextResponse,
    **allow(ANYONE, NotWechat, body=True),
)
@any_query
async def receive_push(
    message: Annotated[dict[str, Any], Depends(_message)], tx: Tx, cipher: Cipher
) -> PlainTextResponse:
    """Receive an event as JSON, plain or encrypted as configured."""
    await pushes.receive(tx, cipher, message)
    return PlainTextResponse(RECEIVED)
