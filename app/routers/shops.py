"""Shops of merchants, with address, position and hours."""

from app.api import exports
from app.api.access import ANYONE, KEEPER, allow
from app.api.deps import (
    CurrentPerson,
    IfMatch,
    MerchantFilter,
    OrgFilter,
    PageQuery,
    Reader,
    StaleReader,
    Tx,
)
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.shops import ShopChangedOut, ShopIn, ShopMoveIn, ShopOut
from app.services import shops
from app.services.merchants.access import MerchantNotFound
from app.services.orgs import OrgNotFound
from app.services.shops import ShopNotFound, ShopWrongState, TooManyShops

ABOUT = Bilingual("商户门店：地址、位置与营业时间", "Shops of merchants: address, position, hours")
router = Router(tags=["shops"], about=ABOUT)


@router.post(
    "/merchants/{merchant_id}/shops",
    status_code=201,
    operation_id="openShop",
    **allow(KEEPER, MerchantNotFound, TooManyShops, body=True, once=True),
)
@leads_to("editShop", {"shop_id": "id"})
async def open_shop(merchant_id: PathId, body: ShopIn, tx: Tx, caller: CurrentPerson) -> ShopOut:
    """Open a shop of a merchant; its pictures are attachments."""
    return await shops.create(tx, caller, merchant_id, body)


@router.get("/shops", operation_id="listShops", **allow(ANYONE, OrgNotFound))
async def list_shops(
    tx: StaleReader,
    page: PageQuery,
    org_id: OrgFilter = None,
    merchant_id: MerchantFilter = None,
) -> Page[ShopOut]:
    """List the open shops of active merchants."""
    return await shops.browse(tx, org_id, merchant_id, page)


exports.beside(router, list_shops, Bilingual("门店", "Shops"))


@router.get("/shops/{shop_id}", operation_id="getShop", **allow(ANYONE, ShopNotFound))
async def get_shop(shop_id: PathId, tx: Reader) -> ShopOut:
    """Return a shop."""
    return await shops.get(tx, shop_id)


@router.put(
    "/shops/{shop_id}",
    operation_id="editShop",
    **allow(KEEPER, ShopNotFound, body=True, if_match=True),
)
async def edit_shop(
    shop_id: PathId, body: ShopIn, version: IfMatch, tx: Tx, caller: CurrentPerson
) -> ShopChangedOut:
    """Replace name, address, position, phone and hours of a shop."""
    return await shops.edit(tx, caller, shop_id, version, body)


@router.post(
    "/shops/{shop_id}/moves",
    operation_id="moveShop",
    **allow(KEEPER, ShopNotFound, ShopWrongState, body=True, once=True),
)
async def move_shop(shop_id: PathId, body: ShopMoveIn, tx: Tx, caller: CurrentPerson) -> ShopOut:
    """Close a shop, or open it again."""
    return await shops.move(tx, caller, shop_id, body)
