"""The sixty residents, and how a list shows a name that it must not tell."""

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
    """Mask as the README promises; written anew here, so as not to trust what is checked."""
    return f"*{name[1]}" if len(name) == 2 else f"{name[0]}*{name[-1]}"
