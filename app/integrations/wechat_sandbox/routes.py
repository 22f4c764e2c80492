"""The sandbox's HTTP: WeChat's own paths, and those by which tests steer it.

Like WeChat it answers 200 to everything on WeChat's paths; the error is in ``errcode``. On every
path a JSON body with a duplicate key is refused, and no reply is for caches: some hold codes,
session keys or tokens.
"""

import base64
import io
import json
import re
import secrets
import time
from typing import Any, cast

import segno
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import SecretStr
from redis.exceptions import RedisError

from app.core.redis import Redis
from app.integrations.wechat_sandbox.bodies import (
    TEMPLATE_ID,
    AcceptIn,
    AnswersIn,
    CodeIn,
    ScriptIn,
    User,
    fits,
)
from app.integrations.wechat_sandbox.pushing import Pusher
from app.integrations.wechat_sandbox.state import State, WechatError, sandbox_openid
from app.integrations.wechat_sandbox.strict import NO_STORE, Route, parsed

MAX_BODY_BYTES = 16 * 1024

SESSION_PATH = "/sns/jscode2session"
TOKEN_PATH = "/cgi-bin/stable_token"  # noqa: S105 - a path
SEND_PATH = "/cgi-bin/message/subscribe/send"
MEDIA_CHECK_PATH = "/wxa/media_check_async"
WXACODE_PATH = "/wxa/getwxacodeunlimit"
SCENE = re.compile(r"[!-~]{1,32}")
# Of a push: the picture could not be downloaded.
NOT_FETCHED = -1008

ERRMSG = {
    -1: "system error",
    0: "ok",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40029: "invalid code",
    40037: "invalid template_id",
    40125: "invalid appsecret",
    40097: "invalid args",
    40163: "code been used",
    40169: "invalid scene",
    40226: "code blocked",
    41001: "access_token missing",
    41008: "missing code",
    42001: "access_token expired",
    43101: "user refuse to accept the msg",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    47001: "data format error",
    47003: "argument invalid!",
}


class Sandbox:
    """The handlers; one instance a process, one state for all."""

    def __init__(self, state: State, appid: str, secret: SecretStr, pusher: Pusher | None) -> None:
        self._state, self._pusher = state, pusher
        self._appid = appid
        self._secret = secret

    async def make_code(self, body: CodeIn) -> dict[str, str]:
        """Answer as ``wx.login`` does on the user's phone."""
        return {"code": await self._state.make_code(body.user)}

    async def script(self, body: ScriptIn) -> dict[str, Any]:
        openid = sandbox_openid(body.user) if body.user else ""
        await self._state.add_script(body.path, openid, body.errcode, body.times)
        return body.model_dump()

    async def clear_script(self) -> Response:
        await self._state.clear_scripts()
        return Response(status_code=204)

    async def session(
        self, appid: str = "", secret: str = "", js_code: str = "", grant_type: str = ""
    ) -> dict[str, Any]:
        """jscode2session. On success there is no ``errcode``, as at WeChat.

        The code is spent last: a quota or a scripted error leaves it good for a retry.
        """
        await self._state.follow_script(SESSION_PATH)
        if grant_type != "authorization_code":
            raise WechatError(40002)
        self._check_credentials(appid, secret)
        if not js_code:
            raise WechatError(41008)
        openid = sandbox_openid(await self._state.owner(js_code))
        await self._state.follow_script(SESSION_PATH, openid)
        await self._state.count_login(openid)
        await self._state.spend(js_code)
        session_key = base64.b64encode(secrets.token_bytes(16)).decode()
        return {"session_key": session_key, "openid": openid}

    async def stable_token(self, request: Request) -> dict[str, Any]:
        await self._state.follow_script(TOKEN_PATH)
        body = await _json_object(request)
        if body.get("grant_type") != "client_credential":
            raise WechatError(40002)
        self._check_credentials(body.get("appid"), body.get("secret"))
        if body.get("force_refresh") is True:
            await self._state.force_token()
        token, seconds = await self._state.current_token()
        return {"access_token": token, "expires_in": seconds}

    async def send_message(self, request: Request, access_token: str = "") -> dict[str, Any]:
        """message/subscribe/send: checks, spends an accept, keeps the message."""
        await self._state.follow_script(SEND_PATH)
        await self._state.check_token(access_token)
        body = await _json_object(request)
        openid = body.get("touser")
        if not isinstance(openid, str) or not openid.isascii() or len(openid) != 28:
            raise WechatError(40003)
        await self._state.follow_script(SEND_PATH, openid)
        template_id, data = body.get("template_id"), body.get("data")
        if not isinstance(template_id, str) or not TEMPLATE_ID.fullmatch(template_id):
            raise WechatError(40037)
        if not isinstance(data, dict) or not all(fits(*one) for one in data.items()):
            raise WechatError(47003)
        await self._state.spend_accept(openid, template_id)
        await self._state.add_message(openid, json.dumps(body))
        return {"errcode": 0, "errmsg": "ok"}

    async def accept(self, body: AcceptIn) -> dict[str, Any]:
        """Answer as a user does who is asked on the phone."""
        await self._state.accept(sandbox_openid(body.user), body.template_id, body.times)
        return body.model_dump()

    async def messages(self, user: User) -> list[dict[str, Any]]:
        """Return what a user got, oldest first."""
        return [json.loads(one) for one in await self._state.messages(sandbox_openid(user))]

    async def check_media(self, request: Request, access_token: str = "") -> dict[str, Any]:
        """media_check_async: takes note of the picture. ``answer_checks`` pushes the answer."""
        await self._state.follow_script(MEDIA_CHECK_PATH)
        await self._state.check_token(access_token)
        body = await _json_object(request)
        openid, url = body.get("openid"), body.get("media_url")
        if not isinstance(openid, str) or not openid:
            raise WechatError(40003)
        is_url = isinstance(url, str) and url.startswith(("http://", "https://"))
        numbers = (body.get("media_type"), body.get("version"), body.get("scene"))
        if not is_url or numbers not in [(2, 2, scene) for scene in (1, 2, 3, 4)]:
            raise WechatError(40097)
        trace_id = secrets.token_hex(16)
        await self._state.add_check(trace_id, str(url))
        return {"errcode": 0, "errmsg": "ok", "trace_id": trace_id}

    async def answer_checks(self, body: AnswersIn) -> dict[str, Any]:
        """Fetch every picture that waits, and push what WeChat would say of it."""
        if self._pusher is None:
            return {"pushed": []}
        pushed = []
        for trace_id, url in (await self._state.take_checks()).items():
            fetched = await self._pusher.fetch(url)
            is_picture = fetched.headers.get("content-type", "").startswith("image/")
            errcode = 0 if fetched.is_success and is_picture else NOT_FETCHED
            reply = await self._pusher.push(self._event(trace_id, errcode, body.suggest))
            told = {"trace_id": trace_id, "status": reply.status_code, "text": reply.text[:200]}
            pushed.append(told | {"errcode": errcode})
        return {"pushed": pushed}

    async def make_wxacode(self, request: Request, access_token: str = "") -> Response:
        """getwxacodeunlimit: a picture on success. Here it is a QR code of the scene."""
        await self._state.follow_script(WXACODE_PATH)
        await self._state.check_token(access_token)
        scene = (await _json_object(request)).get("scene")
        if not isinstance(scene, str) or not SCENE.fullmatch(scene):
            raise WechatError(40169)
        picture = io.BytesIO()
        segno.make(scene, micro=False).save(picture, kind="png", scale=10)
        return Response(picture.getvalue(), media_type="image/png")

    def _event(self, trace_id: str, errcode: int, suggest: str) -> dict[str, Any]:
        event = {
            "ToUserName": "gh_sandbox",
            "FromUserName": "o_sandbox",
            "CreateTime": int(time.time()),
            "MsgType": "event",
            "Event": "wxa_media_check",
            "appid": self._appid,
            "trace_id": trace_id,
            "version": 2,
            "errcode": errcode,
            "errmsg": "ok" if not errcode else "download fail",
        }
        label = 100 if suggest == "pass" else 20002
        result = {"suggest": suggest, "label": label}
        detail = [{"strategy": "content_model", "errcode": 0, "prob": 90, **result}]
        return event if errcode else event | {"result": result, "detail": detail}

    def _check_credentials(self, appid: object, secret: object) -> None:
        if appid != self._appid:
            raise WechatError(40013)
        if secret != self._secret.get_secret_value():
            raise WechatError(40125)


def create_sandbox(
    redis: Redis, appid: str, secret: SecretStr, pusher: Pusher | None = None
) -> FastAPI:
    """Build the sub-application; ``appid`` and ``secret`` are the only ones it accepts."""
    app = FastAPI(
        title="Sandbox WeChat",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=MAX_BODY_BYTES,
        exception_handlers={
            WechatError: _wechat_error,
            RequestValidationError: _invalid,
            RedisError: _redis_down,
        },
    )
    app.router.route_class = Route
    app.state.pusher = pusher
    sandbox = Sandbox(State(redis), appid, secret, pusher)
    app.add_api_route("/codes", sandbox.make_code, methods=["POST"])
    app.add_api_route("/script", sandbox.script, methods=["POST"])
    app.add_api_route("/script", sandbox.clear_script, methods=["DELETE"], status_code=204)
    app.add_api_route(SESSION_PATH, sandbox.session, methods=["GET"])
    app.add_api_route(TOKEN_PATH, sandbox.stable_token, methods=["POST"])
    app.add_api_route(SEND_PATH, sandbox.send_message, methods=["POST"])
    app.add_api_route(MEDIA_CHECK_PATH, sandbox.check_media, methods=["POST"])
    app.add_api_route(WXACODE_PATH, sandbox.make_wxacode, methods=["POST"])
    app.add_api_route("/subscriptions", sandbox.accept, methods=["POST"])
    app.add_api_route("/messages", sandbox.messages, methods=["GET"])
    app.add_api_route("/media-checks", sandbox.answer_checks, methods=["POST"])
    return app


async def _wechat_error(_: Request, error: Exception) -> Response:
    errcode = cast("WechatError", error).errcode
    rid = "-".join(secrets.token_hex(4) for _ in range(3))
    errmsg = f"{ERRMSG.get(errcode, 'error')}, rid: {rid}"
    return _json(200, {"errcode": errcode, "errmsg": errmsg})


async def _invalid(_: Request, error: Exception) -> Response:
    # FastAPI's own reply quotes the input, which fails to encode if it is a lone surrogate.
    wrong = cast("RequestValidationError", error).errors()
    return _json(422, {"detail": [{k: item[k] for k in ("loc", "msg", "type")} for item in wrong]})


async def _redis_down(_: Request, error: Exception) -> Response:
    return _json(503, {"detail": f"the sandbox's Redis: {type(error).__name__}"})


def _json(status: int, content: dict[str, Any]) -> Response:
    return Response(json.dumps(content), status, NO_STORE, media_type="application/json")


async def _json_object(request: Request) -> dict[str, Any]:
    """Read the body as WeChat does, whatever its content type says."""
    raw = await request.body()
    if not raw:
        raise WechatError(44002)
    try:
        body = parsed(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise WechatError(47001)
    return body
