"""Drafts of points rules over the API: checked, compared, published by administrators."""

import asyncio
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Busy, PreconditionFailed, Refusal
from app.core.language import Bilingual, named
from app.models.orgs import Org
from app.models.people import Role
from app.queries import policies as queries
from app.queries import roles as role_queries
from app.schemas.policies.documents import PolicyDocument
from app.schemas.policy_drafts import (
    FindingLevel,
    PolicyChangeOut,
    PolicyChangesOut,
    PolicyCheckOut,
    PolicyDiffOut,
    PolicyDraftIn,
    PolicyFindingOut,
    PublicationIn,
    PublicationOut,
)
from app.services import people, records
from app.services.policies import comparing, publishing
from app.services.policies.comparing import Change, Comparison
from app.services.policies.history import ROOT, is_whole, load
from app.services.policies.publishing import PAST
from app.services.policies.reading import (
    DocumentError,
    PolicyInvalid,
    line_numbers,
    line_of,
    parse,
    plain,
)

ADMINISTRATORS = (Role.administrator,)
MAX_TOLD = 200
AHEAD = timedelta(days=731)
# Tables of the document whose members have keys and names.
_KEYED = ("rules", "deductions", "tiers")


class DraftInvalid(Refusal):
    """``fields``: the errors, ``row`` their lines; at most ``MAX_TOLD``."""

    code, status, title = "policy_drafts.invalid", 422, "Document not valid"
    zh, en = "积分管理办法有误，未作任何更改", "The document is not valid; nothing was changed."
    fact_names = ("refused",)


class PublicationTimeWrong(Refusal):
    code, status, title = "policy_drafts.wrong_time", 422, "Not a time to take effect"
    zh, en = "生效时间须在可选范围内", "It takes effect neither in the past nor so far ahead."
    fact_names = ("limit", "measure")


async def place(tx: Session, caller: UUID, org_id: UUID | None) -> Org | None:
    """Return the organisation of a draft that the caller administers; None: all of them.

    Raises OrgNotFound, Forbidden.
    """
    if org_id is not None:
        return await records.authorized(tx, caller, ADMINISTRATORS, org_id)
    if not await role_queries.administers_every_root(tx, caller):
        raise people.Forbidden
    return None


def source_of(draft: PolicyDraftIn) -> str:
    return plain(draft.document)


async def check(tx: Session, caller: UUID, draft: PolicyDraftIn) -> PolicyCheckOut:
    """Return everything that is wrong with a document. Raises OrgNotFound, Forbidden."""
    org, source = await place(tx, caller, draft.org_id), source_of(draft)
    version, errors, warnings = await _newest(tx, org), list[DocumentError](), list[DocumentError]()
    document: PolicyDocument | None = None
    try:
        read = await publishing.check_at(tx, source, org, now())
        await _require_programme_allowed(tx, caller, org, source, now())
        document = read
        warnings = await asyncio.to_thread(publishing.warnings, document, source)
    except PolicyInvalid as invalid:
        errors = invalid.problems
    return PolicyCheckOut(
        is_valid=document is not None,
        version=version,
        rules=len(document.rules) if document else 0,
        tiers=len(document.tiers) if document else 0,
        errors=len(errors),
        findings=[
            *(_finding(FindingLevel.error, one) for one in errors[:MAX_TOLD]),
            *(_finding(FindingLevel.warning, one) for one in warnings[:MAX_TOLD]),
        ],
    )


async def diff(tx: Session, caller: UUID, draft: PolicyDraftIn) -> PolicyDiffOut:
    """Return what a document would change now. Raises OrgNotFound, Forbidden, DraftInvalid."""
    org = await place(tx, caller, draft.org_id)
    version = await _newest(tx, org)
    try:
        found = await comparing.compare(tx, source_of(draft), org, now())
    except PolicyInvalid as invalid:
        raise refused(invalid) from None
    items = [
        _changes(section, key, list(changes), _name(section, key, found))
        for (section, key), changes in groupby(sorted(found.changes, key=_group), _group)
    ]
    return PolicyDiffOut(version=version, items=items)


async def publish(tx: Session, caller: UUID, draft: PublicationIn, version: int) -> PublicationOut:
    """Publish a document, if ``version`` is still the newest for its organisation or above it.

    Raises OrgNotFound, Forbidden, OrgClosed, PublicationTimeWrong, DraftInvalid,
    PreconditionFailed.
    """
    org, at = await place(tx, caller, draft.org_id), now()
    if org is not None:
        await records.authorized_open(tx, caller, ADMINISTRATORS, org.id)
    await _require_version(tx, org, version)
    begins = draft.effective_from or at
    if not at - PAST <= begins <= at + AHEAD:
        raise PublicationTimeWrong(limit=AHEAD.days, measure="days")
    source = source_of(draft)
    try:
        await _require_programme_allowed(tx, caller, org, source, begins)
        number = await publishing.publish(
            tx, source, org=org, effective_from=begins, by=caller, after=version
        )
    except PolicyInvalid as invalid:
        raise refused(invalid) from None
    except Busy:  # somebody has published meanwhile, here or elsewhere
        await _require_version(tx, org, version)
        raise
    return PublicationOut(
        version=number,
        org_id=draft.org_id,
        effective_from=begins,
        published_at=await queries.published_at(tx, number),
    )


def refused(invalid: PolicyInvalid) -> DraftInvalid:
    """Return the refusal of a document, with its errors by line."""
    fields = [
        {"row": one.line, "field": one.path or "document", "msg": Bilingual(one.zh, one.en)}
        for one in invalid.problems[:MAX_TOLD]
    ]
    return DraftInvalid(fields=fields, refused=len(invalid.problems))


async def _require_programme_allowed(
    tx: Session, caller: UUID, org: Org | None, source: str, at: datetime
) -> None:
    """Raise PolicyInvalid for a programme with which an organisation would leave the rules above.

    Its first one is published by an administrator of its root; later versions of it by its own.
    """
    if org is None or not is_whole(parse(source)):
        return
    if (await load(tx)).has_programme(org.code, at):
        return
    if await people.holds(tx, caller, ADMINISTRATORS, f"/{org.path.split('/')[1]}/"):
        return
    zh = "自有的整份办法首次须由根组织的管理员发布；只写更严的几行，不写 [programme]"
    en = "an administrator of the root publishes the first programme; write only what is stricter"
    line = line_of(("programme",), line_numbers(source))
    raise PolicyInvalid([DocumentError(line, "programme", zh, en)])


async def _newest(tx: Session, org: Org | None) -> int:
    return await queries.newest_at(tx, org.path if org else ROOT)


async def _require_version(tx: Session, org: Org | None, version: int) -> None:
    newest = await _newest(tx, org)
    if newest != version:
        raise PreconditionFailed(version=newest)


def _group(change: Change) -> tuple[str, str]:
    """Return the table of a change, and the key in it of what has a name of its own."""
    section, _, rest = change.path.partition(".")
    return section, rest.partition(".")[0] if section in _KEYED else ""


def _changes(
    section: str, key: str, changes: list[Change], name: Bilingual | None
) -> PolicyChangesOut:
    return PolicyChangesOut(
        section=section,
        key=key or None,
        name=name,
        effect=comparing.of_group(one.effect for one in changes),
        changes=[PolicyChangeOut.model_validate(one) for one in changes],
    )


def _name(section: str, key: str, found: Comparison) -> Bilingual | None:
    """Return the name of a rule, deduction or tier: the new one, or the one that it had."""
    for table in (found.after, found.before):
        members = table.get(section, {}) if key else {}
        if isinstance(members, list):  # tiers
            members = {one["key"]: one for one in members}
        if key in members:
            return named(members[key]["name"], members[key].get("name_en"))
    return None


def _finding(level: FindingLevel, one: DocumentError) -> PolicyFindingOut:
    return PolicyFindingOut(
        level=level, line=one.line, path=one.path, msg=Bilingual(one.zh, one.en)
    )
