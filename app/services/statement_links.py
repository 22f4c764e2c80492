"""Links that open a statement without a login: a web-view sends no header."""

from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.links import SignedLinks
from app.schemas.statement_links import StatementLinkIn, StatementLinkOut
from app.services.ledger import statement, units
from app.services.ledger.statement import Period

LINK_LASTS = timedelta(minutes=5)


class StatementLinkInvalid(Refusal):
    code, status, title = "statement_links.invalid", 404, "Link not valid"
    zh, en = "链接无效或已过期，请重新打开对账单", "This link is not valid, or it has expired."


async def make(
    tx: Session, links: SignedLinks, person_id: UUID, body: StatementLinkIn
) -> StatementLinkOut:
    """Return links to the caller's statement of a period. Raises UnitUnknown, Invalid (period)."""
    await units.unit_of(tx, body.unit)
    period = statement.period_of(body.since, body.until, place="body")
    expires_at = now().replace(microsecond=0) + LINK_LASTS
    expires = int(expires_at.timestamp())
    query = {"unit": body.unit, "since": period.since, "until": period.until, "expires": expires}
    signature = links.sign(_name(person_id, body.unit, period), expires)
    path = f"/api/v1/people/{person_id}/points/statement"
    signed = urlencode(query | {"signature": signature})
    return StatementLinkOut(
        html_url=f"{path}.html?{signed}", xlsx_url=f"{path}.xlsx?{signed}", expires_at=expires_at
    )


def require(
    links: SignedLinks, person_id: UUID, unit: str, period: Period, expires: int, signature: str
) -> None:
    """Raise StatementLinkInvalid unless the link is one of ours, for just this, and in time."""
    name = _name(person_id, unit, period)
    if not links.allows(name, expires, signature, now().timestamp()):
        raise StatementLinkInvalid


def _name(person_id: UUID, unit: str, period: Period) -> str:
    """Return what a link signs: no link to another thing opens a statement."""
    return f"statement:{person_id}:{unit}:{period.since}:{period.until}"
