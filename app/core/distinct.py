"""Quotas on how many different members a key may have, in Redis.

Losing Redis forgets them, and while it is down everybody is admitted.
"""

import hashlib

from app.core.batching import Batcher
from app.core.ratelimit import TAG
from app.core.redis import Breaker, Redis, RedisDown
from app.core.redis_scripts import Script

# KEYS: a set for each question. ARGV: a member for each, then the most members of a set, and the
# seconds for which a set is kept after its last new member. Returns for each whether it belongs.
_ADMIT = Script(
    """
local most, seconds = tonumber(ARGV[#KEYS + 1]), tonumber(ARGV[#KEYS + 2])
local answers = {}
for i = 1, #KEYS do
  local known = redis.call('SISMEMBER', KEYS[i], ARGV[i])
  if known == 0 and redis.call('SCARD', KEYS[i]) < most then
    known = redis.call('SADD', KEYS[i], ARGV[i])
    redis.call('EXPIRE', KEYS[i], seconds)
  end
  answers[i] = known
end
return answers
""",
    TAG,
)


class DistinctQuota:
    """At most ``most`` different members a key, which is forgotten after ``seconds``."""

    def __init__(self, redis: Redis, breaker: Breaker, name: str, most: int, seconds: int) -> None:
        self._redis, self._breaker = redis, breaker
        self._name, self.most, self._seconds = name, most, seconds
        self._questions = Batcher(self._ask)

    async def admits(self, key: str, member: str) -> bool:
        """Add a member to a key, a text of any length; False if it has enough others."""
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        return await self._questions.submit((f"{TAG}:{self._name}:{digest}", member))

    async def _ask(self, questions: list[tuple[str, str]]) -> list[bool]:
        keys, members = zip(*questions, strict=True)
        args = [*members, self.most, self._seconds]
        try:
            found = await self._breaker.call(_ADMIT.run(self._redis, keys, args))
        except RedisDown:
            return [True] * len(questions)
        return [bool(one) for one in found]
