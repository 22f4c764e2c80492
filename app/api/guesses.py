"""Limits on wrong guesses of secrets: login, card and pick-up codes, tokens, card numbers.

This is the only place that counts them. A route declares ``allow(…, guess=Guess(CODE_GUESS,
RedemptionNotFound))``. Only wrong guesses count against the limit, so that many people behind one
address can log in at once. Concurrent wrong guesses are all counted afterwards, even beyond the
limit. While Redis is down every guess is refused. Where one request holds many guesses, its
service counts them by ``Guesses``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response

from app.api.context import person_of, runtime_of
from app.api.routes import Handler
from app.core.errors import Refusal
from app.core.ratelimit import Limit
from app.services import code_locks

LOGIN_GUESS = Limit("login", burst=60, per_second=1, fail_closed=True)
CODE_GUESS = Limit("code", burst=20, per_second=0.2, fail_closed=True)
# Codes of screens and posters. After ten wrong ones right ones are refused too, for ten minutes.
CHECKIN_GUESS = Limit("checkin_code", burst=10, per_second=1 / 600, fail_closed=True)
# Card numbers have one check digit, and the old ones run in sequence: slower than for codes.
CARD_GUESS = Limit("card", burst=20, per_second=1 / 30, fail_closed=True)

# Of the 8 digits for one child: the fifth wrong one locks them for the day that they last.
HANDOVER_GUESS = Limit("handover", burst=5, per_second=1 / 86_400, fail_closed=True)


@dataclass(frozen=True)
class Guess:
    """The secret that callers of a route could guess; ``wrong`` is the refusal of a wrong value.

    ``client`` returns the key under which guesses are counted. ``signed``: the secret is verified
    without a look-up and too long to be guessed. The limit is then checked by the access rule, in
    the call of Redis that counts the request, so that it costs no round trip; and correct ones are
    accepted while Redis is down. ``then`` is told of each wrong one, after it was counted.
    """

    limit: Limit
    wrong: type[Refusal]
    client: Callable[[Request], UUID | str] = person_of
    signed: bool = False
    then: Callable[[Request, Refusal], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        assert self.limit.fail_closed, "without Redis nobody may guess"


def counted(handler: Handler, guess: Guess, *, replays: bool) -> Handler:
    """Return a handler that counts wrong guesses and refuses a caller with too many.

    ``replays``: the route requires an Idempotency-Key. The refusal is then passed to ``Once``,
    which raises it for a new key only: a repeated request still gets its first reply.
    """

    async def run(request: Request) -> Response:
        limiter, client = runtime_of(request).limiter, str(guess.client(request))
        if not guess.signed:
            barred = (await limiter.check(guess.limit, client)).refusal()
            if barred is not None and not replays:
                raise barred
            request.state.too_many_guesses = barred
        try:
            return await handler(request)
        except guess.wrong as refusal:
            if guess.signed:
                (await limiter.take(guess.limit, client)).enforce()
            else:
                await limiter.charge(guess.limit, client)
            if guess.then is not None:
                await guess.then(request, refusal)
            raise

    return run


async def count_at_merchant(request: Request, refusal: Refusal) -> None:
    """Count a wrong card code against the merchant at whose counter it was, over all its staff."""
    runtime, merchant_id = runtime_of(request), getattr(refusal, "merchant_id", None)
    if merchant_id is not None and runtime.limiter.enabled:
        async with runtime.database.transaction() as tx:
            await code_locks.count(tx, merchant_id)


class Guesses:
    """Counts the wrong guesses within one request: a batch may hold hundreds."""

    def __init__(self, request: Request, limit: Limit, about: UUID | None = None) -> None:
        """Count against the caller, or against what is guessed ``about``."""
        self._limiter, self._client = runtime_of(request).limiter, str(about or person_of(request))
        self._limit = limit

    async def admit(self) -> None:
        """Raise RateLimited for a caller with too many wrong guesses, Busy without Redis."""
        (await self._limiter.check(self._limit, self._client)).enforce()

    async def count(self, wrong: int) -> None:
        if wrong:
            await self._limiter.charge(self._limit, self._client, wrong)


def _card_guesses(request: Request) -> Guesses:
    return Guesses(request, CARD_GUESS)


# For handlers where a card number may stand, but need not: only one that stands is a guess.
CardGuesses = Annotated[Guesses, Depends(_card_guesses)]


def _handover_guesses(request: Request) -> Callable[[UUID], Guesses]:
    return lambda child: Guesses(request, HANDOVER_GUESS, child)


# Wrong codes count against the child, whoever enters them.
HandoverGuesses = Annotated[Callable[[UUID], Guesses], Depends(_handover_guesses)]


def too_many(request: Request) -> Refusal | None:
    """Return the refusal of a caller with too many wrong guesses, for requests with a new key."""
    refusal: Refusal | None = getattr(request.state, "too_many_guesses", None)
    return refusal
