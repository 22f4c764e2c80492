"""Settings: environment variables with the prefix ``QX_``, all listed in the README."""

import os
import re
import secrets
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core import redis_urls

MIN_SECRET_BYTES = 32
PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?")
ORIGIN = re.compile(r"https?://[a-z0-9.\-]+(:[1-9][0-9]{0,4})?")
DEFAULT_PORTS = {"https": ":443", "http": ":80"}
ENDPOINT = re.compile(PUBLIC_URL.pattern + "/?")
AES_KEY = re.compile(r"[A-Za-z0-9+/]{43}")
SEALS_FILE = "seals.txt"
DRIVER = "postgresql+asyncpg://"
SECRET_FILE = "secret-key"  # noqa: S105 - a file name


class Settings(BaseSettings):
    """The environment as it was read once; immutable.

    Without URLs the process runs on embedded engines below ``data_dir``. In production the URLs,
    a secret of at least 32 bytes, live WeChat and the allowed hosts are required: a default
    that was left unchanged is an error.
    """

    # Errors do not show what was given: URLs hold passwords.
    model_config = SettingsConfigDict(
        env_prefix="QX_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    env: Literal["dev", "production"] = "dev"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    data_dir: Path = Path(".data")
    # What development loads into an empty database; ``people``: without their past.
    demo_data: Literal["on", "people", "off"] = "on"

    database_url: str | None = None
    # As the owner of the schema, for migrations. The service has fewer rights.
    migration_database_url: str | None = None
    # Replicas of it that serve public reads, comma separated, in the form of database_url.
    database_read_urls: Annotated[tuple[str, ...], NoDecode] = ()
    # Bound of staleness in seconds. It is measured once a second, so a replica in step is
    # found to be up to 2 s late.
    replica_lag_s: float = Field(default=5, ge=3, le=60)
    redis_url: str | None = None
    database_pool: int = Field(default=16, ge=2, le=200)

    secret_key: SecretStr | None = None
    # The key before the last rotation: verifies and decrypts, but does not sign.
    secret_key_previous: SecretStr | None = None

    wechat: Literal["sandbox", "live"] = "sandbox"
    wechat_base_url: str = "https://api.weixin.qq.com"
    wechat_appid: str = "wx-sandbox-appid"
    wechat_secret: SecretStr = SecretStr("wx-sandbox-secret")

    # Of the console's message push. With a token WeChat checks every picture that is uploaded.
    wechat_push_token: SecretStr | None = None
    wechat_push_aes_key: SecretStr | None = None  # 43 characters; demanded in production
    # Which notices are sent as WeChat's messages, by which template; none with live WeChat if not
    # set, those of the sandbox otherwise.
    wechat_templates_file: Path | None = None
    # Where clients and WeChat reach this service: https://host
    public_url: str | None = None

    # Where attachments are stored; all of them or none. None in development: files below data_dir.
    s3_endpoint: str | None = None  # https://host:port
    s3_bucket: str | None = None
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    s3_region: str = "us-east-1"

    # File to which each day's seal is appended; in production seals.txt below data_dir if not set.
    seals_file: Path | None = None
    # Each day's seal is posted there.
    seal_webhook_url: SecretStr | None = None
    # Whether webhooks of merchants may lead to http and to addresses that are not public.
    webhook_local: Literal["on", "off"] = "off"

    # How long entries of the audit trail and notices are kept, in months. The least of the trail
    # is what laws ask for (docs/decisions/0031); the database refuses less, too.
    audit_kept_months: int = Field(default=1200, ge=36, le=1200)
    notices_kept_months: int = Field(default=24, ge=6, le=1200)
    # Retention periods in days: of ended logins, and of the record that an account was erased.
    keep_logins_days: int = Field(default=90, ge=31, le=3650)
    keep_closures_days: int = Field(default=1095, ge=180, le=3650)

    # Port of the worker's Prometheus metrics; none if not set.
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65535)

    # How long a stream of server-sent events stays open; the client then connects again.
    stream_seconds: int = Field(default=600, ge=0, le=3600)
    rate_limits: Literal["on", "off"] = "on"
    allowed_hosts: list[str] = ["*"]
    # Web pages of these origins may call the API, comma separated: https://host, https://host:port
    web_origins: Annotated[tuple[str, ...], NoDecode] = ()
    # Addresses of proxies whose X-Forwarded-For is trusted (uvicorn's syntax).
    forwarded_allow_ips: str = "127.0.0.1"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @property
    def embedded(self) -> bool:
        """Whether the process starts its own engines."""
        return self.database_url is None or self.redis_url is None

    @property
    def published_seals(self) -> Path | None:
        """The file of published seals; none by default in development."""
        if self.seals_file is None and self.env == "production":
            return self.data_dir / SEALS_FILE
        return self.seals_file

    @property
    def checks_pictures(self) -> bool:
        """Whether a picture is shown only after WeChat has checked it."""
        return bool(self.wechat_push_token)

    @property
    def wechat_push(self) -> tuple[str, str | None] | None:
        """The token of pushes and the key of their encryption; None if pushes are not set up."""
        if not self.wechat_push_token:
            return None
        key = self.wechat_push_aes_key
        return self.wechat_push_token.get_secret_value(), key.get_secret_value() if key else None

    @property
    def secret(self) -> bytes:
        """The current signing secret."""
        assert self.secret_key is not None, "filled by the validator"
        return self.secret_key.get_secret_value().encode()

    @property
    def secrets(self) -> list[bytes]:
        """The secrets that verify, the current one first."""
        previous = self.secret_key_previous
        return [self.secret] + ([previous.get_secret_value().encode()] if previous else [])

    @field_validator("web_origins", mode="before")
    @classmethod
    def _exact_origins(cls, given: str | tuple[str, ...]) -> tuple[str, ...]:
        """Split the list. Each is what a browser sends as ``Origin``, or it would never match."""
        origins = _listed(given)
        for one in origins:
            if not ORIGIN.fullmatch(one) or one.endswith(DEFAULT_PORTS[one.partition(":")[0]]):
                raise ValueError(
                    f"QX_WEB_ORIGINS: {one!r} is no origin; expected https://host or"
                    " https://host:port in small letters, without path and default port"
                )
        return origins

    @field_validator("database_read_urls", mode="before")
    @classmethod
    def _single_servers(cls, given: str | tuple[str, ...]) -> tuple[str, ...]:
        """Split the list. Each URL names one server: its staleness is measured."""
        urls = _listed(given)
        if not all(one.startswith(DRIVER) for one in urls):
            raise ValueError(f"QX_DATABASE_READ_URLS: each of the URLs must begin with {DRIVER}")
        return urls

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.env == "production":
            self._refuse_defaults()
        elif self.secret_key is None:
            generated = _secret_of(self.data_dir)
            object.__setattr__(self, "secret_key", SecretStr(generated))
        for secret in self.secrets:
            if len(secret) < MIN_SECRET_BYTES:
                raise ValueError("QX_SECRET_KEY must have at least 32 bytes")
        if self.redis_url is not None:
            redis_urls.parse(self.redis_url)  # or the first request would find a mistake
        self._check_store()
        url = self.seal_webhook_url
        if url and not url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("QX_SEAL_WEBHOOK_URL must be http(s)://…")
        self._check_pushes()
        return self

    def _check_store(self) -> None:
        """Raise if the store is half configured: uploads would fail one by one."""
        names = ("s3_endpoint", "s3_bucket", "s3_access_key", "s3_secret_key")
        if len({bool(getattr(self, name)) for name in names}) > 1:
            raise ValueError("QX_S3_ENDPOINT, _BUCKET, _ACCESS_KEY and _SECRET_KEY go together")
        if self.s3_endpoint and not ENDPOINT.fullmatch(self.s3_endpoint):
            raise ValueError("QX_S3_ENDPOINT must be http(s)://host or http(s)://host:port")

    def _check_pushes(self) -> None:
        """Raise if WeChat could not check pictures. Production shows none that is not checked.

        Without encryption a push's signature does not cover what it says.
        """
        needs = bool(self.s3_endpoint) and self.env == "production"
        if needs and not (self.wechat_push_token and self.wechat_push_aes_key):
            raise ValueError("QX_S3_ENDPOINT needs QX_WECHAT_PUSH_TOKEN and QX_WECHAT_PUSH_AES_KEY")
        if self.wechat_push_token and not self.public_url:
            raise ValueError("QX_WECHAT_PUSH_TOKEN needs QX_PUBLIC_URL")
        if self.public_url and not PUBLIC_URL.fullmatch(self.public_url):
            raise ValueError("QX_PUBLIC_URL must be http(s)://host or http(s)://host:port")
        key = self.wechat_push_aes_key
        if key and not AES_KEY.fullmatch(key.get_secret_value()):
            raise ValueError("QX_WECHAT_PUSH_AES_KEY must be the 43 characters of the console")

    def _refuse_defaults(self) -> None:
        """Raise one error with all reasons, so that an operator need not find them one by one."""
        checks = {
            "QX_DATABASE_URL is not set": self.database_url,
            "QX_REDIS_URL is not set": self.redis_url,
            "QX_SECRET_KEY is not set": self.secret_key,
            "QX_WECHAT must be live": self.wechat == "live",
            "QX_WECHAT_APPID is the sandbox's": self.wechat_appid != "wx-sandbox-appid",
            "QX_WECHAT_SECRET is the sandbox's": (
                self.wechat_secret.get_secret_value() != "wx-sandbox-secret"
            ),
            "QX_ALLOWED_HOSTS allows any host": "*" not in self.allowed_hosts,
            "QX_RATE_LIMITS must be on": self.rate_limits == "on",
            "QX_WEBHOOK_LOCAL must be off": self.webhook_local == "off",
        }
        reasons = [reason for reason, fine in checks.items() if not fine]
        if reasons:
            raise ValueError("\n".join(["refusing to start in production:", *reasons]))


def _listed(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """Split a comma separated list."""
    every = given.split(",") if isinstance(given, str) else given
    return tuple(one.strip() for one in every if one.strip())


def _secret_of(data_dir: Path) -> str:
    """Return the random secret of a data directory, generated on first use.

    Not a default in the code: everybody would know it, and tokens of one installation would be
    valid at another.
    """
    file = data_dir / SECRET_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            _write_once(file, secrets.token_urlsafe(48))
        found = file.read_bytes()
    except OSError as error:
        raise ValueError(
            f"QX_DATA_DIR cannot be used: {error.strerror} ({error.filename});"
            " name a directory that this user may write to"
        ) from error
    if len(found) < MIN_SECRET_BYTES or not found.isascii():
        raise ValueError(
            f"{file} holds no secret of at least {MIN_SECRET_BYTES} ASCII characters"
            f" ({len(found)} bytes): put back the one that the database was made with;"
            " if there is no database yet, remove the file"
        )
    return found.decode()


def _write_once(file: Path, text: str) -> None:
    """Write a private file unless another process does first; nobody sees half of it."""
    handle, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(name, file)
    finally:
        Path(name).unlink()


@lru_cache
def get_settings() -> Settings:
    """Return the settings of the process, read once."""
    return Settings()
