"""The service as an operator meets it: started, stopped, killed and asked things."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from app.api.guesses import LOGIN_GUESS
from app.embedded.layout import Places
from tests.faults.server import PROJECT, Server, environment, free_port, left_behind, run, server
from tests.faults.waiting import until

DATA = PROJECT / "app" / "data"
pytestmark = pytest.mark.long  # each starts processes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a database in it already."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Server]:
    """A server that tests may ask but not stop."""
    with server(home) as one:
        yield one


def log_in(url: str, user: str) -> httpx.Response:
    code = httpx.post(f"{url}/sandbox/wechat/codes", json={"user": user}).json()["code"]
    return httpx.post(f"{url}/api/v1/auth/wechat", json={"code": code})


def test_it_brings_all_that_it_needs(running: Server) -> None:
    until(lambda: httpx.get(f"{running.url}/readyz").json()["status"] == "ok", 30)
    alice = log_in(running.url, "alice").json()
    assert (alice["person"]["display_name"], alice["is_new"]) == ("张爱丽", False)


def test_it_does_not_say_what_it_is_made_of(running: Server) -> None:
    assert "server" not in httpx.get(f"{running.url}/healthz").headers


def test_an_oversized_body_is_refused_before_the_token_is_looked_at(running: Server) -> None:
    for content in (b"x" * 70_000, iter([b"x" * 1000] * 70)):
        response = httpx.post(f"{running.url}/api/v1/checkins", content=content)
        assert response.status_code in {401, 413}
    huge = httpx.post(f"{running.url}/api/v1/auth/refresh", content=b"x" * 70_000)
    assert (huge.status_code, huge.json()["code"]) == (413, "request.too_large")


def test_the_command_line_works_beside_the_server(home: Path, running: Server) -> None:
    verified = run(home, "ledger", "verify")
    assert (verified.returncode, "The ledger verifies." in verified.stdout) == (0, True)
    rebuilt = run(home, "leaderboards", "rebuild")
    assert (rebuilt.returncode, "Leaderboards rebuilt" in rebuilt.stdout) == (0, True)
    imported = run(home, "orgs", "import", DATA / "divisions-yangzhong.csv")
    assert re.search(r"0 inserted,\s+0 updated", imported.stdout), imported
    assert httpx.get(f"{running.url}/readyz").status_code == 200


@pytest.mark.long
def test_the_command_line_works_without_a_server(tmp_path: Path) -> None:
    divisions = DATA / "divisions-yangzhong.csv"
    first = run(tmp_path, "orgs", "import", divisions)
    again = run(tmp_path, "orgs", "import", divisions)
    read = len(divisions.read_text(encoding="utf-8").splitlines()) - 1
    assert f"{read} divisions read: {read} inserted" in first.stdout, first
    assert f"{read} unchanged" in again.stdout, again
    assert run(tmp_path, "ledger", "verify").returncode == 0
    assert run(tmp_path, "leaderboards", "rebuild").returncode == 0
    until(lambda: left_behind(tmp_path) == [])


@pytest.mark.long
def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    with server(tmp_path) as one:
        children = one.children()
        assert len(children) >= 1, "the job worker at least"
        assert left_behind(tmp_path) != []
        one.interrupt()
        until(lambda: not any(child.is_running() for child in children))
        until(lambda: left_behind(tmp_path) == [])


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.long
def test_a_service_manager_stops_everything_in_order(tmp_path: Path, workers: str) -> None:
    """The job worker is gone before the server is, and so before the engines are."""
    with server(tmp_path, workers=workers) as one:
        (jobs,) = [child for child in one.children() if "worker" in child.cmdline()]
        one.process.terminate()
        assert one.process.wait(40) == 0
        assert not alive(jobs)
        until(lambda: left_behind(tmp_path) == [])


@pytest.mark.long
def test_after_a_kill_nothing_keeps_the_port_and_the_next_start_works(tmp_path: Path) -> None:
    port = free_port()
    with server(tmp_path, port, workers="2") as first:
        children = first.children()
        assert len(children) >= 3, "two web workers and the job worker"
        first.kill()
        until(lambda: not any(alive(child) for child in children))
        until(lambda: left_behind(tmp_path) == [])
    with server(tmp_path, port) as second:
        assert log_in(second.url, "alice").status_code == 200


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.long
def test_two_data_directories_do_not_know_each_other(running: Server, tmp_path: Path) -> None:
    with server(tmp_path) as other:
        token = log_in(other.url, "alice").json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{other.url}/api/v1/me", headers=headers).status_code == 200
        assert httpx.get(f"{running.url}/api/v1/me", headers=headers).status_code == 401


def test_a_port_that_is_taken_is_said_in_a_line(running: Server, tmp_path: Path) -> None:
    port = running.url.rsplit(":", 1)[1]
    done = run(tmp_path, "serve", port=port)
    assert done.returncode == 2
    assert "is in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_workers_share_their_limits_and_their_metrics(tmp_path: Path) -> None:
    """So many wrong logins and some a second more, however many workers count."""
    with server(tmp_path, workers="2") as one:
        statuses = []
        with httpx.Client(base_url=one.url) as client:
            for number in range(400):
                wrong = {"code": f"wrong-{number}"}
                headers = {"Connection": "close"}  # any worker may take the next one
                reply = client.post("/api/v1/auth/wechat", json=wrong, headers=headers)
                statuses.append(reply.status_code)
                if statuses.count(429) >= 5:
                    break
            assert set(statuses) == {401, 429}
            assert LOGIN_GUESS.burst <= statuses.count(401) <= LOGIN_GUESS.burst + 30
            assert int(reply.headers["retry-after"]) >= 1
            page = client.get("/metrics").text
        counted = re.findall(r'requests_total\{.*auth/wechat.*status="401"\} ([0-9.]+)', page)
        assert sum(map(float, counted)) == statuses.count(401), "summed over the workers"


def test_a_policy_file_is_explained_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    good = (DATA / "policy.toml").read_text(encoding="utf-8")
    file.write_text(good.replace('per = "session"', 'per = "fortnight"', 1) + "[extra]\n")
    lines = file.read_text().splitlines()
    done = run(tmp_path, "policies", "check", file)
    assert done.returncode == 1
    for number, said in (
        (lines.index('per = "fortnight"') + 1, "rules.theme_study.per: 不在可选范围内"),
        (len(lines), "extra: 没有这一项"),
    ):
        assert f"line {number}: {said}" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_the_shipped_policy_is_fine(tmp_path: Path) -> None:
    done = run(tmp_path, "policies", "check", DATA / "policy.toml")
    assert (done.returncode, "no error" in done.stdout) == (0, True)


def test_a_division_file_is_explained(home: Path, running: Server, tmp_path: Path) -> None:
    file = tmp_path / "divisions.csv"
    file.write_text("code,name,parent_code,level\n1,甲,999999,city\n")
    done = run(home, "orgs", "import", file)
    assert done.returncode == 1
    assert "line 2" in done.stderr
    assert "Traceback" not in done.stderr


def test_production_does_not_start_on_defaults(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", env="production")
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    for name in ("QX_DATABASE_URL", "QX_REDIS_URL", "QX_SECRET_KEY", "QX_WECHAT "):
        assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines) >= 7, "one reason a line"
    assert not (tmp_path / "engines").exists()


def test_the_settings_of_the_tests_do_not_reach_these_processes(tmp_path: Path) -> None:
    names = {name for name in environment(tmp_path) if name.startswith("QX_")}
    assert names == {"QX_DATA_DIR", "QX_DEMO_DATA"}


def test_a_hall_logs_in_at_once(running: Server) -> None:
    """Two hundred phones on one address, each on a connection of its own."""

    async def rush() -> list[int]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=running.url, timeout=60, limits=limits) as crowd:
            made = await asyncio.gather(
                *(
                    crowd.post("/sandbox/wechat/codes", json={"user": f"hall-{number}"})
                    for number in range(200)
                )
            )
        async with httpx.AsyncClient(base_url=running.url, timeout=60, limits=limits) as crowd:
            logins = await asyncio.gather(
                *(
                    crowd.post("/api/v1/auth/wechat", json={"code": one.json()["code"]})
                    for one in made
                )
            )
        return [login.status_code for login in logins]

    assert Counter(asyncio.run(rush())) == {200: 200}


@pytest.mark.long
def test_a_killed_job_worker_is_started_again(tmp_path: Path) -> None:
    with server(tmp_path / "worker") as one:
        first = job_worker(one)
        assert first is not None
        first.kill()
        until(lambda: (now := job_worker(one)) is not None and now.pid != first.pid, 20)


@pytest.mark.long
def test_a_killed_keeper_is_replaced_and_the_service_recovers(tmp_path: Path) -> None:
    with server(tmp_path / "keeper") as one:
        places = Places.of(tmp_path / "keeper")
        keeper = next(
            process
            for process in psutil.process_iter(["cmdline"])
            if "app.embedded" in (words := process.info["cmdline"] or [])
            and str(places.root) in words
        )
        keeper.kill()
        until(lambda: not psutil.pid_exists(keeper.pid))
        until(one.ready, 40)
        assert log_in(one.url, "alice").status_code == 200


def job_worker(one: Server) -> psutil.Process | None:
    for child in one.children():
        with suppress(psutil.Error):
            if child.status() != psutil.STATUS_ZOMBIE and "worker" in child.cmdline():
                return child
    return None
