# ruff: noqa: ARG002 - stores share their signatures
"""Where the bytes of attachments are: files below the data directory, or an S3-compatible store.

Keys are made of ids. Development uses files; production uses S3, and without its settings
refuses uploads: its processes share no disk, and containers have none to write to.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from app.core.errors import Refusal
from app.core.settings import Settings

KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.thumbnail)?")


class StoreUnavailable(Refusal):
    code, status, title = "attachments.store_unavailable", 503, "Store unavailable"
    zh, en = "附件服务暂时不可用，请稍后再试", "Attachments are not available; try again later."
    fact_names = ("retry_after",)


class ObjectMissing(Exception):
    """Nothing is stored under the key."""


class Store(Protocol):
    """Objects by key. Every method raises StoreUnavailable if the store does not answer."""

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Store an object whole, in place of another of its key."""

    async def get(self, key: str) -> bytes:
        """Return an object. Raises ObjectMissing."""

    async def remove(self, *keys: str) -> None:
        """Remove objects; one that is not there counts as removed."""

    def older_than(self, moment: datetime) -> AsyncIterator[Sequence[str]]:
        """Yield the keys of objects that were stored before a moment, some at a time."""


class NoStore:
    """Production without the settings of a store."""

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        raise StoreUnavailable

    async def get(self, key: str) -> bytes:
        raise StoreUnavailable

    async def remove(self, *keys: str) -> None:
        raise StoreUnavailable

    async def older_than(self, moment: datetime) -> AsyncIterator[Sequence[str]]:
        for keys in list[Sequence[str]]():
            yield keys


class FileStore:
    """One file for each object, readable by this user alone."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        await asyncio.to_thread(self._write, self._path(key), body)

    async def get(self, key: str) -> bytes:
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except FileNotFoundError:
            raise ObjectMissing from None

    async def remove(self, *keys: str) -> None:
        for key in keys:
            await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    async def older_than(self, moment: datetime) -> AsyncIterator[Sequence[str]]:
        for folder in await asyncio.to_thread(lambda: sorted(self._root.glob("*/"))):
            yield await asyncio.to_thread(self._old_in, folder, moment)

    def _old_in(self, folder: Path, moment: datetime) -> list[str]:
        files = [file for file in folder.iterdir() if KEY.fullmatch(file.name)]
        written = {file.name: datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in files}
        return sorted(key for key, at in written.items() if at < moment)

    def _path(self, key: str) -> Path:
        """Spread the files by the last digits of the id: its first ones are the time."""
        return self._root / checked(key)[34:36] / key

    def _write(self, path: Path, body: bytes) -> None:
        """Write beside and rename: nobody reads half of a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent)  # with mode 0600
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(body)
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise


def checked(key: str) -> str:
    """Return a key that is one: an id, or an id and what is made of it."""
    assert KEY.fullmatch(key), "a key is made of an id"
    return key


def open_store(settings: Settings) -> Store:
    if settings.s3_endpoint:
        assert settings.s3_bucket is not None, "checked with the settings"
        assert settings.s3_access_key is not None, "checked with the settings"
        assert settings.s3_secret_key is not None, "checked with the settings"
        # Here, because without such a store its client would be a tenth of the time to start.
        from app.integrations.storage_s3 import S3Store  # noqa: PLC0415

        return S3Store(
            settings.s3_endpoint,
            settings.s3_bucket,
            settings.s3_access_key.get_secret_value(),
            settings.s3_secret_key.get_secret_value(),
            settings.s3_region,
        )
    if settings.env == "production":
        return NoStore()
    return FileStore(settings.data_dir / "attachments")
