"""Units of account: the points of each programme, and minutes of service."""

from app.api import exports
from app.api.access import ADMINISTRATOR, ANYONE, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.units import UnitIn, UnitOut
from app.services import units

ABOUT = Bilingual("积分单位", "Units: the points of each programme")
router = Router(prefix="/units", tags=["units"], about=ABOUT)


@router.get("", operation_id="listUnits", **allow(ANYONE))
async def list_units(tx: Reader, page: PageQuery) -> Page[UnitOut]:
    """List the units by code."""
    return await units.browse(tx, page)


exports.beside(router, list_units, Bilingual("积分单位", "Units"), org=exports.of_service)


@router.post(
    "",
    status_code=201,
    operation_id="openUnit",
    **allow(ADMINISTRATOR, units.UnitExists, body=True, once=True),
)
async def open_unit(body: UnitIn, tx: Tx, person_id: CurrentPerson) -> UnitOut:
    """Open a unit for the points of another programme; only for administrators of a root.

    It gives no points by itself: an organisation then publishes a programme that names it.
    """
    return await units.open_unit(tx, person_id, body)
