"""Settings: the environment, prefix ``QX_``; every name is listed in the README."""

import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIN_SECRET_BYTES = 32
SECRET_FILE = "secret-key"  # noqa: S105 - a file name


class Settings(BaseSettings):
    """One immutable reading of the environment.

    With no URL set the process runs on embedded engines below ``data_dir``.
    In production both URLs, a secret of at least 32 bytes, live WeChat and the
    allowed hosts are demanded, so that nothing starts on a default by accident.
    """

    model_config = SettingsConfigDict(env_prefix="QX_", frozen=True, extra="ignore")

    env: Literal["dev", "production"] = "dev"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    data_dir: Path = Path(".data")

    database_url: str | None = None
    # Migrations run as the owner of the schema; the service itself never does.
    migration_database_url: str | None = None
    redis_url: str | None = None
    database_pool: int = Field(default=16, ge=2, le=200)

    secret_key: SecretStr | None = None
    # The key before the last rotation: still verifies, never signs.
    secret_key_previous: SecretStr | None = None

    wechat: Literal["sandbox", "live"] = "sandbox"
    wechat_base_url: str = "https://api.weixin.qq.com"
    wechat_appid: str = "wx-sandbox-appid"
    wechat_secret: SecretStr = SecretStr("wx-sandbox-secret")

    # Where the worker shows its Prometheus metrics; nowhere unless set.
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65535)

    rate_limits: Literal["on", "off"] = "on"
    allowed_hosts: list[str] = ["*"]
    # Addresses of proxies whose X-Forwarded-For is believed (uvicorn's syntax).
    forwarded_allow_ips: str = "127.0.0.1"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @property
    def embedded(self) -> bool:
        """True when the process must bring its own engines."""
        return self.database_url is None or self.redis_url is None

    @property
    def secret(self) -> bytes:
        """The current signing secret."""
        assert self.secret_key is not None, "filled by the validator"
        return self.secret_key.get_secret_value().encode()

    @property
    def secrets(self) -> list[bytes]:
        """Every secret that still verifies, the current one first."""
        previous = self.secret_key_previous
        return [self.secret] + ([previous.get_secret_value().encode()] if previous else [])

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
        return self

    def _refuse_defaults(self) -> None:
        """Collect every reason at once: an operator should not meet them one by one."""
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
        }
        reasons = [reason for reason, fine in checks.items() if not fine]
        if reasons:
            raise ValueError("\n".join(["refusing to start in production:", *reasons]))


def _secret_of(data_dir: Path) -> str:
    """Read the data directory's own random secret, making it on first use.

    A random file instead of a well-known default: tokens of one checkout are
    worthless at another, and no code has to recognise "the default secret".
    """
    file = data_dir / SECRET_FILE
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text()
    with os.fdopen(handle, "w") as out:
        out.write(secrets.token_urlsafe(48))
    return file.read_text()


@lru_cache
def get_settings() -> Settings:
    """Return the process's settings, read once."""
    return Settings()
