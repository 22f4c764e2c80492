"""Writes under an Idempotency-Key: of a plain route, or commands that join a batch.

A route declares ``allow(RULE, …, once=True)``; its handler is plain and depends on ``Tx``. The key
is claimed in the transaction of the work: both are committed, or neither. A repeated request gets
the first reply byte for byte, also a refusal, with ``Idempotency-Replayed: true``. With
``seals=True`` the reply is stored encrypted, because it holds a secret.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile

from app.api import guesses
from app.api.context import person_of, runtime_of
from app.api.problems import MEDIA_TYPE, NO_STORE, problem
from app.api.routes import Handler
from app.core.batching import Batcher
from app.core.db import Database, Session
from app.core.errors import Refusal, unwrap
from app.services import idempotency
from app.services.idempotency import Attempt, Replied, Reply

KEY_REFUSALS = (
    idempotency.KeyMissing,
    idempotency.KeyMalformed,
    idempotency.KeyReused,
    idempotency.KeyInFlight,
)
C = TypeVar("C")
R = TypeVar("R")


class _Replay(Exception):
    """The key has a reply already; the handler must not run."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


class Once:
    """The idempotency key of a request, bound to its person, method, path, body and X-Merchant."""

    def __init__(self, request: Request, *, seals: bool = False) -> None:
        """``seals``: store the reply encrypted. Raises KeyMissing, KeyMalformed."""
        text = idempotency.parse_key(request.headers.get("idempotency-key"))
        self._request = request
        self._cipher = runtime_of(request).cipher if seals else None
        self._key = (person_of(request), text)
        self._digest: bytes | None = None
        self._tx: Session | None = None
        self._savepoint: Any = None

    @asynccontextmanager
    async def transaction(self, database: Database) -> AsyncIterator[Session]:
        """Begin the transaction of the work and claim the key in it.

        Raises KeyReused, KeyInFlight, or for a new key the refusal of too many wrong guesses.
        KeyReused also if the reply was encrypted under a key before the previous one. Raises
        _Replay after a commit, because reading the first reply must wait for a synchronous
        standby, as the first commit did.
        """
        fingerprint = await self._fingerprint()
        async with database.transaction() as tx:
            reply = await idempotency.claim(tx, self._key, fingerprint)
            if reply is None:
                if refusal := guesses.too_many(self._request):
                    raise refusal
                self._tx, self._savepoint = tx, await tx.begin_nested()
                yield tx
        if reply is not None:
            raise _Replay(self._opened(reply))

    async def replay(self, database: Database) -> None:
        """Replay a reply that the key has already, before slow work that needs no transaction.

        Raises KeyReused, _Replay. ``transaction`` remains the guard.
        """
        fingerprint = await self._fingerprint()
        async with database.transaction() as tx:
            reply = await idempotency.replay(tx, self._key, fingerprint)
        if reply is not None:
            raise _Replay(self._opened(reply))

    async def is_known(self, database: Database) -> bool:
        """Tell whether the key has a reply already, whatever the request is."""
        async with database.transaction() as tx:
            return await idempotency.is_known(tx, self._key)

    async def keep(self, response: Response) -> Response:
        """Store the reply of the work beside the claimed key."""
        assert self._tx is not None, "a handler under a key asks for Tx"
        body = bytes(response.body)
        if self._cipher is not None:
            body = self._cipher.seal(body.decode())
        reply = Reply(response.status_code, body)
        await idempotency.keep(self._tx, self._key, reply)
        return response

    def _opened(self, reply: Reply) -> Reply:
        if self._cipher is None:
            return reply
        try:
            return Reply(reply.status, self._cipher.open(reply.body).encode())
        except KeyError:
            raise idempotency.KeyReused from None

    async def refuse(self, refusal: Refusal) -> Response:
        """Roll the work back and store its refusal as the reply; raise one that is not final."""
        if self._tx is None or not idempotency.is_final(refusal):
            raise refusal
        await self._savepoint.rollback()
        return await self.keep(problem(self._request, refusal))

    async def submit(
        self,
        commands: Batcher[Attempt[C, R], Replied | Refusal],
        command: C,
        status: int,
    ) -> Response:
        """Submit a command to a batch under this key, or replay. Raises the command's refusal."""
        attempt = Attempt(
            self._key,
            await self._fingerprint(),
            command,
            self._renderer(status),
            instead=guesses.too_many(self._request),
        )
        replied = unwrap([await commands.submit(attempt)])
        if replied.refusal is not None:
            raise replied.refusal  # rendered exactly as the stored reply
        return _replied(replied.reply, is_replay=replied.is_replay)

    def _renderer(self, status: int) -> Callable[[Any], Reply]:
        def render(outcome: BaseModel | Refusal) -> Reply:
            if isinstance(outcome, Refusal):
                rendered = problem(self._request, outcome)
                return Reply(rendered.status_code, bytes(rendered.body))
            return Reply(status, outcome.model_dump_json().encode())

        return render

    async def _fingerprint(self) -> bytes:
        """Return a digest of method, path and body; another request must not reuse the key."""
        if self._digest is None:
            request = self._request
            content_type = request.headers.get("content-type", "").lower()
            is_form = content_type.startswith("multipart/form-data")
            body = await content_of(await request.form()) if is_form else await request.body()
            head = f"{request.method} {request.url.path}\n".encode()
            merchant = request.headers.get("x-merchant", "").encode()  # who acts, like the body
            self._digest = sha256(head + body + merchant).digest()
        return self._digest


def once(handler: Handler, *, seals: bool) -> Handler:
    """Run a handler once for each key. Its ``Tx`` dependency claims the key: see ``Once``."""

    async def run(request: Request) -> Response:
        key = request.state.once = Once(request, seals=seals)
        try:
            return await key.keep(await handler(request))
        except _Replay as replay:
            return _replied(replay.reply, is_replay=True)
        except Refusal as refusal:
            return await key.refuse(refusal)

    return run


async def content_of(form: FormData) -> bytes:
    """Return a digest of the fields of a form, without the boundary, which differs by attempt."""
    digests = []
    for name, value in sorted(form.multi_items(), key=lambda item: item[0]):
        if isinstance(value, UploadFile):
            await value.seek(0)  # it may have been read before
            content = await value.read()
        else:
            content = value.encode()
        digests.append(sha256(name.encode()).digest() + sha256(content).digest())
    return b"".join(digests)


def _replied(reply: Reply, *, is_replay: bool) -> Response:
    headers = {"Idempotency-Replayed": "true"} if is_replay else {}
    media_type = "application/json"
    if reply.status >= 400:
        headers["Cache-Control"], media_type = NO_STORE, MEDIA_TYPE
    return Response(reply.body, reply.status, headers, media_type)
