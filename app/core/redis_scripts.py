"""Lua scripts: all keys of a call share a hash tag, so that they are in one slot of a Cluster."""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

# Of all scripts of the process: a Cluster is of use while it serves the slots of these.
TAGS: set[str] = set()
HASH_TAG = re.compile(r"\{[^{}]+\}")


class Script:
    """A Lua script. Every key of a call begins with ``tag``, such as ``{qx:boards}``."""

    def __init__(self, text: str, tag: str) -> None:
        assert HASH_TAG.fullmatch(tag), "not a hash tag"
        self.text, self.tag = text, tag
        self._sha = sha1(text.encode(), usedforsecurity=False).hexdigest()
        TAGS.add(tag)

    async def run(self, redis: Redis, keys: Sequence[str], args: Iterable[Any]) -> Any:
        """Run it by its hash; send the text to a server that does not know it.

        Not SCRIPT LOAD, which redis-py sends to all masters of a Cluster, dead ones too.
        """
        assert all(key.startswith(self.tag) for key in keys), "a key without the script's tag"
        try:
            return await redis.evalsha(self._sha, len(keys), *keys, *args)
        except NoScriptError:
            return await redis.eval(self.text, len(keys), *keys, *args)
