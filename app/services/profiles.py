"""Profiles: what people tell of themselves, and their picture."""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.validation_messages import invalid
from app.models.consents import ConsentDocument
from app.models.orgs import Level
from app.models.people import Person
from app.queries import attachments as attachment_queries
from app.queries import consents as consent_queries
from app.queries import name_confirmations as confirmation_queries
from app.queries import orgs as org_queries
from app.queries import outbox
from app.queries import people as queries
from app.schemas.attachments import PATH
from app.schemas.profiles import MeIn, MeOut
from app.schemas.roles import RoleOut
from app.services import audit, donations, orgs, people
from app.services.attachments.subjects import Access, Subject
from app.services.people import PersonNotFound

NOUN = "person"  # of the audit trail and of the picture
COMPUTED = {"birth_year", "avatar_url", "honour_year", "name_confirmed_at", "roles"}


class GuardianNeeded(Refusal):
    """Facts: ``document``, to which a guardian has to agree first (PIPL 31)."""

    code, status, title = "profiles.guardian_needed", 409, "A guardian must agree"
    zh, en = "未满十四周岁须先由监护人同意", "Under 14 a guardian must agree first."
    fact_names = ("document",)


class UnderGuardian(Refusal):
    """Facts: ``document``, to which a guardian has agreed for the child.

    Also after its withdrawal, which closes the account: a child could withdraw it, change the date
    and keep the account.
    """

    code, status, title = "profiles.under_guardian", 409, "Protected as a child"
    zh = (
        "监护人同意过的儿童账号不能删除出生日期或改为年满十四周岁；"
        "如有误，请由监护人撤回同意（账号随之注销）后重新注册"
    )
    en = (
        "A guardian has agreed for this child: the birth date neither goes nor becomes one of 14"
        " years or more. If it is wrong, the guardian withdraws the consent, which closes the"
        " account, and another one is registered."
    )
    fact_names = ("document",)


async def mine(tx: Session, person_id: UUID) -> MeOut:
    """Return the caller's own data and roles. Raises PersonNotFound."""
    person = await _get(tx, person_id)
    roles = await queries.roles_of(tx, person_id)
    avatar = await attachment_queries.newest_of(tx, NOUN, person_id)
    confirmed = await confirmation_queries.find(tx, person_id)
    honour = await donations.honour(tx, person_id)
    return MeOut(
        **person.model_dump(include=set(MeOut.model_fields) - COMPUTED),
        birth_year=person.birth_date.year if person.birth_date else person.birth_year,
        avatar_url=f"{PATH}/{avatar}/file" if avatar else None,
        honour_year=honour.year if honour.has_mark else None,
        name_confirmed_at=confirmed.created_at if confirmed else None,
        roles=[RoleOut.model_validate(role) for role in roles],
    )


async def replace(tx: Session, person_id: UUID, body: MeIn) -> MeOut:
    """Replace the caller's own profile.

    A child does not leave the protection of children by a call of its own: it ends with the day
    on which the child is 14. Another name is not confirmed any more. Leaderboards do not show
    children under 14: they are rebuilt if the new birth date changes that. Raises PersonNotFound,
    Invalid, OrgClosed, GuardianNeeded, UnderGuardian.
    """
    person = await _get(tx, person_id)
    was_minor = people.is_under_14(people.born_by(person))
    changed = await _change(tx, person, body)
    is_minor = people.is_under_14(people.born_by(person))
    if was_minor or is_minor:
        agreed = await consent_queries.newest(tx, person_id, ConsentDocument.guardian)
        if is_minor and not (agreed and agreed.given):
            raise GuardianNeeded(document=ConsentDocument.guardian)
        if agreed and not is_minor:
            raise UnderGuardian(document=ConsentDocument.guardian)
    await queries.save(tx, person)
    if "display_name" in changed:
        await confirmation_queries.remove(tx, person_id)
    if changed:
        about = ((NOUN, person_id), person.community_id)
        await audit.write_about(tx, person_id, "changed", *about, fields=changed)
    if was_minor != is_minor:
        gone = [str(person_id)] if is_minor else []
        await outbox.put(tx, "leaderboards.rebuild", {"person_id": str(person_id), "gone": gone})
    return await mine(tx, person_id)


async def _change(tx: Session, person: Person, body: MeIn) -> list[str]:
    """Set what differs; return the names of the fields."""
    values = body.model_dump() | {
        "birth_year": None if body.birth_date else body.birth_year,
        "interests": [str(one) for one in body.interests],
    }
    changed = sorted(name for name, one in values.items() if getattr(person, name) != one)
    if "community_id" in changed and body.community_id is not None:
        org = await org_queries.find(tx, body.community_id)
        if org is None or org.level != Level.community:
            raise invalid("body.community_id", "没有这个社区", "no such community")
        await orgs.get_open(tx, org.id)
    for name in changed:
        setattr(person, name, values[name])
    return changed


async def _get(tx: Session, person_id: UUID) -> Person:
    person = await queries.find(tx, person_id)
    if person is None or person.erased_at is not None:
        raise PersonNotFound
    return person


async def _access(tx: Session, caller: UUID | None, person_id: UUID) -> Access | None:
    """A picture is its person's; staff of the community may see it."""
    person = await queries.find(tx, person_id)
    if person is None or person.erased_at is not None or caller is None:
        return None
    home = person.community_id
    org = await (org_queries.find(tx, home) if home else org_queries.first_root(tx))
    if org is None:
        return None
    is_own = caller == person_id
    reads = is_own or await people.holds(tx, caller, people.READERS, org.path)
    return Access(org.id, reads=reads, attaches=is_own, manages=is_own)


ATTACHABLE = Subject(NOUN, _access, most=1)
