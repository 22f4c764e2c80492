"""URLs of Redis: what they mean, and what a wrong one is answered."""

import pytest
from pydantic import ValidationError

from app.core.redis_urls import RedisUrl, parse
from app.core.settings import Settings

SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    ["redis://cache", "redis://:pw@cache:6379/3", "rediss://cache", "unix:///run/s?db=2"],
)
def test_one_server_is_left_to_redis_py(url: str) -> None:
    assert parse(url) == RedisUrl("", url)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (
            "redis+sentinel://s1:26379,s2:26380,s3/qx/2",
            RedisUrl(
                "sentinel",
                "redis://s1:26379/2",
                (("s1", 26379), ("s2", 26380), ("s3", 26379)),
                "qx",
            ),
        ),
        (
            "rediss+sentinel://u:p%40x@s1/qx?ssl_cert_reqs=none&sentinel_password=q",
            RedisUrl(
                "sentinel",
                "rediss://u:p%40x@s1:26379/?ssl_cert_reqs=none",
                (("s1", 26379),),
                "qx",
                (("password", "q"),),
            ),
        ),
        (
            "redis+cluster://:pw@[fd00::1]:7000,10.0.0.2",
            RedisUrl(
                "cluster", "redis://:pw@[fd00::1]:7000/", (("fd00::1", 7000), ("10.0.0.2", 6379))
            ),
        ),
        (
            "rediss+cluster://c1/0",
            RedisUrl("cluster", "rediss://c1:6379/0", (("c1", 6379),)),
        ),
    ],
)
def test_several_servers(url: str, found: RedisUrl) -> None:
    assert parse(url) == found


WRONG = [
    ("", "must begin with"),
    ("cache:6379", "must begin with"),
    ("http://cache", "must begin with"),
    ("redis+other://cache", "must begin with"),
    ("redis+://cache", "must begin with"),
    ("unix+cluster:///run/s", "must begin with"),
    ("redis://:hunter2@cache:port", "a port or an option that is none"),
    ("redis://:hunter2/x@cache", "a port or an option that is none"),
    ("redis://cache?max_connections=many", "a port or an option that is none"),
    ("redis+sentinel://:hunter2@s1,s2", "lacks the name of the service"),
    ("redis+sentinel://s1,s2/0/qx", "is not as in"),
    ("redis+sentinel://s1/q x/0", "lacks the name of the service"),
    ("redis+sentinel://s1/qx/one", "is not as in"),
    ("redis+sentinel://s1,/qx/0", "number 2 in the list of hosts"),
    ("redis+sentinel:///qx/0", "number 1 in the list of hosts"),
    ("redis+sentinel://s1:0/qx/0", "number 1 in the list of hosts"),
    ("redis+sentinel://s1,s2:65536/qx/0", "number 2 in the list of hosts"),
    ("redis+sentinel://:hunter2/x@s1/qx/0", "number 1 in the list of hosts"),
    ("redis+cluster://c1/1", "only database 0"),
    ("redis+cluster://c1?db=1", "only database 0"),
    ("redis+cluster://c1/qx", "is not as in"),
    ("redis+cluster://c1?sentinel_password=hunter2", "are for Sentinels"),
]


@pytest.mark.parametrize(("url", "reason"), WRONG)
def test_a_mistake_is_named_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match="QX_REDIS_URL") as refused:
        parse(url)
    assert reason in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(("url", "reason"), WRONG)
def test_the_settings_refuse_it(url: str, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"redis_url": url, "secret_key": "x" * 32})
    assert reason in str(refused.value)
    assert SECRET not in str(refused.value)
