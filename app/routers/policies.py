"""Policies (积分管理办法): the rules in force, and their versions."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ANYONE, READER, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, StaleReader
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Id, OrgId
from app.schemas.policies.showing import PolicyOut, PolicyVersionOut
from app.services.orgs import OrgNotFound
from app.services.policies import showing

ABOUT = Bilingual("积分规则与版本", "The points rules in force, and their versions")
router = Router(prefix="/policies", tags=["policies"], about=ABOUT)


OrgQuery = Annotated[Id | None, Query(description="Id of the organisation; without it none.")]


@router.get(
    "/current",
    operation_id="getCurrentPolicy",
    **allow(ANYONE, OrgNotFound, showing.NoPolicy),
)
async def get_current_policy(tx: StaleReader, org_id: OrgQuery = None) -> PolicyOut:
    """Return the rules in force at an organisation: points, caps, evidence, releases, tiers.

    Without ``org_id``: of all organisations that have no rules of their own.
    """
    return await showing.current(tx, org_id)


@router.get("", operation_id="listPolicyVersions", **allow(READER, OrgNotFound))
async def list_policy_versions(
    tx: Reader, person_id: CurrentPerson, page: PageQuery, org_id: OrgId
) -> Page[PolicyVersionOut]:
    """Return what was published for an organisation and above it: by whom, when, from when."""
    return await showing.versions(tx, person_id, org_id, page)


exports.beside(
    router, list_policy_versions, Bilingual("积分规则版本", "Versions of the points rules")
)
