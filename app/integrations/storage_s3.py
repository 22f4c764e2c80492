"""Attachments in an S3-compatible store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from functools import partial
from io import BytesIO
from itertools import islice
from typing import TypeVar
from urllib.parse import urlsplit

import structlog
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from app.core.bulkhead import Bulkhead
from app.integrations.storage import KEY, ObjectMissing, StoreUnavailable, checked

log = structlog.get_logger(__name__)
R = TypeVar("R")
CONNECT_S, READ_S = 2.0, 10.0
# Calls at once, each in a thread, and how long others wait for their turn.
CALLS, CALL_PATIENCE_S = 8, 5.0
# Objects of a listing that are looked at together.
LISTED = 500
RETRY_AFTER_S = 5


class S3Store:
    """Objects of one bucket of an S3-compatible store, which the bucket's owner made before.

    The client blocks, so each call runs in a thread.
    """

    def __init__(
        self, endpoint: str, bucket: str, access_key: str, secret_key: str, region: str
    ) -> None:
        address = urlsplit(endpoint)
        self._bucket = bucket
        self._calls = Bulkhead(CALLS, CALL_PATIENCE_S)
        self._client = Minio(
            address.netloc,
            access_key,
            secret_key,
            secure=address.scheme == "https",
            region=region,  # or the client would ask for it first
            http_client=PoolManager(
                maxsize=CALLS, timeout=Timeout(connect=CONNECT_S, read=READ_S), retries=Retry(1)
            ),
        )

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        def write() -> None:
            self._client.put_object(
                self._bucket, checked(key), BytesIO(body), len(body), content_type
            )

        await self._call(write)

    async def get(self, key: str) -> bytes:
        def read() -> bytes:
            response = self._client.get_object(self._bucket, checked(key))
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()

        return await self._call(read)

    async def remove(self, *keys: str) -> None:
        for key in keys:
            await self._call(partial(self._client.remove_object, self._bucket, checked(key)))

    async def older_than(self, moment: datetime) -> AsyncIterator[Sequence[str]]:
        listing = self._client.list_objects(self._bucket, recursive=True)
        while some := await self._call(lambda: list(islice(listing, LISTED))):
            yield [
                str(one.object_name)
                for one in some
                if KEY.fullmatch(str(one.object_name))
                and one.last_modified is not None
                and one.last_modified < moment
            ]

    async def _call(self, call: Callable[[], R]) -> R:
        try:
            async with self._calls:
                return await asyncio.to_thread(call)
        except S3Error as error:
            reason = str(error.code)
        except (MinioException, HTTPError, OSError) as error:
            reason = type(error).__name__
        if reason == "NoSuchKey":
            raise ObjectMissing
        log.error("storage.unavailable", alert=True, reason=reason)
        raise StoreUnavailable(retry_after=RETRY_AFTER_S)
