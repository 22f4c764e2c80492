"""Sending notices: words for every kind, facts that fit, one statement for a list."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.core.db import Session
from app.core.ids import new_id
from app.core.wording import FactsWrong
from app.models.notices import NoticeKind
from app.models.orgs import Level, Org
from app.models.people import Role
from app.runtime import Runtime
from app.schemas.notify import OTHER_KIND, kinds
from app.services import notify
from app.services.notify import Message
from app.services.redemptions import charges
from app.services.redemptions.charges import ChargeCommand
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import appoint, make_people, make_person, make_with_role
from tests.factories.rewards import make_card_codes, make_counter

CHINESE = re.compile(r"[一-鿿]")
EXAMPLES: dict[type, Any] = {
    str: "TITLE",
    int: 4711,
    bool: True,
    datetime: datetime(2026, 11, 30, 6, 5, tzinfo=UTC),
    date: date(2026, 12, 24),
}
SHOWN: dict[type, tuple[str, str]] = {
    str: ("TITLE", "TITLE"),
    int: ("4711", "4711"),
    datetime: ("2026年11月30日 14:05", "30 Nov 2026, 14:05"),
    date: ("2026年12月24日", "24 Dec 2026"),
}


def facts_of(kind: str) -> dict[str, Any]:
    return {name: EXAMPLES[fact] for name, fact in kinds()[kind].text.facts.items()}


async def sent(runtime: Runtime, person: UUID) -> list[tuple[str, dict[str, Any]]]:
    """Return the topics and payloads that wait for a person."""
    query = text(
        "SELECT topic, payload FROM outbox"
        " WHERE payload ->> 'person_id' = CAST(CAST(:person AS uuid) AS text) ORDER BY id"
    )
    async with runtime.database.read() as tx:
        return [tuple(row) for row in await tx.execute(query, {"person": person})]


@asynccontextmanager
async def statements(tx: Session, about: str) -> AsyncIterator[list[str]]:
    """Collect the statements that hold a word."""
    found: list[str] = []

    def note(one: asyncpg.connection.LoggedQuery) -> None:
        if about in one.query:
            found.append(one.query)

    connection = await (await tx.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    with driver.query_logger(note):
        yield found
        await asyncio.sleep(0)  # the logger is called in the loop's next turn


def test_every_shared_kind_has_words() -> None:
    assert kinds().keys() >= set(NoticeKind)


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_speaks_both_languages_and_tells_its_facts(kind: str) -> None:
    words = kinds()[kind]
    said = words.text.filled(words.text.packed(facts_of(kind)))

    for title, sentence, in_chinese in (
        (words.title.zh, said.zh, True),
        (words.title.en, said.en, False),
    ):
        assert bool(CHINESE.search(title)) is in_chinese
        assert bool(CHINESE.search(sentence)) is in_chinese
        assert "{" not in sentence
        assert "–" not in sentence
        for fact in words.text.facts.values():
            if fact is not bool:
                assert SHOWN[fact][not in_chinese] in sentence
    assert len(said.zh) < 100
    assert len(said.en) < 150


@pytest.mark.parametrize("kind", kinds())
async def test_a_fact_that_is_missing_or_too_many_is_refused_and_nothing_is_sent(
    runtime: Runtime, kind: str
) -> None:
    person, facts = await make_person(runtime), facts_of(kind)
    wrong = [facts | {"moon": 1}]
    wrong += [{n: v for n, v in facts.items() if n != missing} for missing in facts]
    for one in wrong:
        with pytest.raises(FactsWrong):
            async with runtime.database.transaction() as tx:
                await notify.send(tx, person.id, kind, ("award", person.id), **one)
    assert await sent(runtime, person.id) == []


@pytest.mark.parametrize("kind", ["moon_landing", OTHER_KIND])
async def test_a_kind_without_words_is_refused(runtime: Runtime, kind: Any) -> None:
    person = await make_person(runtime)
    with pytest.raises(KeyError):
        async with runtime.database.transaction() as tx:
            await notify.send(tx, person.id, kind, ("award", person.id))
    assert await sent(runtime, person.id) == []


async def test_what_is_sent_are_kind_subject_and_facts(runtime: Runtime) -> None:
    ours, other = await make_people(runtime, 2)
    subject = ("award", new_id())
    async with runtime.database.transaction() as tx, statements(tx, "INSERT") as found:
        await notify.send(
            tx, [ours.id, other.id], NoticeKind.award_paid, subject, title="植树", points=2
        )

    assert len(found) == 1
    for person in (ours, other):
        payload = {
            "person_id": str(person.id),
            "subject": {"type": "award", "id": str(subject[1])},
            "facts": {"title": "植树", "points": 2},
        }
        assert await sent(runtime, person.id) == [("notices.award_paid", payload)]


async def test_nobody_is_told_when_nothing_came_of_it(runtime: Runtime) -> None:
    person = await make_person(runtime)
    told = Message(person.id, ("award", person.id), {"title": "植树", "points": 2})

    async def fail_after_it() -> None:
        async with runtime.database.transaction() as tx:
            await notify.send_each(tx, NoticeKind.award_paid, [told])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_it()
    assert await sent(runtime, person.id) == []


async def test_nothing_to_tell_costs_no_statement(runtime: Runtime) -> None:
    async with runtime.database.transaction() as tx, statements(tx, "outbox") as found:
        await notify.send_each(tx, NoticeKind.award_paid, [])
        await notify.send(tx, [], NoticeKind.award_paid, ("award", new_id()))
    assert found == []


async def test_a_list_of_charges_costs_one_statement_more(runtime: Runtime) -> None:
    people, counter = await make_people(runtime, 3), await make_counter(runtime)
    commands = []
    for person in people:
        await give_points(runtime, person.id, 50)
        [code] = await make_card_codes(runtime, person, 1)
        commands.append(ChargeCommand(counter.staff.id, code, 10, "咖啡"))
    too_much = ChargeCommand(counter.staff.id, "0" * 18, 10, "")

    async with runtime.database.transaction() as tx, statements(tx, "INTO outbox") as found:
        await charges.charge(tx, [*commands, too_much], now())

    assert len(found) == 1
    for person in people:
        [(topic, payload)] = await sent(runtime, person.id)
        assert topic == "notices.points_charged"
        assert payload["facts"] == {"merchant": "测试商户", "points": 10, "balance": 40}


async def deciders(runtime: Runtime, org: Org, *but: UUID | None, at_least: int = 1) -> set[UUID]:
    """Return who is told that something waits at an organisation."""
    before = await told_of(runtime, org)
    async with runtime.database.transaction() as tx:
        kind = NoticeKind.proposals_waiting
        await notify.send_to_deciders(tx, kind, org.id, but=but, at_least=at_least)
    found = await told_of(runtime, org)
    return {UUID(person) for person in found[len(before) :]}


async def told_of(runtime: Runtime, org: Org) -> list[str]:
    query = text(
        "SELECT payload ->> 'person_id' FROM outbox"
        " WHERE payload -> 'subject' ->> 'id' = :org AND payload -> 'facts' ->> 'org' = :name"
        " ORDER BY id"
    )
    async with runtime.database.read() as tx:
        return list((await tx.execute(query, {"org": str(org.id), "name": org.name})).scalars())


async def test_who_decides_is_told_the_nearest_first_and_more_where_they_are_too_few(
    runtime: Runtime,
) -> None:
    city = await make_org(runtime, level=Level.district)
    street = await make_org(runtime, parent=city)
    home, beside = [await make_org(runtime, parent=street, level=Level.community) for _ in range(2)]
    one = (await make_with_role(runtime, Role.organizer, org=home.id)).id
    two = (await make_with_role(runtime, Role.administrator, org=home.id)).id
    above = (await make_with_role(runtime, Role.organizer, org=street.id)).id
    top = (await make_with_role(runtime, Role.administrator, org=city.id)).id
    for role, org in ((Role.auditor, home), (Role.organizer, beside)):
        await make_with_role(runtime, role, org=org.id)
    async with runtime.database.transaction() as tx:  # at two levels: counts once, at the nearer
        await appoint(tx, one, Role.organizer, org=street.id)

    assert await deciders(runtime, home) == {one, two}
    assert await deciders(runtime, home, one) == {two}
    assert await deciders(runtime, home, one, None) == {two}
    assert await deciders(runtime, home, one, two) == {above}
    assert await deciders(runtime, home, one, two, above) == {top}
    assert await deciders(runtime, home, one, at_least=2) == {two, above}
    assert await deciders(runtime, home, at_least=3) == {one, two, above}
    assert await deciders(runtime, home, at_least=9) == {one, two, above, top}
    assert await deciders(runtime, home, one, two, above, top) == set()
    assert await deciders(runtime, street) == {one, above}
