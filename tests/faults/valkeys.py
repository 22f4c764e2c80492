"""Several private Valkeys: a pair that Sentinels watch, or a Cluster. A test may kill any of them.

On TCP ports, as Sentinel and Cluster know no sockets; small, and without files of data.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import redis

from app.embedded.layout import valkey_program
from tests.faults.server import free_port
from tests.faults.valkey import answers
from tests.faults.waiting import until

SERVICE = "qx"
DOWN_AFTER_MS = 1000
SLOTS = 16_384
_SMALL = {"save": '""', "appendonly": "no", "maxmemory": "64mb", "repl-diskless-sync-delay": "0"}


@dataclass
class Server:
    """One process on a port; ``start`` starts it anew with the same files."""

    folder: Path
    settings: dict[str, str]
    mode: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: psutil.Popen | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        file = self.folder / "conf"
        if not file.exists():  # a Sentinel writes there what it learns
            lines = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder)}
            text = "".join(f"{name} {value}\n" for name, value in (lines | self.settings).items())
            file.write_text(text)
        self.process = psutil.Popen(
            [valkey_program(), file, *self.mode, "--logfile", str(self.folder / "log")],
            stdout=subprocess.DEVNULL,
        )
        with self.client() as client:
            until(lambda: answers(client))

    def stop(self) -> None:
        """SIGKILL; nothing if it does not run."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def freeze(self) -> None:
        assert self.process is not None
        self.process.suspend()

    def thaw(self) -> None:
        assert self.process is not None
        self.process.resume()

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, decode_responses=True, socket_timeout=5)

    def ask(self, *words: Any) -> Any:
        with self.client() as client:
            return client.execute_command(*words)


@dataclass(frozen=True)
class Watched:
    """Two servers, one of which is the master, and three Sentinels."""

    servers: list[Server]
    sentinels: list[Server]

    @property
    def url(self) -> str:
        return url_of(self.sentinels)

    def master(self) -> Server:
        """Return the server that all Sentinels name."""
        found: set[int] = set()

        def agreed() -> bool:
            said = [s.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE) for s in self.sentinels]
            found.clear()
            found.update(int(port) for _, port in said)
            return len(found) == 1

        until(agreed)
        return next(one for one in self.servers if one.port in found)

    def other(self, one: Server) -> Server:
        return next(each for each in self.servers if each is not one)

    def whole(self) -> Server:
        """Start what does not run, wait until a failover is possible; return the master."""
        for one in self.servers:
            if one.process is None:
                one.start()
        self.in_step()
        return self.master()

    def in_step(self) -> None:
        """Wait until the replica follows the master, and all Sentinels know of it."""
        replica = self.other(self.master())
        until(lambda: replica.ask("ROLE")[3:4] == ["connected"])
        until(lambda: all(self._is_known(one, replica) for one in self.sentinels))

    def _is_known(self, sentinel: Server, replica: Server) -> bool:
        """Whether a Sentinel would promote the replica, and knows the other Sentinels."""
        with sentinel.client() as client:
            state = client.sentinel_master(SERVICE)
            known = client.sentinel_slaves(SERVICE)
        good = [one for one in known if one["port"] == replica.port and not one["is_sdown"]]
        return (
            bool(good)
            and good[0]["master-link-status"] == "ok"
            and (state["num-other-sentinels"] == len(self.sentinels) - 1)
        )


def url_of(sentinels: Sequence[Server]) -> str:
    return f"redis+sentinel://{','.join(one.address for one in sentinels)}/{SERVICE}/0"


@contextmanager
def pair(folder: Path) -> Iterator[list[Server]]:
    """A master and a replica."""
    with _servers() as run:
        first = run(Server(folder / "first", _SMALL))
        replica = _SMALL | {"replicaof": f"127.0.0.1 {first.port}"}
        yield [first, run(Server(folder / "second", replica))]


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    with pair(folder) as servers, _servers() as run:
        settings = {
            "sentinel monitor": f"{SERVICE} 127.0.0.1 {servers[0].port} 2",
            "sentinel down-after-milliseconds": f"{SERVICE} {DOWN_AFTER_MS}",
            "sentinel failover-timeout": f"{SERVICE} 6000",
        }
        made = [run(Server(folder / f"s{n}", settings, ("--sentinel",))) for n in range(3)]
        found = Watched(servers, made)
        found.in_step()
        yield found


@dataclass(frozen=True)
class Cluster:
    """Masters, then as many replicas."""

    nodes: list[Server]

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(one.address for one in self.nodes)}"

    def master_of(self, key: str) -> Server:
        """Return the node that serves a key, as any that runs says."""
        asked = next(one for one in self.nodes if one.process is not None)
        slot = asked.ask("CLUSTER", "KEYSLOT", key)
        for first, last, master, *_ in asked.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(one for one in self.nodes if one.port == master[1])
        raise AssertionError("nobody serves the slot")

    def replica_of(self, master: Server) -> Server:
        """Return a server that follows the master."""
        return next(
            one for one in self.nodes if one.ask("ROLE")[:3] == ["slave", "127.0.0.1", master.port]
        )

    def whole(self, key: str) -> Server:
        """Start what does not run, wait for all; return the master that serves a key."""
        for one in self.nodes:
            if one.process is None:
                one.start()
        until(self.is_whole)
        return self.master_of(key)

    def is_whole(self) -> bool:
        """Whether all slots are served, and each running replica follows its master."""
        for one in self.nodes:
            if one.process is not None:
                if "cluster_state:ok" not in _info(one):
                    return False
                role = one.ask("ROLE")
                if role[0] == "slave" and role[3] != "connected":
                    return False
        return True


def _info(one: Server) -> str:
    with one.client() as client:
        client.set_response_callback("CLUSTER INFO", str)
        return str(client.execute_command("CLUSTER INFO"))


@contextmanager
def cluster(folder: Path, masters: int = 3, replicas: int = 3) -> Iterator[Cluster]:
    settings = _SMALL | {
        "cluster-enabled": "yes",
        "cluster-node-timeout": str(DOWN_AFTER_MS),
        "cluster-replica-validity-factor": "0",
    }
    with _servers() as run:
        nodes = [
            # A bus of its own choice: 10,000 above, the default, not every free port has one.
            run(Server(folder / f"n{number}", settings | {"cluster-port": str(free_port())}))
            for number in range(masters + replicas)
        ]
        for number, one in enumerate(nodes[:masters]):
            first, last = (SLOTS * n // masters for n in (number, number + 1))
            one.ask("CLUSTER", "ADDSLOTSRANGE", first, last - 1)
            one.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for one in nodes[1:]:
            where = (nodes[0].port, nodes[0].settings["cluster-port"])
            one.ask("CLUSTER", "MEET", "127.0.0.1", *where)
        until(lambda: all(f"cluster_known_nodes:{len(nodes)}" in _info(one) for one in nodes))
        for number, one in enumerate(nodes[masters:]):
            one.ask("CLUSTER", "REPLICATE", nodes[number].ask("CLUSTER", "MYID"))
        found = Cluster(nodes)
        until(found.is_whole)
        yield found


@contextmanager
def _servers() -> Iterator[Callable[[Server], Server]]:
    """Yield what starts a server; all are stopped at the end."""
    with ExitStack() as stack:

        def run(one: Server) -> Server:
            stack.callback(one.stop)
            one.start()
            return one

        yield run
