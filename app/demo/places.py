"""Places of the demonstration data, with points in GCJ-02 degrees, and how to reach its offices.

The points lie in 扬中. Numbers of telephones end in 0000 to 0099, which nobody has there.
"""

from app.schemas.activities import LocationIn
from app.schemas.merchants import ProfileIn
from app.schemas.org_changes import OrgContactIn
from app.schemas.shops import ShopIn

YOUTH_HOME = LocationIn(name="三茅青年之家", latitude=32.2368, longitude=119.8267)
EMBANKMENT = LocationIn(name="长江江堤三茅段", latitude=32.2462, longitude=119.8093, radius_m=800)
ELDERLY_HOME = LocationIn(name="三茅敬老院", latitude=32.2311, longitude=119.8186)
LIBRARY = LocationIn(name="扬中市图书馆", latitude=32.2397, longitude=119.8152)
CROSSING = LocationIn(name="扬子中路与江洲路路口", latitude=32.2352, longitude=119.8214)
COMMUNITY = LocationIn(name="文化新村社区居委会", latitude=32.2374, longitude=119.8249)
# By the sandbox user of the merchant's staff.
PROFILES = {
    "merchant": ProfileIn(
        description="咖啡与简餐，青享卡持卡人可用积分。",
        phone="0511-88320001",
        hours="每天 8:00 至 22:00",
    ),
    "merchant2": ProfileIn(
        description="公益银行兑换点：用积分领取生活用品。",
        phone="0511-88320002",
        hours="周二至周六 9:00 至 17:00",
    ),
}
SHOPS = {
    "merchant": (
        ShopIn(
            name="三茅青年咖啡馆（扬子中路店）",
            address="扬中市三茅街道扬子中路 100 号",
            latitude=32.2371,
            longitude=119.8281,
            phone="0511-88320001",
            hours="每天 8:00 至 22:00",
        ),
        ShopIn(
            name="三茅青年咖啡馆（江洲路店）",
            address="扬中市三茅街道江洲路 12 号",
            latitude=32.2335,
            longitude=119.8198,
            phone="0511-88320003",
            hours="每天 9:00 至 21:00",
        ),
    ),
    "merchant2": (
        ShopIn(
            name="三茅公益银行兑换点",
            address="扬中市三茅街道文化新村 8 号青年之家一楼",
            latitude=32.2368,
            longitude=119.8267,
            phone="0511-88320002",
            hours="周二至周六 9:00 至 17:00",
        ),
    ),
}
WORKDAYS = "工作日 8:30 至 17:30"


def contact(place: int, name: str) -> OrgContactIn:
    """Return the contact of the organisation with this place in the list of divisions."""
    return OrgContactIn(phone=f"0511-883300{place:02}", note=f"{name}团组织，{WORKDAYS}")
