"""Settings: environment variables with the prefix ``QX_``, all listed in the README."""

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
    """The environment as it was read once; immutable.

    Without URLs the process runs on embedded engines below ``data_dir``. In production the URLs,
    a secret of at least 32 bytes, live WeChat and the allowed hosts are required: a default
    that was left unchanged is an error.
    """

    model_config = SettingsConfigDict(env_prefix="QX_", frozen=True, extra="ignore")

    env: Literal["dev", "production"] = "dev"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    data_dir: Path = Path(".data")

    database_url: str | None = None
    # As the owner of the schema, for migrations. The service has fewer rights.
    migration_database_url: str | None = None
    redis_url: str | None = None
    database_pool: int = Field(default=16, ge=2, le=200)

    secret_key: SecretStr | None = None
    # The key before the last rotation: verifies and decrypts, but does not sign.
    secret_key_previous: SecretStr | None = None

    wechat: Literal["sandbox", "live"] = "sandbox"
    wechat_base_url: str = "https://api.weixin.qq.com"
    wechat_appid: str = "wx-sandbox-appid"
    wechat_secret: SecretStr = SecretStr("wx-sandbox-secret")

    # Port of the worker's Prometheus metrics; none if not set.
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65535)

    rate_limits: Literal["on", "off"] = "on"
    allowed_hosts: list[str] = ["*"]
    # Addresses of proxies whose X-Forwarded-For is trusted (uvicorn's syntax).
    forwarded_allow_ips: str = "127.0.0.1"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @property
    def embedded(self) -> bool:
        """Whether the process starts its own engines."""
        return self.database_url is None or self.redis_url is None

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
        }
        reasons = [reason for reason, fine in checks.items() if not fine]
        if reasons:
            raise ValueError("\n".join(["refusing to start in production:", *reasons]))


def _secret_of(data_dir: Path) -> str:
    """Return the random secret of a data directory, generated on first use.

    Not a default in the code: everybody would know it, and tokens of one installation would be
    valid at another.
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
    """Return the settings of the process, read once."""
    return Settings()
