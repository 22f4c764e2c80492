"""URLs of Redis: one server, a service that Sentinels watch, or a Cluster."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from redis.asyncio.connection import parse_url

Kind = Literal["", "sentinel", "cluster"]
Node = tuple[str, int]  # host and port

NAME = "QX_REDIS_URL"
SCHEMES = ("redis", "rediss", "unix")
KINDS: dict[Kind, tuple[int, str]] = {  # default port, and what a URL looks like
    "sentinel": (26379, "redis+sentinel://host:port,host:port/service/db"),
    "cluster": (6379, "redis+cluster://host:port,host:port"),
}
HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
SERVICE = re.compile(r"[A-Za-z0-9._-]+")  # what Sentinel itself accepts
# Of Sentinels that demand a login; user and password before the hosts are those of the servers.
SENTINEL_LOGIN = {"sentinel_username": "username", "sentinel_password": "password"}


@dataclass(frozen=True)
class RedisUrl:
    """``server`` is a URL of redis-py: account, TLS, database and options of every server.

    Its host is that of the first node. ``nodes``: Sentinels, or nodes of a Cluster.
    """

    kind: Kind
    server: str
    nodes: tuple[Node, ...] = ()
    service: str = ""
    sentinel_login: tuple[tuple[str, str], ...] = ()


def parse(url: str) -> RedisUrl:
    """Read a URL. Raises ValueError with a sentence that holds no part of it: it has a password."""
    scheme, separator, rest = url.partition("://")
    family, plus, kind = scheme.partition("+")
    if not plus and separator and family in SCHEMES:
        found = RedisUrl("", url)
    elif separator and family in ("redis", "rediss") and kind in KINDS:
        found = _of_many(family, kind, rest)
    else:
        raise ValueError(
            f"{NAME} must begin with redis://, rediss://, unix://, redis+sentinel://,"
            " rediss+sentinel://, redis+cluster:// or rediss+cluster://"
        )
    try:
        options = parse_url(found.server)
    except ValueError:
        raise ValueError(
            f"{NAME} has a port or an option that is none, or / in a password"
        ) from None
    if found.kind == "cluster" and options.get("db"):
        raise ValueError(f"{NAME}: a Cluster has only database 0")
    return found


def _of_many(family: str, kind: Kind, rest: str) -> RedisUrl:
    port, looks = KINDS[kind]
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    account, at, hosts = authority.rpartition("@")
    nodes = tuple(_node(text, number, port) for number, text in enumerate(hosts.split(","), 1))
    service, database = "", path
    if kind == "sentinel":
        service, _, database = path.partition("/")
        if not SERVICE.fullmatch(service):
            raise ValueError(f"{NAME} lacks the name of the service: {looks}")
    if database and not re.fullmatch(r"[0-9]{1,4}", database):
        raise ValueError(f"{NAME}: what follows the hosts is not as in {looks}")
    options = dict(parse_qsl(query, keep_blank_values=True))
    login = {to: options.pop(name) for name, to in SENTINEL_LOGIN.items() if name in options}
    if login and kind == "cluster":
        raise ValueError(f"{NAME}: sentinel_username and sentinel_password are for Sentinels")
    host, first_port = nodes[0]
    server = f"{family}://{account}{at}{f'[{host}]' if ':' in host else host}:{first_port}"
    server += f"/{database}" + (f"?{urlencode(options)}" if options else "")
    return RedisUrl(kind, server, nodes, service, tuple(login.items()))


def _node(text: str, number: int, default_port: int) -> Node:
    found = HOST_PORT.fullmatch(text)
    port = int(found[2] or default_port) if found else 0
    if not found or not 0 < port < 65_536:
        raise ValueError(f"{NAME}: number {number} in the list of hosts is not host or host:port")
    return found[1].strip("[]"), port
