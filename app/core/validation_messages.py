"""Messages about invalid values, in Chinese and English."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from app.core.errors import Invalid
from app.core.language import Bilingual

# By pydantic's type of error: those that occur in what people enter.
_ZH = {
    "missing": "缺少这一项",
    "extra_forbidden": "没有这一项，请检查拼写",
    "int_type": "应为整数",
    "string_type": "应为文字",
    "bool_type": "应为 true 或 false",
    "list_type": "应为列表",
    "dict_type": "应为一组设置",
    "model_type": "应为一组设置",
    "literal_error": "不在可选范围内",
    "enum": "不在可选范围内",
    "string_pattern_mismatch": "格式不正确",
    "value_error": "内容不一致",
    "int_parsing": "应为整数",
    "float_type": "应为数字",
    "float_parsing": "应为数字",
    "bool_parsing": "应为 true 或 false",
    "uuid_parsing": "不是有效的编号",
    "uuid_type": "不是有效的编号",
    "date_from_datetime_parsing": "不是有效的日期",
    "datetime_from_date_parsing": "不是有效的时间",
    "date_from_datetime_inexact": "不是有效的日期",
    "date_type": "不是有效的日期",
    "datetime_parsing": "不是有效的时间",
    "datetime_type": "不是有效的时间",
    "timezone_aware": "时间缺少时区",
    "json_invalid": "不是有效的 JSON",
    "model_attributes_type": "应为一组设置",
}

# By pydantic's type of error, with the limit of its ``ctx``.
_BOUNDS = {
    "greater_than_equal": ("ge", "应不小于 {}", "must be at least {}"),
    "less_than_equal": ("le", "应不大于 {}", "must be at most {}"),
    "greater_than": ("gt", "应大于 {}", "must be more than {}"),
    "less_than": ("lt", "应小于 {}", "must be less than {}"),
    "string_too_short": ("min_length", "至少 {} 个字符", "at least {} characters"),
    "string_too_long": ("max_length", "最多 {} 个字符", "at most {} characters"),
    "too_short": ("min_length", "至少 {} 项", "at least {} items"),
    "too_long": ("max_length", "最多 {} 项", "at most {} items"),
}
# Texts that a validator of ours has changed have their length checked as any value.
_OF_TEXTS = {"too_short": "string_too_short", "too_long": "string_too_long"}
_EMPTY = Bilingual("不能为空", "must not be empty")
# pydantic's own message repeats what was sent.
_BY_KIND = {
    "union_tag_invalid": Bilingual("没有这一类型", "there is no such kind"),
    "union_tag_not_found": Bilingual("缺少类型", "its kind is missing"),
}

_KEY = Bilingual(
    "只用小写字母、数字和下划线，以字母开头",
    "only lower-case letters, digits and underscores, a letter first",
)
_MONTH = Bilingual("应为年月，如 2026-05", "expected a month, such as 2026-05")
_VISIBLE = Bilingual("只用可见的 ASCII 字符", "only visible ASCII characters")
# By the pattern that a value does not match.
_BY_PATTERN = {
    "^[a-z][a-z0-9_]*$": _KEY,
    "^[a-z][a-z0-9_]{0,39}$": _KEY,
    "^[a-z][a-z0-9_]{0,39}(>=[1-9][0-9]{0,5})?$": Bilingual(
        "应为字段名，可加最小值，如 checkin>=10",
        "expected the name of a field, perhaps with its least value: checkin>=10",
    ),
    "^20[0-9]{2}-(0[1-9]|1[0-2])$": _MONTH,
    "^[0-9]{4}-[0-9]{2}$": _MONTH,
    "^[0-9]{2,20}$": Bilingual("应为 2 至 20 位数字", "expected 2 to 20 digits"),
    r"^https?://[\x21-\x7e]+$": Bilingual(
        "应为网址，如 https://example.cn/hook",
        "expected an address such as https://example.cn/hook",
    ),
    "^[0-9a-f]{64}$": Bilingual(
        "应为 64 位十六进制数字（小写）", "expected 64 hexadecimal digits in lower case"
    ),
    r"^[0-9+() \-]+$": Bilingual(
        "只用数字、空格和 + ( ) -", "only digits, blanks and the characters + ( ) -"
    ),
    "^[!-~]+$": _VISIBLE,
    "^([01][0-9]|2[0-3]):[0-5][0-9]$": Bilingual(
        "应为时分，如 09:30", "should be hours and minutes, such as 09:30"
    ),
    "^[A-Za-z0-9_-]{43}$": Bilingual(
        "应为 32 字节的 base64url（43 个字符）", "should be 32 bytes in base64url: 43 characters"
    ),
    "^[A-Za-z0-9_-]{1,64}$": Bilingual(
        "应为网页上二维码所含的登录票据", "expected the ticket in the QR code of the page"
    ),
    "^[A-Za-z0-9_-]+$": Bilingual(
        "只用字母、数字、下划线和连字符", "only letters, digits, underscores and hyphens"
    ),
    "^[A-Za-z0-9_][A-Za-z0-9_/?=&.-]{0,255}$": Bilingual(
        "应为小程序的页面路径，如 pages/index", "expected a page of the mini-program: pages/index"
    ),
    "^(thing|name|number|letter|symbol|character_string|phrase|phone_number"
    "|amount|time|date)[0-9]{1,2}$": Bilingual(
        "应为订阅消息模板的字段，如 thing1", "expected a field of a message template: thing1"
    ),
}


def wrong(zh: str, en: str) -> PydanticCustomError:
    """Return what a validator of ours raises: its message in both languages."""
    return PydanticCustomError("bilingual", "{en}", {"zh": zh, "en": en})


def in_chinese(kind: str) -> str:
    """Return the Chinese message for pydantic's ``type`` of an error."""
    return _ZH.get(kind, "不正确")


def explained(error: Mapping[str, Any]) -> Bilingual:
    """Return the message for an error: a validator's own (``wrong``), or in English pydantic's."""
    if error["type"] == "bilingual":
        return Bilingual(error["ctx"]["zh"], error["ctx"]["en"])
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] in _BY_PATTERN:
        return _BY_PATTERN[error["ctx"]["pattern"]]
    if error["type"] in _BOUNDS:
        return _bound(error["type"], error["ctx"])
    if error["type"] in _BY_KIND:
        return _BY_KIND[error["type"]]
    return Bilingual(in_chinese(error["type"]), error["msg"].removeprefix("Value error, ")[:200])


def _bound(kind: str, ctx: Mapping[str, Any]) -> Bilingual:
    """Return the message for a value beyond a limit, with the limit."""
    if ctx.get("field_type") == "Value":
        kind = _OF_TEXTS.get(kind, kind)
    name, zh, en = _BOUNDS[kind]
    if name == "min_length" and ctx[name] == 1:
        return _EMPTY
    return Bilingual(zh.format(ctx[name]), en.format(ctx[name]))


def invalid(field: str, zh: str, en: str) -> Invalid:
    """Return the refusal of one field of a request, such as ``body.rule_key``."""
    return Invalid(fields=[{"field": field, "msg": Bilingual(zh, en)}])
