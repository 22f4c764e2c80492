"""Certificates of volunteer hours (民政部令67号): issued under a confirmed name, and checked.

Minutes are posted at the check-in, for the time until the planned end. A certificate counts those
whose time had ended when it was issued, and so does every later check of it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.paging import Page, PageParams, by_id
from app.core.validation_messages import invalid
from app.models.certificates import Certificate
from app.models.people import Person
from app.queries import certificates as queries
from app.queries import name_confirmations
from app.queries import people as people_queries
from app.queries.certificates import Served
from app.schemas.certificates import CertificateCheckOut, CertificateIn, CertificateOut
from app.services import audit, people
from app.services.awards.postings import minutes_id
from app.services.ledger import moments
from app.services.ledger.types import MINUTES

# Crockford's base 32, without letters that look like figures: 16 of them are 80 bits.
ALPHABET, DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 16
# Lines of a certificate; the rest is in the sum.
MOST_LINES = 200
A_DAY = timedelta(days=1)


class CertificateNotFound(Refusal):
    code, status, title = "certificates.not_found", 404, "No such certificate"
    zh, en = "证明不存在", "There is no such certificate."


class NameUnconfirmed(Refusal):
    code, status, title = "certificates.name_unconfirmed", 409, "Name not confirmed"
    zh, en = "请先由网格组织者确认实名", "An organizer has to confirm your name first."


class NoHours(Refusal):
    code, status, title = "certificates.no_hours", 409, "No hours"
    zh, en = "该时段没有志愿服务时长", "There are no volunteer hours on these days."


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a certificate shows."""

    certificate: Certificate
    lines: Sequence[Served]


async def issue(tx: Session, person_id: UUID, body: CertificateIn) -> CertificateOut:
    """Issue a certificate. Raises PersonNotFound, NameUnconfirmed, NoHours, Invalid, ClockWrong."""
    person = await named(tx, person_id)
    since, until = await _days(tx, person_id, body)
    at = await moments.checked_now(tx)
    without = await _not_over(tx, person_id, at)
    minutes = await queries.minutes(tx, person_id, MINUTES, *_span(since, until), without)
    if minutes <= 0:
        raise NoHours
    certificate = made_for(person, since=since, until=until, minutes=minutes, created_at=at)
    return await add(tx, person, certificate, minutes=minutes)


async def current(tx: Session, person_id: UUID) -> CertificateOut:
    """Return the newest certificate of all hours until now; issue one if there is none.

    Raises PersonNotFound, NameUnconfirmed, NoHours, ClockWrong.
    """
    person = await named(tx, person_id)
    since, until = await _days(tx, person_id, CertificateIn())
    without = await _not_over(tx, person_id, await moments.checked_now(tx))
    minutes = await queries.minutes(tx, person_id, MINUTES, *_span(since, until), without)
    found = await queries.of_hours(tx, person_id, person.display_name, since, minutes)
    if found is None:
        return await issue(tx, person_id, CertificateIn())
    return CertificateOut.model_validate(found)


async def named(tx: Session, person_id: UUID) -> Person:
    """Return a person whose name was confirmed. Raises PersonNotFound, NameUnconfirmed."""
    person = await people_queries.find(tx, person_id)
    if person is None or person.erased_at is not None:
        raise people.PersonNotFound
    if await name_confirmations.find(tx, person_id) is None:
        raise NameUnconfirmed
    return person


def made_for(person: Person, **certified: Any) -> Certificate:
    """Return a certificate with a new code, under the person's name."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(DIGITS))
    name = person.display_name
    return Certificate(id=new_id(), person_id=person.id, code=code, name=name, **certified)


async def add(
    tx: Session, person: Person, certificate: Certificate, **facts: int
) -> CertificateOut:
    """Insert a certificate, with an entry in the audit trail."""
    await queries.add(tx, certificate)
    subject = ("certificate", certificate.id)
    await audit.write_about(tx, person.id, "created", subject, person.community_id, facts=facts)
    return CertificateOut.model_validate(certificate)


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[CertificateOut]:
    """Return the person's certificates, newest first."""
    return await by_id(
        asked,
        lambda before, limit: queries.page(tx, person_id, before, limit),
        CertificateOut.model_validate,
    )


async def sheet(tx: Session, person_id: UUID, certificate_id: UUID) -> Sheet:
    """Return what one's own certificate shows. Raises CertificateNotFound."""
    found = await queries.find(tx, certificate_id)
    if found is None or found.person_id != person_id:
        raise CertificateNotFound
    if found.activity_id is not None:
        family = await people_queries.family(tx, person_id)
        return Sheet(found, await queries.attended(tx, found.activity_id, family, MOST_LINES))
    span = _span(found.since, found.until)
    without = await _not_over(tx, person_id, found.created_at)
    lines = await queries.served(tx, person_id, MINUTES, *span, without, MOST_LINES)
    return Sheet(found, lines)


async def check(tx: Session, code: str) -> CertificateCheckOut:
    """Tell what a code certifies, and whether it still holds. Raises CertificateNotFound."""
    found = await queries.by_code(tx, code.replace("-", "").upper())
    if found is None:
        raise CertificateNotFound
    return CertificateCheckOut(
        **found.model_dump(exclude={"name"}),
        name=people.masked(found.name),
        is_current=await _is_current(tx, found),
    )


async def _is_current(tx: Session, found: Certificate) -> bool:
    """Whether what a certificate says is still so; of a series, at least so many sessions."""
    if found.activity_id is not None and found.sessions is not None:
        family = await people_queries.family(tx, found.person_id)
        return len(await queries.attended(tx, found.activity_id, family)) >= found.sessions
    span = _span(found.since, found.until)
    without = await _not_over(tx, found.person_id, found.created_at)
    return await queries.minutes(tx, found.person_id, MINUTES, *span, without) == found.minutes


async def _not_over(tx: Session, person_id: UUID, at: datetime) -> list[UUID]:
    """Return the transfers of minutes for time that had not ended at a moment."""
    family = await people_queries.family(tx, person_id)
    return [minutes_id(award) for award in await queries.not_over(tx, family, at)]


async def _days(tx: Session, person_id: UUID, body: CertificateIn) -> tuple[date, date]:
    """Complete the days of a certificate; none is in the future. Raises Invalid, NoHours."""
    today = local_date(now())
    until, since = body.until or today, body.since
    if since is None:
        first = await queries.first_served(tx, person_id, MINUTES)
        if first is None:
            raise NoHours
        since = min(local_date(first), until)
    if until > today:
        raise invalid("body.until", "结束日期不能晚于今天", "the last day is not in the future")
    if since > until:
        raise invalid("body.until", "结束日期早于开始日期", "a period ends after it begins")
    return since, until


def _span(since: date, until: date) -> tuple[datetime, datetime]:
    return midnight(since), midnight(until + A_DAY)
