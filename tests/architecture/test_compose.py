"""The compose files: containers may do no more than they must, and no command has a password."""

import copy
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from app.embedded.layout import valkey_program
from tests.engines import ROOT
from tests.faults.waiting import until

Service = dict[str, Any]
FILES = ("compose.yaml", "deploy/cluster/compose.yaml")
SERVICES: dict[str, dict[str, Service]] = {
    file: yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["services"] for file in FILES
}
ONE_MACHINE, CLUSTER = (SERVICES[file] for file in FILES)
EVERY = [(file, name) for file, services in SERVICES.items() for name in services]
EXACT = re.compile(r"[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?")
SECRET = re.compile(r"\$\{[A-Z_]*(PASSWORD|SECRET|KEY|TOKEN)[A-Z_]*[:}?-]")
SETTINGS = {
    "maxmemory": str(256 * 2**20),
    "maxmemory-policy": "volatile-lru",
    "save": "",
    "appendonly": "no",
}
WORDS = ("command", "entrypoint")


def looseness(service: Service) -> list[str]:
    """Return what a service may do beyond what it must."""
    words = [service.get(name) for name in WORDS] + [service.get("healthcheck", {}).get("test")]
    checks = {
        "an image that changes": bool(EXACT.fullmatch(service["image"])),
        "capabilities": service.get("cap_drop") == ["ALL"] and "cap_add" not in service,
        "new privileges": "no-new-privileges:true" in service.get("security_opt", []),
        "all memory": bool(service.get("mem_limit")),
        "any number of processes": 0 < service.get("pids_limit", 0) <= 1_000,
        "writing anywhere": service.get("read_only") is True,
        "root": "build" in service or re.fullmatch(r"[1-9]\d*:\d+", service.get("user", "")),
        "the host": not {"privileged", "network_mode", "pid", "ipc"} & {*service},
        "a secret in a command": not SECRET.search(str(words)),
    }
    return [name for name, fine in checks.items() if not fine]


@pytest.mark.parametrize(("file", "name"), EVERY)
def test_a_container_may_do_no_more_than_it_must(file: str, name: str) -> None:
    assert looseness(SERVICES[file][name]) == []


def published(services: dict[str, Service]) -> dict[str, list[str]]:
    return {name: one["ports"] for name, one in services.items() if "ports" in one}


def test_only_the_api_is_reached_and_only_from_the_machine_itself() -> None:
    assert published(ONE_MACHINE) == {"api": ["127.0.0.1:8000:8000"]}


def test_only_the_front_of_the_cluster_is_reached() -> None:
    assert published(CLUSTER) == {"nginx": ["443:443"]}


def with_password(service: Service) -> None:
    service["command"] = ["valkey-server", "--requirepass", "${QX_REDIS_PASSWORD:?}"]


def with_password_in_its_check(service: Service) -> None:
    service["healthcheck"]["test"] = ["CMD", "valkey-cli", "-a", "${QX_REDIS_PASSWORD}", "ping"]


def without(key: str) -> Callable[[Service], None]:
    return lambda service: service.pop(key)


def with_(**values: object) -> Callable[[Service], None]:
    return lambda service: service.update(values)


@pytest.mark.parametrize(
    ("loosen", "found"),
    [
        (with_(image="valkey/valkey:8"), "an image that changes"),
        (with_(image="valkey/valkey"), "an image that changes"),
        (without("cap_drop"), "capabilities"),
        (with_(cap_add=["CHOWN"]), "capabilities"),
        (without("security_opt"), "new privileges"),
        (without("mem_limit"), "all memory"),
        (without("pids_limit"), "any number of processes"),
        (without("read_only"), "writing anywhere"),
        (without("user"), "root"),
        (with_(user="0:0"), "root"),
        (with_(privileged=True), "the host"),
        (with_password, "a secret in a command"),
        (with_password_in_its_check, "a secret in a command"),
    ],
)
def test_what_would_loosen_it_is_found(loosen: Callable[[Service], None], found: str) -> None:
    service = copy.deepcopy(ONE_MACHINE["valkey"])
    loosen(service)
    assert looseness(service) == [found]


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """The command of the service, as compose gives it to the container, but on a socket.

    The path of a Unix socket has at most 107 bytes; ``tmp_path`` can be longer.
    """
    (tmp_path / "valkey-server").symlink_to(valkey_program())
    with tempfile.TemporaryDirectory(prefix="qx") as directory:
        socket = Path(directory, "socket")
        shell, option, script = ONE_MACHINE["valkey"]["command"]
        script = script.replace("$$", "$").replace("save", f"port 0\nunixsocket {socket}\nsave", 1)
        process = subprocess.Popen(  # noqa: S603 - the project's own script
            [shell, option, script],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "REDISCLI_AUTH": "a-secret"},
            cwd=directory,
            stdout=subprocess.DEVNULL,
        )
        try:
            until(socket.exists)
            yield process, socket
        finally:
            process.terminate()
            process.wait(10)


def test_valkey_asks_for_the_password_that_its_command_does_not_show(
    valkey: tuple["subprocess.Popen[bytes]", Path],
) -> None:
    process, socket = valkey
    words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert b"valkey-server" in words, "the shell has made room for it"
    assert b"a-secret" not in words
    with (
        redis.Redis(unix_socket_path=str(socket)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    with redis.Redis(unix_socket_path=str(socket), password="a-secret") as ours:
        for name, value in SETTINGS.items():
            assert ours.config_get(name) == {name: value}
