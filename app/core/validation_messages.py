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
    "greater_than_equal": "数值太小",
    "less_than_equal": "数值太大",
    "greater_than": "数值太小",
    "less_than": "数值太大",
    "literal_error": "不在可选范围内",
    "enum": "不在可选范围内",
    "string_pattern_mismatch": "名称只用小写字母、数字和下划线",
    "string_too_short": "不能为空",
    "string_too_long": "太长",
    "too_short": "太少",
    "too_long": "太多",
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
    return Bilingual(in_chinese(error["type"]), error["msg"].removeprefix("Value error, ")[:200])


def invalid(field: str, zh: str, en: str) -> Invalid:
    """Return the refusal of one field of a request, such as ``body.rule_key``."""
    return Invalid(fields=[{"field": field, "msg": Bilingual(zh, en)}])
