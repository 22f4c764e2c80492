"""Settings: nothing starts in production by accident, and no secret is a well-known one."""

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.settings import Settings

LONG = "x" * 32
PRODUCTION: dict[str, Any] = {
    "env": "production",
    "database_url": "postgresql+asyncpg://qx_app@db/qx",
    "redis_url": "redis://cache",
    "secret_key": LONG,
    "wechat": "live",
    "wechat_appid": "wx1234567890abcdef",
    "wechat_secret": "an-app-secret",
    "allowed_hosts": ["api.example.cn"],
}


S3 = {
    "s3_endpoint": "https://s3.example.cn:9000",
    "s3_bucket": "attachments",
    "s3_access_key": "an-access-key",
    "s3_secret_key": "a-secret-key",
}
PUSHES = {
    "wechat_push_token": "a-push-token",
    "wechat_push_aes_key": "k" * 43,
    "public_url": "https://api.example.cn",
}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings of whoever runs the tests are not the subject."""
    for name in [name for name in os.environ if name.startswith("QX_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({**PRODUCTION, **changes})
    return str(refused.value)


def test_a_complete_production_starts() -> None:
    settings = Settings.model_validate(PRODUCTION)
    assert settings.env == "production"
    assert not settings.embedded
    assert settings.secrets == [LONG.encode()]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"database_url": None}, "QX_DATABASE_URL is not set"),
        ({"redis_url": None}, "QX_REDIS_URL is not set"),
        ({"secret_key": None}, "QX_SECRET_KEY is not set"),
        ({"wechat": "sandbox"}, "QX_WECHAT must be live"),
        ({"wechat_appid": "wx-sandbox-appid"}, "QX_WECHAT_APPID"),
        ({"wechat_secret": "wx-sandbox-secret"}, "QX_WECHAT_SECRET"),
        ({"allowed_hosts": ["*"]}, "QX_ALLOWED_HOSTS"),
        ({"allowed_hosts": ["api.example.cn", "*"]}, "QX_ALLOWED_HOSTS"),
        ({"database_url": ""}, "QX_DATABASE_URL is not set"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_production_refuses_each_default(change: dict[str, Any], reason: str) -> None:
    assert reason in refusal(**change)


def test_an_operator_reads_every_reason_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(env="production")
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "WECHAT", "APPID", "ALLOWED_HOSTS"):
        assert name in str(refused.value)


@pytest.mark.parametrize("secret", ["", "short", "x" * 31])
def test_a_short_secret_is_refused_everywhere(secret: str) -> None:
    assert "QX_SECRET_KEY" in refusal(secret_key=secret)
    with pytest.raises(ValidationError, match="at least 32"):
        Settings.model_validate({"secret_key": secret})


def test_bytes_count_not_characters() -> None:
    assert Settings.model_validate({"secret_key": "青" * 11}).secret == ("青" * 11).encode()
    with pytest.raises(ValidationError):
        Settings.model_validate({"secret_key": "青" * 10})


def test_the_previous_secret_is_as_long_and_comes_second() -> None:
    both = Settings.model_validate({**PRODUCTION, "secret_key_previous": "y" * 32})
    assert both.secrets == [LONG.encode(), b"y" * 32]
    assert "32 bytes" in refusal(secret_key_previous="y" * 31)


def test_a_refusal_does_not_repeat_the_secret() -> None:
    text = refusal(secret_key="hunter2", wechat_secret="my-wechat-secret")
    assert "hunter2" not in text
    assert "my-wechat-secret" not in text


def test_a_secret_is_not_printed() -> None:
    text = repr(Settings.model_validate(PRODUCTION))
    assert LONG not in text
    assert "an-app-secret" not in text


def test_development_makes_a_random_secret_once(tmp_path: Path) -> None:
    first = Settings(data_dir=tmp_path / "a")
    again = Settings(data_dir=tmp_path / "a")
    other = Settings(data_dir=tmp_path / "b")
    assert first.secret == again.secret
    assert len(first.secret) >= 32
    assert first.secret != other.secret


def test_the_secret_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    Settings(data_dir=tmp_path)
    file = tmp_path / "secret-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_given_secret_makes_no_file(tmp_path: Path) -> None:
    Settings.model_validate({"data_dir": tmp_path, "secret_key": LONG})
    assert list(tmp_path.iterdir()) == []


def test_production_makes_no_file(tmp_path: Path) -> None:
    refusal(secret_key=None, data_dir=tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_truncated_secret_file_is_refused(tmp_path: Path) -> None:
    """A crash between making and writing the file must not leave an empty key in use."""
    (tmp_path / "secret-key").touch()
    with pytest.raises(ValidationError, match="at least 32"):
        Settings(data_dir=tmp_path)


def test_the_environment_is_read_with_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QX_PORT", "8123")
    monkeypatch.setenv("QX_RATE_LIMITS", "off")
    monkeypatch.setenv("PORT", "1")
    settings = Settings()
    assert (settings.port, settings.rate_limits) == (8123, "off")


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        *({"port": 0}, {"port": 65536}, {"workers": 0}, {"env": "test"}),
        *({"audit_kept_months": 35}, {"notices_kept_months": 5}),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(change)


def test_without_both_urls_the_engines_are_our_own() -> None:
    assert Settings().embedded
    assert Settings.model_validate({"database_url": "postgresql+asyncpg://x"}).embedded


@pytest.mark.parametrize(
    "change",
    [
        {"s3_endpoint": "https://s3.example.cn"},
        {"s3_secret_key": "x"},
        S3 | {"s3_bucket": ""},
        S3 | {"s3_endpoint": "s3.example.cn"},
        S3 | {"s3_endpoint": "https://s3.example.cn/bucket"},
        S3 | {"s3_endpoint": "https://user@s3.example.cn"},
    ],
)
def test_half_a_store_is_refused_everywhere(change: dict[str, str]) -> None:
    assert "QX_S3_ENDPOINT" in refusal(**change)
    with pytest.raises(ValidationError, match="QX_S3_ENDPOINT"):
        Settings.model_validate(change)


def test_a_whole_store_is_taken() -> None:
    settings = Settings.model_validate(PRODUCTION | S3 | PUSHES)
    assert settings.s3_region == "us-east-1"
    assert settings.checks_pictures


@pytest.mark.parametrize("name", PUSHES)
def test_production_shows_no_picture_that_wechat_has_not_checked(name: str) -> None:
    assert "QX_WECHAT_PUSH_TOKEN" in refusal(**(S3 | PUSHES | {name: None}))
    assert not Settings.model_validate({"secret_key": LONG} | S3).checks_pictures


@pytest.mark.parametrize("key", ["x" * 42, "x" * 44, "x" * 42 + "-"])
def test_the_key_of_pushes_is_that_of_the_console(key: str) -> None:
    assert "43 characters" in refusal(**(S3 | PUSHES | {"wechat_push_aes_key": key}))


def test_no_secret_of_the_store_or_of_pushes_is_printed() -> None:
    settings = Settings.model_validate(PRODUCTION | S3 | PUSHES)
    secrets = [S3["s3_access_key"], S3["s3_secret_key"], *list(PUSHES.values())[:2]]
    assert [secret for secret in secrets if secret in repr(settings)] == []


def test_web_origins_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().web_origins == ()
    for given, origins in {
        "": (),
        "https://h5.example.org": ("https://h5.example.org",),
        " https://a.test, http://localhost:5173,": ("https://a.test", "http://localhost:5173"),
    }.items():
        monkeypatch.setenv("QX_WEB_ORIGINS", given)
        assert Settings().web_origins == origins


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "h5.example.org", "https://h5.example.org/", "https://h5.example.org/x"),
        *("https://*.example.org", "https://H5.example.org", "ftp://a.test", "https://u@a.test"),
        *("https://a.test:443", "http://a.test:80", "https://a.test https://b.test"),
    ],
)
def test_what_no_browser_sends_as_origin_is_refused(origin: str) -> None:
    assert "QX_WEB_ORIGINS" in refusal(web_origins=f"https://h5.example.org,{origin}")


def test_replicas_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().database_read_urls == ()
    first, second = (f"postgresql+asyncpg://qx_app@{host}/qx" for host in ("db2", "db3"))
    for given, urls in {"": (), first: (first,), f" {first}, {second},": (first, second)}.items():
        monkeypatch.setenv("QX_DATABASE_READ_URLS", given)
        assert Settings().database_read_urls == urls


@pytest.mark.parametrize(
    "url", ["postgresql://db2/qx", "db2", "postgresql+asyncpg:///qx?host=db2,db3"]
)
def test_a_replica_is_one_server_by_our_driver(url: str) -> None:
    assert "QX_DATABASE_READ_URLS" in refusal(database_read_urls=url)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 31, "青".encode() * 20, b"\xff" * 40])
def test_a_secret_file_without_a_secret_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret-key"
    file.write_bytes(content)
    with pytest.raises(ValidationError, match=re.escape(str(file))) as refused:
        Settings(data_dir=tmp_path)
    assert f"({len(content)} bytes)" in str(refused.value)
    assert file.read_bytes() == content, "it may be all that is left of the secret"


def test_whoever_comes_second_reads_the_whole_secret_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file comes into being with its content: between two starts there is no empty one."""
    real, seen = os.link, []

    def link(source: str, target: Path) -> None:
        seen.append(Settings(data_dir=tmp_path).secret)  # another process, just before us
        real(source, target)

    def once(source: str, target: Path) -> None:
        monkeypatch.setattr(os, "link", real)
        link(source, target)

    monkeypatch.setattr(os, "link", once)
    assert Settings(data_dir=tmp_path).secret == seen[0]
    assert [file.name for file in tmp_path.iterdir()] == ["secret-key"]


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValidationError, match="QX_DATA_DIR cannot be used: Not a directory"):
        Settings(data_dir=tmp_path / "file" / "data")
