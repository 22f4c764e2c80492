"""Classes for minors (爱心暑托班、四点半课堂)."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.deps import Cipher, CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import no_store
from app.api.routes import Router
from app.core.db import Session
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.classes import ClassChildOut, ClassFiguresOut
from app.services import activities, classes
from app.services.activities import ActivityNotFound
from app.services.people import Forbidden
from app.services.sessions import SessionNotFound
from app.services.signup_terms import NotAClass

ABOUT = Bilingual("未成年人课堂：点名册与统计", "Classes for minors: the class list and figures")
router = Router(prefix="/activities/{activity_id}", tags=["classes"], about=ABOUT)
READ = allow(RESIDENT, ActivityNotFound, Forbidden, NotAClass)
LIST = allow(RESIDENT, ActivityNotFound, Forbidden, NotAClass, SessionNotFound)
SessionQuery = Annotated[
    int, Query(ge=0, le=10_000, description="Number of the session; 0: the class has none.")
]


async def _org_of(tx: Session, asked: dict[str, Any]) -> UUID:
    return await activities.org_of(tx, asked["activity_id"])


async def _rows(
    activity_id: PathId,
    tx: Reader,
    cipher: Cipher,
    person_id: CurrentPerson,
    page: PageQuery,
    session: SessionQuery = 0,
) -> Page[ClassChildOut]:
    return await classes.rows(tx, cipher, person_id, activity_id, session, page)


@router.get("/class-list", operation_id="getClassList", **LIST)
@no_store
async def get_class_list(
    activity_id: PathId,
    tx: Tx,
    cipher: Cipher,
    person_id: CurrentPerson,
    page: PageQuery,
    session: SessionQuery = 0,
) -> Page[ClassChildOut]:
    """Return the children of a class: who came to the session, who fetched them, and when.

    For organizers and co-organizers of the class, and auditors, for whom names are masked. Each
    reading is an entry of the audit trail.
    """
    return await classes.read_list(tx, cipher, person_id, activity_id, session, page)


exports.beside(router, get_class_list, Bilingual("点名册", "Class list"), rows=_rows, org=_org_of)


@router.get("/class-figures", operation_id="getClassFigures", **READ)
async def get_class_figures(
    activity_id: PathId, tx: Reader, person_id: CurrentPerson
) -> ClassFiguresOut:
    """Return counts of a class over all its sessions."""
    return await classes.figures(tx, person_id, activity_id)
