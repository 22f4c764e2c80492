"""Quotas for tests: a day on which somebody has done all that one may."""

from app.core.clock import local_date, now
from app.models.quotas import Quota, QuotaKind
from app.runtime import Runtime
from tests.factories.people import TestPerson


async def use_up(runtime: Runtime, person: TestPerson, kind: QuotaKind, used: int) -> None:
    async with runtime.database.transaction() as tx:
        tx.add(Quota(person_id=person.id, kind=kind, day=local_date(now()), used=used))
