"""One-time tickets: one client shows a ticket, another confirms it, the first takes the answer.

In Redis, with an expiry: what is lost there is shown anew. A ticket has a secret that only the
client that shows it knows, so that nobody who has read the ticket can take the answer.
"""

import secrets
import time
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from app.core.errors import Busy
from app.core.ratelimit import TAG
from app.core.redis import Breaker, Redis, RedisDown
from app.core.redis_scripts import Script

LASTS_S = 120
MAX_AGENT = 200  # characters

_ISSUE = Script(
    """
    redis.call('HSET', KEYS[1], 'secret', ARGV[1], 'number', ARGV[2], 'agent', ARGV[3],
               'until', ARGV[4])
    return redis.call('EXPIRE', KEYS[1], ARGV[5])
    """,
    TAG,
)
# One person confirms a ticket, as often as they like. 0: it is over, or somebody else has.
_CONFIRM = Script(
    """
    local found = redis.call('HMGET', KEYS[1], 'secret', 'by')
    if not found[1] or (found[2] and found[2] ~= ARGV[1]) then return 0 end
    redis.call('HSET', KEYS[1], 'by', ARGV[1])
    return 1
    """,
    TAG,
)
# Deleted in the same step, so that of two takers one gets the answer.
_TAKE = Script(
    """
    local found = redis.call('HMGET', KEYS[1], 'secret', 'by')
    if not found[1] or found[1] ~= ARGV[1] then return 'over' end
    if not found[2] then return 'waiting' end
    redis.call('DEL', KEYS[1])
    return found[2]
    """,
    TAG,
)


class TicketOver(Exception):
    """There is no such ticket: expired, used, or confirmed by somebody else."""


class Ticket(NamedTuple):
    """``name``: what the QR code holds. ``secret``: known to its client alone.

    ``number``: two digits that both clients show, for people to compare.
    """

    name: str
    secret: str
    number: str


class Shown(NamedTuple):
    """A ticket as who confirms it sees it. ``agent``: the User-Agent of its client."""

    number: str
    agent: str
    expires_in: int


class Tickets:
    """The tickets of all processes. Every method raises Busy while Redis is down."""

    def __init__(self, redis: Redis, breaker: Breaker) -> None:
        self._redis, self._breaker = redis, breaker

    async def issue(self, agent: str) -> Ticket:
        ticket = Ticket(
            secrets.token_urlsafe(16),
            secrets.token_urlsafe(32),
            f"{secrets.randbelow(90) + 10}",
        )
        until = f"{time.time() + LASTS_S:.0f}"
        said = [_hash(ticket.secret), ticket.number, agent[:MAX_AGENT], until, LASTS_S]
        await self._ask(_ISSUE.run(self._redis, [_key(ticket.name)], said))
        return ticket

    async def look(self, name: str) -> Shown:
        """Return what a ticket says. Raises TicketOver."""
        wanted = ["number", "agent", "until"]
        number, agent, until = await self._ask(self._redis.hmget(_key(name), wanted))
        if number is None:
            raise TicketOver
        return Shown(number, agent, max(0, round(float(until) - time.time())))

    async def confirm(self, name: str, person: UUID) -> None:
        """Confirm a ticket. Raises TicketOver, also if somebody else has confirmed it."""
        if not await self._ask(_CONFIRM.run(self._redis, [_key(name)], [str(person)])):
            raise TicketOver

    async def take(self, name: str, secret: str) -> UUID | None:
        """Return who confirmed the ticket, once; None as long as nobody has. Raises TicketOver."""
        answer = await self._ask(_TAKE.run(self._redis, [_key(name)], [_hash(secret)]))
        if answer == "over":
            raise TicketOver
        return None if answer == "waiting" else UUID(answer)

    async def _ask(self, asked: Any) -> Any:
        try:
            return await self._breaker.call(asked)
        except RedisDown:
            raise Busy(retry_after=2) from None


def _key(name: str) -> str:
    return f"{TAG}:ticket:{name[:64]}"


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
