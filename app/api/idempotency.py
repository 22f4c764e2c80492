"""Once: a write under an Idempotency-Key, alone in its transaction or joined to a list."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile

from app.api.access import runtime_of
from app.api.problems import MEDIA_TYPE, problem
from app.core.batching import Batcher
from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ratelimit import Limit
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


class Once:
    """Runs a write once for an Idempotency-Key; a repeat gets the first reply, byte for byte."""

    def __init__(self, request: Request, key: str, person_id: UUID, body: bytes) -> None:
        self._request = request
        self._key = (person_id, key)
        text = f"{request.method} {request.url.path}\n".encode()
        self._fingerprint = sha256(text + body).digest()

    async def run(
        self, tx: Session, status: int, work: Callable[[], Awaitable[BaseModel]]
    ) -> Response:
        """Do the work in the transaction, or replay."""
        attempt = Attempt(self._key, self._fingerprint, None, self._renderer(status))
        return _reply(await idempotency.run_one(tx, attempt, work))

    async def submit(
        self,
        commands: Batcher[Attempt[C, R], Replied | Refusal],
        command: C,
        status: int,
        *,
        guess: Limit,
        wrong: type[Refusal],
    ) -> Response:
        """Let the work join a list, or replay.

        As with ``guessing``, what was ``wrong`` counts against the limit of guesses.
        """
        limiter, client = runtime_of(self._request).limiter, str(self._key[0])
        too_many = (await limiter.check(guess, client)).refusal()
        attempt = Attempt(
            self._key, self._fingerprint, command, self._renderer(status), instead=too_many
        )
        replied = unwrap([await commands.submit(attempt)])
        if isinstance(replied.refusal, wrong):
            await limiter.charge(guess, client)
        return _reply(replied)

    def _renderer(self, status: int) -> Callable[[Any], Reply]:
        def render(outcome: BaseModel | Refusal) -> Reply:
            if isinstance(outcome, Refusal):
                rendered = problem(self._request, outcome)
                return Reply(rendered.status_code, bytes(rendered.body))
            return Reply(status, outcome.model_dump_json().encode())

        return render


async def content_of(form: FormData) -> bytes:
    """Return what a form says: between its parts stands a boundary that each attempt chooses."""
    digests = []
    for name, value in sorted(form.multi_items(), key=lambda item: item[0]):
        if isinstance(value, UploadFile):
            await value.seek(0)  # somebody may have read it
            content = await value.read()
        else:
            content = value.encode()
        digests.append(sha256(name.encode()).digest() + sha256(content).digest())
    return b"".join(digests)


def _reply(replied: Replied) -> Response:
    reply = replied.reply
    headers = {"Idempotency-Replayed": "true"} if replied.is_replay else {}
    media_type = MEDIA_TYPE if reply.status >= 400 else "application/json"
    return Response(reply.body, reply.status, headers, media_type)
