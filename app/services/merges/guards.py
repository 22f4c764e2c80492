"""What must be so before two accounts are merged."""

from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.validation_messages import invalid
from app.models.cards import CodePurpose
from app.models.orgs import Org
from app.models.people import Role
from app.queries import cards as card_queries
from app.queries import members as member_queries
from app.queries import organizing as organizing_queries
from app.queries import roles as role_queries
from app.schemas.merges import MergeIn
from app.services import people
from app.services.members import RoleElsewhere
from app.services.redemptions import card_codes

ADMINISTRATORS = (Role.administrator,)


class OwnMerge(Refusal):
    code, status, title = "merges.own", 403, "Own merge"
    zh = "不能办理本人账号的合并，也不能确认自己提出的申请"
    en = "Nobody merges an own account, or confirms what they proposed."


class KeptRole(Refusal):
    """The kept person holds a role that the absorbed one does not hold as widely and as long.

    Otherwise whoever logs in to the absorbed account would get it.
    """

    code, status, title = "merges.kept_role", 409, "Role of the kept account alone"
    zh = "保留账号任有并入账号没有的职责，请先免去该职责，或改为保留另一账号"
    en = "The kept account holds a role that the other does not; end it, or keep the other account."
    fact_names = ("org_id", "org_name", "role")


async def use_codes(tx: Session, caller: UUID, body: MergeIn) -> tuple[UUID, UUID]:
    """Use up the codes; return whose cards they are.

    Raises Invalid, CardCodeInvalid, CardCodeUsed, CardSuspended.
    """
    rows, at = await card_queries.lock_codes(tx, [body.absorbed_code, body.kept_code]), now()
    absorbed, kept = (
        card_codes.require_usable(rows.get(one), at, CodePurpose.merge, caller)
        for one in (body.absorbed_code, body.kept_code)
    )
    if absorbed.person_id == kept.person_id:
        raise invalid("body.kept_code", "两张卡属于同一账号", "both cards are of one account")
    await card_queries.use_codes(tx, [absorbed.id, kept.id], at, [caller, caller])
    return absorbed.person_id, kept.person_id


async def require_no_new_role(tx: Session, absorbed: UUID, kept: UUID) -> None:
    """Raise KeptRole if who logs in to the absorbed account would get a role by the merge."""
    held = await role_queries.beyond(tx, kept, absorbed)
    if held is not None:
        raise KeptRole(org_id=held.org.id, org_name=held.org.name, role=held.grant.role)


async def require_administered(
    tx: Session, caller: UUID, org: Org, both: tuple[UUID, UUID]
) -> None:
    """Both belong to the subtree, with no role outside of what the caller administers.

    Else two administrators of a community could reach the account of one above them.
    """
    mine = await organizing_queries.paths_of(tx, caller, ADMINISTRATORS)
    for person_id in both:
        if await member_queries.find(tx, org.path, person_id) is None:
            raise people.PersonNotFound
        held = await role_queries.outside(tx, person_id, mine)
        if held is not None:
            raise RoleElsewhere(org_id=held.org.id, org_name=held.org.name, role=held.grant.role)
