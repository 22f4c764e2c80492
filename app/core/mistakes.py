"""What is wrong with a value, in both languages: a committee and an organizer read it."""

# Pydantic's kinds of mistakes that people meet in what they write themselves.
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
    "literal_error": "不在可选范围内",
    "string_pattern_mismatch": "名称只用小写字母、数字和下划线",
    "string_too_short": "不能为空",
    "string_too_long": "太长",
    "too_short": "太少",
    "too_long": "太多",
    "value_error": "内容不一致",
    "int_parsing": "应为整数",
    "uuid_parsing": "不是有效的编号",
}


def in_chinese(kind: str) -> str:
    """Return Chinese words for pydantic's ``type`` of an error."""
    return _ZH.get(kind, "不正确")


def told(zh: str, en: str) -> str:
    return f"{zh} / {en}"
