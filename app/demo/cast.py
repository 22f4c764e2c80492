"""Who and what the demonstration data and the demonstration have: people, merchants, files."""

from importlib.resources import files
from pathlib import Path
from uuid import UUID

DATA = Path(str(files("app") / "data"))
# 扬中市, 三茅街道, 文化新村社区
CITY, STREET, COMMUNITY = "321182", "321182001", "321182001001"
# Sandbox user to display name.
CAST = {
    "admin": "王建国",
    "auditor": "李审之",
    "organizer": "陈组织",
    "organizer2": "孙复核",
    "merchant": "赵小店",
    "merchant2": "钱柜台",
    "alice": "张爱丽",
    "bob": "刘博文",
    "carol": "周可欣",
}
SHOPS = {
    "merchant": ("三茅青年咖啡馆", "shop"),
    "merchant2": ("三茅公益银行兑换点", "fund_counter"),
}
# Provider to the staff of the counter: vouchers at shops, goods at the 公益银行.
STAFF_OF_PROVIDER = {"青年商户": "merchant", "公益银行": "merchant2", "青年之家": "merchant2"}


def fixed_id(kind: int, number: str | int) -> UUID:
    """Return an id that is the same in every installation: the API's examples name it.

    A UUIDv7 of 2024. ``kind``: 0 an organisation, by its division code; 1 a person, 2 a merchant,
    3 a reward, by their places in the demonstration data, from 1.
    """
    return UUID(f"01900000-0000-700{kind}-8000-{number:0>12}")


# Organisations whose ids are fixed: the city, the street and a community of it.
COMMUNITIES = 5  # in which the residents live; the first by code is that of alice
FIXED_ORGS = (CITY, STREET, COMMUNITY)
CARD_SERIALS = {user: place for place, user in enumerate(CAST, start=1)}
PERSON_IDS = {user: fixed_id(1, place) for place, user in enumerate(CAST, start=1)}
MERCHANT_IDS = {user: fixed_id(2, place) for place, user in enumerate(SHOPS, start=1)}

RESIDENTS = (
    *(
        "高远航",
        "林知夏",
        "何思源",
        "郭晓彤",
        "马跃",
        "罗一诺",
        "梁宇辰",
        "宋雨桐",
        "郑子涵",
        "谢明哲",
    ),
    *(
        "韩雪",
        "唐若曦",
        "冯浩然",
        "于佳宁",
        "董书瑶",
        "萧景行",
        "程安然",
        "曹文轩",
        "袁梦",
        "邓嘉豪",
    ),
    *(
        "许清扬",
        "傅云舒",
        "沈星河",
        "曾凡",
        "彭湃",
        "吕静怡",
        "苏子墨",
        "卢欣妍",
        "蒋沐阳",
        "蔡一鸣",
    ),
    *("贾晨曦", "丁宁", "魏子轩", "薛佳怡", "叶知秋", "阎立", "余晚晴", "潘俊杰", "杜若", "戴梓萱"),
    *("夏天", "钟毓秀", "汪洋", "田甜", "任重远", "姜维", "范雨菲", "方舟", "石磊", "姚梦瑶"),
    *("谭天宇", "廖诗涵", "邹文博", "熊伟", "金秋实", "陆子衿", "郝佳", "孔令仪", "白桦", "崔嘉禾"),
)


def masked(name: str) -> str:
    """Mask a name as the README says; independent of the implementation that is checked."""
    return f"*{name[1]}" if len(name) == 2 else f"{name[0]}*{name[-1]}"
