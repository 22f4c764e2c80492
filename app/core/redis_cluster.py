"""A client of a Cluster, for the breaker."""

from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException

from app.core.redis_scripts import TAGS

# Less than the breaker's look of a second: redis-py learns who serves what from an error, and a
# command that was cancelled shows none. A node that is silent must leave time to ask another.
SOCKET_TIMEOUT_S = 0.4
# Of each node. The pools of a Cluster do not let callers wait: beyond it they fail.
MAX_CONNECTIONS = 1000


class ClusterClient(RedisCluster):
    """Differs from redis-py's in what happens while nodes fail."""

    async def initialize(self, *args: Any, **options: Any) -> "ClusterClient":
        """Learn who serves what.

        Raises ConnectionError if no node of the URL can tell; redis-py raises a plain Exception.
        """
        try:
            await super().initialize(*args, **options)
        except RedisClusterException as error:
            raise RedisConnectionError("the Cluster lacks slots, or does not answer") from error
        return self

    async def ping(self, **_: Any) -> bool:
        """Reach the masters of the scripts' keys; redis-py's own needs any one node.

        GET, as redis-py makes a pipeline of EXISTS, whose errors teach it nothing.
        """
        for tag in sorted(TAGS):
            await self.get(tag)
        return True
