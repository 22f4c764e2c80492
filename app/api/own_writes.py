"""Notes who has written, before the reply is sent; in use only with read replicas."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class OwnWrites:
    """The outermost ASGI layer, so that no way of answering a request bypasses it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                caller = scope["state"].get("caller")  # set by the access rule
                if caller is not None:
                    await scope["app"].state.runtime.writers.add(caller.person_id)
            await send(message)

        await self._app(scope, receive, noted)
