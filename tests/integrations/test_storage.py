"""The stores of attachments: files, S3's protocol, and none; each with the same promises."""

import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.core.clock import now
from app.core.ids import new_id
from app.core.settings import Settings
from app.integrations.storage import (
    FileStore,
    NoStore,
    ObjectMissing,
    Store,
    StoreUnavailable,
    open_store,
)
from app.integrations.storage_s3 import S3Store
from tests.core.test_settings import PRODUCTION, PUSHES
from tests.integrations.s3_server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Bucket, s3_server

ID = "01a22622-6bce-7d86-8676-653e2b7e7cd9"


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with s3_server() as bucket:
        yield bucket


@pytest.fixture
def bucket(server: Bucket) -> Iterator[Bucket]:
    server.objects.clear()
    yield server
    server.failing = False


@pytest.fixture
def s3(bucket: Bucket) -> Store:
    return s3_store(bucket)


@pytest.fixture(params=["files", "S3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made: Store = FileStore(tmp_path) if request.param == "files" else request.getfixturevalue("s3")
    return made


def s3_store(bucket: Bucket, secret_key: str = SECRET_KEY) -> S3Store:
    return S3Store(bucket.url, BUCKET, ACCESS_KEY, secret_key, REGION)


async def older(store: Store, minutes: int) -> set[str]:
    moment = now() + timedelta(minutes=minutes)
    return {key async for keys in store.older_than(moment) for key in keys}


async def test_what_is_put_is_there_until_it_is_removed(store: Store) -> None:
    first, second = str(new_id()), f"{new_id()}.thumbnail"
    await store.put(first, b"old", "image/png")
    await store.put(first, b"one", "image/png")
    await store.put(second, b"two", "image/jpeg")

    assert [await store.get(key) for key in (first, second)] == [b"one", b"two"]
    await store.remove(first, str(new_id()))
    with pytest.raises(ObjectMissing):
        await store.get(first)
    assert await store.get(second) == b"two"


async def test_objects_are_listed_by_their_age(store: Store) -> None:
    keys = {str(new_id()) for _ in range(3)}
    assert await older(store, 5) == set()
    for key in keys:
        await store.put(key, b"x", "image/png")
    assert await older(store, 5) == keys
    assert await older(store, -5) == set()


@pytest.mark.parametrize("key", ["../secret-key", "", f"{ID}/../x", f"{ID}.exe", "a" * 36])
async def test_a_key_is_made_of_an_id(store: Store, key: str) -> None:
    with pytest.raises(AssertionError):
        await store.put(key, b"x", "image/png")
    with pytest.raises(AssertionError):
        await store.get(key)


def modes(root: Path) -> list[int]:
    return [stat.S_IMODE(file.stat().st_mode) for file in root.rglob("*") if file.is_file()]


async def test_files_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    await FileStore(tmp_path / "made").put(str(new_id()), b"x", "image/png")
    assert modes(tmp_path) == [0o600]


async def test_without_a_store_nothing_is_taken_and_nothing_is_lost() -> None:
    store, key = NoStore(), str(new_id())
    with pytest.raises(StoreUnavailable):
        await store.put(key, b"x", "image/png")
    with pytest.raises(StoreUnavailable):
        await store.get(key)
    with pytest.raises(StoreUnavailable):
        await store.remove(key)
    assert await older(store, 5) == set()


async def test_an_object_has_its_type(s3: Store, bucket: Bucket) -> None:
    key = str(new_id())
    await s3.put(key, b"one", "image/webp")
    assert {key: one[:2] for key, one in bucket.objects.items()} == {key: (b"one", "image/webp")}


async def test_a_wrong_secret_stores_nothing(bucket: Bucket) -> None:
    with pytest.raises(StoreUnavailable):
        await s3_store(bucket, "another-secret").put(str(new_id()), b"x", "image/png")
    assert bucket.objects == {}


async def test_a_store_in_trouble_is_told_as_such(s3: Store, bucket: Bucket) -> None:
    bucket.failing = True
    key = str(new_id())
    for attempt in (s3.put(key, b"x", "image/png"), s3.get(key), s3.remove(key), older(s3, 5)):
        with pytest.raises(StoreUnavailable) as refused:
            await attempt
        assert refused.value.retry_after == 5


async def test_a_store_that_is_away_is_told_as_such(s3: Store) -> None:
    with s3_server() as gone:
        store = s3_store(gone)
    with pytest.raises(StoreUnavailable):
        await store.get(str(new_id()))


def test_the_settings_choose_the_store(tmp_path: Path) -> None:
    of_s3 = {
        "s3_endpoint": "https://s3.example.cn",
        "s3_bucket": BUCKET,
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
    }
    development: dict[str, object] = {"data_dir": tmp_path}

    def chosen(values: dict[str, object]) -> type:
        return type(open_store(Settings.model_validate(values)))

    assert chosen(development) is FileStore
    assert chosen(development | of_s3) is S3Store
    assert chosen(PRODUCTION) is NoStore
    assert chosen(PRODUCTION | of_s3 | PUSHES) is S3Store
