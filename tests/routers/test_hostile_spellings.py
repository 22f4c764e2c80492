"""Things that look alike must not be told apart by accident, and the other way round."""

import httpx
import pytest

from app.runtime import Runtime
from tests.factories.activities import activity_body, make_activity
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_person
from tests.factories.rewards import make_counter, make_reward

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


async def test_a_token_has_one_spelling(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """The last character of a signature has two bits to spare; they must be zero."""
    person = await make_person(runtime)
    spelling = person.headers["Authorization"]
    last = BASE64URL.index(spelling[-1])
    assert last % 4 == 0

    for spare in (1, 2, 3):
        other = spelling[:-1] + BASE64URL[last + spare]
        answer = await api.get("/api/v1/me", headers={"Authorization": other})
        assert_refused(answer, 401, "auth.token_invalid")


@pytest.mark.parametrize("key", ["a b", '"', '"a', 'a"', "a\x7f", "ü"])
async def test_a_key_is_visible_and_its_quotes_are_closed(
    api: httpx.AsyncClient, runtime: Runtime, key: str
) -> None:
    person = await make_person(runtime)
    reward = await make_reward(runtime, await make_counter(runtime))
    headers = keyed(person) | {"Idempotency-Key": key}
    answer = await api.post(
        "/api/v1/redemptions",
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        json={"reward_id": str(reward.id)},
    )
    assert_refused(answer, 422, "idempotency.key_malformed")


@pytest.mark.parametrize("title", ["清明\u202e植树", "\u2066植树"])
async def test_no_text_turns_the_writing_direction(
    api: httpx.AsyncClient, runtime: Runtime, title: str
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = activity_body(org, title=title)
    answer = await api.post("/api/v1/activities", headers=organizer.headers, json=body)
    assert_refused(answer, 422, "request.invalid")


@pytest.mark.parametrize("content", [b'{"zz": 1}', b"{", b"[]", b"1", b"\xff\xfe"])
async def test_a_body_where_none_is_needed_is_read_all_the_same(
    api: httpx.AsyncClient, runtime: Runtime, content: bytes
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org)
    answer = await api.post(
        f"/api/v1/activities/{activity.id}/publish",
        headers=organizer.headers | {"Content-Type": "application/json"},
        content=content,
    )
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
