"""Names of rules, deductions, tiers and rewards in the language of the request.

Titles and reasons are written in Chinese, into rows that are never changed: ``主题学习：活动``. A
reader in English gets the English names in their place: those of the documents that were published,
and of the rewards. What has none, and what people have written, stays as it is.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.core.db import Session
from app.core.etag import TaggedBody, tag_of
from app.core.language import Language, request_language
from app.queries import rewards as reward_queries
from app.schemas.awards.reading import REASONS
from app.services.policies import history

_COLON, _COLON_EN = "：", ": "
# Words that the service itself writes before a name, or alone.
POSTED = {one.zh: one.en for one in REASONS.values()} | {
    "扣分": "Deduction",
    "申诉成立": "Appeal granted",
    "审核未通过": "Not approved",
    "公示异议成立": "Objection upheld",
    "积分到期": "Points expired",
    "偿还冲正欠分": "Debt of a reversal repaid",
    "兑换预留": "Reserved",
    "兑换领取": "Collected",
    "兑换退回": "Reservation returned",
    "撤销领取": "Collection undone",
    "商户消费": "Spent at a merchant",
    "商户收款待确认": "Charge to confirm",
    "商户收款未确认": "Charge not confirmed",
    "商户退款": "Refunded by a merchant",
    "捐赠": "Donation",
    "预算拨入": "Budget",
    "冲正": "Reversal",
    "账号合并": "Accounts merged",
    "积分互换": "Points exchanged",
}


@dataclass(frozen=True, slots=True)
class Book:
    """English names by Chinese ones; without any, texts stay as they are."""

    names: Mapping[str, str]

    def said(self, text: str) -> str:
        """Return a title or a reason with the names that are known in their place."""
        if not self.names:
            return text
        parts = text.split(_COLON)
        told = [self.names.get(part, part) for part in parts]
        return text if told == parts else _COLON_EN.join(told)


async def book(tx: Session, texts: Iterable[str] = (), language: Language | None = None) -> Book:
    """Return the names for a language, by default that of the request.

    ``texts``: what is going to be said, where it may name rewards.
    """
    if (language or request_language()) == "zh-CN":
        return Book({})
    names = POSTED | (await history.load(tx)).english_names
    unknown = {part for text in texts for part in text.split(_COLON)} - names.keys()
    if unknown:
        names = await reward_queries.english_names(tx, sorted(unknown)) | names
    return Book(names)


async def said(tx: Session, texts: Sequence[str]) -> list[str]:
    """Return texts in the language of the request."""
    names = await book(tx, texts)
    return [names.said(text) for text in texts]


async def in_english(tx: Session, page: TaggedBody, *fields: str) -> TaggedBody:
    """Return a rendered page of a list with fields of its items, texts or null, in English."""
    found = json.loads(page.body or b"{}")
    items = found.get("items", [])
    texts = [item[field] for item in items for field in fields if item[field]]
    names = await book(tx, texts, "en")
    for item in items:
        item.update({field: names.said(item[field]) for field in fields if item[field]})
    body = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
    return TaggedBody(tag_of(body), body)
