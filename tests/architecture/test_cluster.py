"""deploy/cluster: its files agree with each other and with the settings of the service."""

import re
import subprocess
from typing import Any

import pytest
import yaml
from sqlalchemy.engine import make_url

from app.core.settings import Settings
from tests.engines import ROOT

FOLDER = ROOT / "deploy" / "cluster"
VARIABLE = re.compile(r"\$\{(\w+)(?:(:\?)|:-([^}]*))?\}")


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


COMPOSE: dict[str, Any] = yaml.safe_load(text("compose.yaml"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PATRONI: dict[str, Any] = yaml.safe_load(text("patroni.yml"))
DCS: dict[str, Any] = PATRONI["bootstrap"]["dcs"]
PARAMETERS: dict[str, str | int] = DCS["postgresql"]["parameters"]
OURS = [name for name, one in SERVICES.items() if one["image"].startswith("qingxiang:")]
DATABASES = ["db1", "db2", "db3"]


def filled(name: str) -> dict[str, str]:
    """Return the environment of a service with a value for each variable that has no default."""
    values = {
        "QX_SECRET_KEY": "k" * 48,
        "QX_ALLOWED_HOSTS": '["api.example.org"]',
    }

    def value(found: re.Match[str]) -> str:
        variable, is_demanded, default = found.groups()
        return values.get(variable, "word") if is_demanded else default or ""

    environment: dict[str, Any] = SERVICES[name].get("environment", {})
    return {key: VARIABLE.sub(value, str(one)) for key, one in environment.items()}


def settings(name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for key, value in filled(name).items():
        if value:
            monkeypatch.setenv(key, value)
    return Settings()


def listeners() -> dict[int, tuple[str, list[str]]]:
    """Return of each port of HAProxy its health check and its servers."""
    found = re.findall(r"^listen \w+\n((?:    .+\n)+)", text("haproxy.cfg"), re.MULTILINE)
    return {
        int(re.findall(r"bind :(\d+)", one)[0]): (
            re.findall(r"httpchk GET (\S+)", one)[0],
            re.findall(r"server \w+ (\S+)", one),
        )
        for one in found
    }


@pytest.mark.parametrize("name", OURS)
def test_production_starts_with_the_settings_of_each_process(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(name, monkeypatch)
    assert given.env == "production"
    unknown = {key.removeprefix("QX_").lower() for key in filled(name)} - {*Settings.model_fields}
    assert unknown == set()


def test_the_settings_are_those_of_one_machine() -> None:
    one_machine = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert {*filled("api1")} == {*one_machine["x-settings"]}


def test_every_variable_that_is_demanded_is_explained() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    demanded = {found[1] for found in VARIABLE.finditer(text("compose.yaml"))}
    assert {one for one in demanded if f"{one}=" not in example} == set()


@pytest.mark.parametrize("name", OURS)
def test_the_databases_are_reached_through_haproxy(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(name, monkeypatch)
    at = listeners()
    for url in filter(None, (given.database_url, given.migration_database_url)):
        assert at[make_url(url).port or 0] == ("/primary", [f"{db}:5432" for db in DATABASES])
    readers = [at[make_url(url).port or 0] for url in given.database_read_urls]
    assert [servers for _, servers in readers] == [[f"{db}:5432"] for db in DATABASES]
    assert {re.sub(r"=.*", "", check) for check, _ in readers} == {"/replica?lag"}
    urls = [given.database_url, given.migration_database_url, *given.database_read_urls]
    (host,) = {make_url(url).host for url in urls if url}
    assert SERVICES[str(host)]["image"].startswith("haproxy:")


def test_the_two_api_do_not_share_a_haproxy() -> None:
    hosts = {make_url(filled(name)["QX_DATABASE_URL"]).host for name in ("api1", "api2")}
    assert hosts == {"haproxy1", "haproxy2"}


def test_nginx_asks_both_api_and_both_believe_it() -> None:
    script = SERVICES["nginx"]["command"][2].replace("$$", "$")
    script, _, rest = script.partition(">/tmp/nginx.conf")
    assert "exec nginx -c /tmp/nginx.conf" in rest
    plain = str(ROOT / "deploy" / "nginx.conf")
    written = subprocess.run(  # noqa: S603 - the project's own script
        ["/bin/sh", "-c", script.replace("/etc/nginx/one-api.conf", f"'{plain}'")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (upstream,) = re.findall(r"upstream qingxiang \{(.*?)\}", written, re.DOTALL)

    def address(name: str) -> str:
        return str(SERVICES[name]["networks"]["default"]["ipv4_address"])

    assert re.findall(r"server ([\d.:]+);", upstream) == [
        f"{address('api1')}:8000",
        f"{address('api2')}:8000",
    ]
    for name in OURS:
        assert filled(name)["QX_FORWARDED_ALLOW_IPS"] == address("nginx")


def test_every_sentinel_is_named_and_watches_what_is_asked_for() -> None:
    url = filled("api1")["QX_REDIS_URL"]
    nodes, service, database = url.partition("@")[2].split("/")
    sentinels = [name for name in SERVICES if name.startswith("sentinel")]
    assert nodes.split(",") == [f"{name}:26379" for name in sentinels]
    assert (service, database) == ("qingxiang", "0")
    for name in sentinels:
        script = SERVICES[name]["command"][2]
        assert re.findall(r"sentinel monitor (.+)", script) == ["qingxiang valkey1 6379 2"]
        assert len(sentinels) // 2 + 1 == 2, "a majority"
        assert filled(name)["NAME"] == name
    assert "MASTER" not in filled("valkey1")
    assert filled("valkey2")["MASTER"] == "valkey1"


def test_nothing_acknowledged_is_lost_with_a_primary() -> None:
    strict = ("synchronous_mode", "synchronous_mode_strict", "synchronous_node_count")
    assert [DCS[name] for name in strict] == ["quorum", True, 1]
    assert PARAMETERS["synchronous_commit"] == PARAMETERS["hot_standby_feedback"] == "on"
    assert DCS["ttl"] >= DCS["loop_wait"] + 2 * DCS["retry_timeout"], "demanded by Patroni"


def test_patroni_runs_on_every_database_with_the_addresses_that_others_use() -> None:
    etcd = [name for name in SERVICES if name.startswith("etcd")]
    assert PATRONI["etcd3"]["hosts"] == [f"{name}:2379" for name in etcd]
    members = ",".join(f"{name}=http://{name}:2380" for name in etcd)
    assert {filled(name)["ETCD_INITIAL_CLUSTER"] for name in etcd} == {members}
    assert [name for name in SERVICES if name.startswith("db")] == DATABASES
    for name in DATABASES:
        given = filled(name)
        assert given["PATRONI_NAME"] == name
        assert given["PATRONI_POSTGRESQL_CONNECT_ADDRESS"] == f"{name}:5432"
        assert given["PATRONI_RESTAPI_CONNECT_ADDRESS"] == f"{name}:8008"
    assert "check port 8008" in text("haproxy.cfg")


def test_the_databases_let_in_the_roles_that_there_are() -> None:
    roles = (ROOT / "deploy" / "init-roles.sql").read_text(encoding="utf-8")
    lines = [line.split() for line in PATRONI["postgresql"]["pg_hba"]]
    let_in = {one for line in lines for one in line[2].split(",")}
    made = {*re.findall(r"CREATE ROLE (\w+)", roles)}
    given = filled("db1")
    patronis = {given[f"PATRONI_{one}_USERNAME"] for one in ("SUPERUSER", "REPLICATION")}
    assert let_in == made | patronis
    assert {line[-1] for line in lines} == {"peer", "scram-sha-256"}


def test_there_are_connections_for_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [settings(name, monkeypatch) for name in ("api1", "api2", "worker")]
    used = sum((one.database_pool + 1) * one.workers for one in processes)
    assert used <= int(PARAMETERS["max_connections"]) - 20, "some for people, backups, Patroni"


def test_backups_are_of_the_cluster_that_patroni_runs() -> None:
    configuration = text("pgbackrest.conf")
    (stanza,) = set(re.findall(r"^\[(\w+)\]$", configuration, re.MULTILINE)) - {"global"}
    recovery = DCS["postgresql"]["recovery_conf"]["restore_command"]
    used = re.findall(
        r"--stanza=(\S+)",
        " ".join([str(PARAMETERS["archive_command"]), recovery, text("backup.sh")]),
    )
    assert {*used} == {stanza}
    directory = PATRONI["postgresql"]["data_dir"]
    assert f"\npg1-path={directory}\n" in configuration
    socket = PATRONI["postgresql"]["parameters"]["unix_socket_directories"]
    assert f"\npg1-socket-path={socket}\n" in configuration
    for name in DATABASES:
        assert f"{name}:/var/lib/postgresql" in SERVICES[name]["volumes"]
        assert socket in SERVICES[name]["tmpfs"]
    assert directory.startswith("/var/lib/postgresql/")
    container = COMPOSE["name"] + "-$NODE-1"
    kinds = re.findall(rf"{re.escape(container)} sh /etc/backup.sh (\w+)", text("crontab"))
    assert kinds == ["full", "diff"]


def test_every_file_that_is_mounted_is_there() -> None:
    mounts = [one.split(":") for s in SERVICES.values() for one in s.get("volumes", [])]
    files = {source: target for source, target, *_ in mounts if source.startswith(".")}
    assert [source for source in files if not (FOLDER / source).is_file()] == []
    assert {"/etc/patroni.yml", PATRONI["bootstrap"]["post_bootstrap"], "/etc/backup.sh"} <= {
        *files.values()
    }
    volumes = {source for source, *_ in mounts if source[0] not in ".$"}
    assert volumes == {*COMPOSE["volumes"]}
