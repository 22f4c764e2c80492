"""Messages of WeChat (订阅消息) beside notices: one for each time that a person accepted one.

A template for a kind of notice stands in a file (``QX_WECHAT_TEMPLATES_FILE``). Whatever becomes of
a message, the notice is in the inbox.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from pydantic import TypeAdapter

from app.core.db import Session
from app.core.keys import FieldCipher
from app.core.language import Bilingual
from app.core.metrics import wechat_messages_total
from app.core.validation_messages import invalid
from app.core.wording import Template
from app.integrations.wechat.client import WechatClient
from app.integrations.wechat.refusals import WechatUnavailable
from app.models.outbox import OutboxMessage
from app.models.subscriptions import SubscriptionAnswer
from app.queries import outbox
from app.queries import people as people_queries
from app.queries import subscriptions as queries
from app.schemas.notify import kinds
from app.schemas.subscriptions import (
    SendPayload,
    SubscriptionOut,
    SubscriptionsIn,
    SubscriptionsOut,
    TemplateIn,
)

log = structlog.get_logger(__name__)
SEND = "subscriptions.send"  # topic of the outbox
# After a quarter of an hour of failures the message is given up: the notice is in the inbox.
MAX_ATTEMPTS = 10
USED_UP = 43101
# Openid, template, page or field: another attempt would fail alike.
WRONG = {40003, 40037, 41030, 47003}
# Most characters of a field, by its type; those of times and dates are as long as they are.
LIMITS = {
    "thing": 20,
    "number": 32,
    "letter": 32,
    "symbol": 5,
    "character_string": 32,
    "phrase": 5,
    "phone_number": 17,
    "amount": 10,
    "name": 20,
}
MAX_CHINESE_NAME = 10
EMPTY = "无"


class TemplatesWrong(ValueError):
    """The file of templates names an unknown kind, or a fact that its notices do not have."""


@dataclass(frozen=True)
class MessageTemplate:
    """WeChat's template for the notices of a kind, and what its fields say."""

    template_id: str
    page: str | None
    fields: Mapping[str, Template]

    def data(self, facts: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        """Return the fields, filled and cut to WeChat's limits; none is empty."""
        return {
            name: {"value": cut(name, template.filled(facts).zh)}
            for name, template in self.fields.items()
        }


Templates = Mapping[str, MessageTemplate]  # by kind of notice


def cut(field: str, text: str) -> str:
    """Cut a text to the limit of a field's type: WeChat refuses a message with a longer one."""
    kind = field.rstrip("0123456789")
    limit = LIMITS.get(kind, len(text))
    if kind == "name" and not text.isascii():
        limit = MAX_CHINESE_NAME
    text = text.strip() or EMPTY
    if len(text) <= limit:
        return text
    return text[: limit - 1] + "…" if kind == "thing" else text[:limit]


def load(file: Path | None) -> Templates:
    """Read a file of templates.

    Raises OSError, TOMLDecodeError, ValidationError, TemplatesWrong.
    """
    if file is None:
        return {}
    raw = tomllib.loads(file.read_text(encoding="utf-8"))
    given = TypeAdapter(dict[str, TemplateIn]).validate_python(raw)
    return {kind: _checked(kind, one) for kind, one in given.items()}


def _checked(kind: str, one: TemplateIn) -> MessageTemplate:
    if kind not in kinds():
        raise TemplatesWrong(f"there are no notices of kind {kind}")
    known = kinds()[kind].text.facts.items()
    fields = {name: Template(Bilingual(text, text)) for name, text in one.fields.items()}
    for name, template in fields.items():
        if wrong := template.facts.items() - known:
            raise TemplatesWrong(
                f"{kind}.{name}: notices have no {sorted(one for one, _ in wrong)}"
            )
    return MessageTemplate(one.template_id, one.page, fields)


async def mine(tx: Session, templates: Templates, person_id: UUID) -> SubscriptionsOut:
    """Return the templates that a client may ask for, with the person's credits."""
    held = await queries.of_person(tx, person_id)
    by_id: dict[str, list[str]] = {}
    for kind, one in templates.items():
        by_id.setdefault(one.template_id, []).append(kind)
    return SubscriptionsOut(
        items=[
            SubscriptionOut(
                template_id=template_id,
                titles=[kinds()[kind].title for kind in of],
                kinds=of,
                credits=held[template_id].credits if template_id in held else 0,
                answer=SubscriptionAnswer(held[template_id].answer)
                if template_id in held
                else None,
            )
            for template_id, of in by_id.items()
        ]
    )


async def answer(
    tx: Session, templates: Templates, person_id: UUID, body: SubscriptionsIn
) -> SubscriptionsOut:
    """Count what a person accepted.

    Raises Invalid for a template that is unknown or there twice.
    """
    known = {one.template_id for one in templates.values()}
    seen: set[str] = set()
    for n, one in enumerate(body.answers):
        field = f"body.answers.{n}.template_id"
        if one.template_id not in known:
            raise invalid(field, "没有这个模板", "no such template")
        if one.template_id in seen:
            raise invalid(field, "模板重复", "this template is there twice")
        seen.add(one.template_id)
    for one in sorted(body.answers, key=lambda one: one.template_id):
        await queries.answer(tx, person_id, one.template_id, one.answer)
    return await mine(tx, templates, person_id)


async def enqueue(tx: Session, templates: Templates, messages: Sequence[OutboxMessage]) -> None:
    """Write a message to be sent for each delivered notice whose person has a credit for it."""
    wanted = []
    for message in messages:
        kind = message.topic.removeprefix("notices.")
        if kind in templates:
            wanted.append((UUID(message.payload["person_id"]), kind, message.id))
    if not wanted:
        return
    into = await people_queries.kept(tx, sorted({person for person, _, _ in wanted}))
    wanted = [(into.get(person, person), kind, number) for person, kind, number in wanted]
    ids = {templates[kind].template_id for _, kind, _ in wanted}
    may = await queries.with_credits(tx, {person for person, _, _ in wanted}, ids)
    payloads = [
        SendPayload(person_id=person, kind=kind, outbox_id=number).model_dump(mode="json")
        for person, kind, number in wanted
        if (person, templates[kind].template_id) in may
    ]
    if payloads:
        await outbox.put(tx, SEND, *payloads)


async def send(
    tx: Session,
    cipher: FieldCipher,
    wechat: WechatClient,
    templates: Templates,
    message: OutboxMessage,
) -> None:
    """Send one message, and count it. Raises WeChat's refusals if another attempt may succeed.

    No row of the person is locked meanwhile. A worker that is killed between WeChat's reply and the
    commit sends it once more, if WeChat has another accept; else WeChat refuses it.
    """
    payload = SendPayload.model_validate(message.payload)
    outcome = await _send(tx, cipher, wechat, templates, payload, message.attempts)
    wechat_messages_total.labels(payload.kind, outcome).inc()


async def _send(
    tx: Session,
    cipher: FieldCipher,
    wechat: WechatClient,
    templates: Templates,
    payload: SendPayload,
    attempts: int,
) -> str:
    """Return what came of it: sent, used_up, wrong, or dropped."""
    template, person_id = templates.get(payload.kind), payload.person_id
    facts = await queries.facts_of(tx, payload.outbox_id)
    person = await people_queries.find(tx, person_id)
    if template is None or facts is None or person is None or person.erased_at is not None:
        return "dropped"
    if attempts >= MAX_ATTEMPTS:
        log.warning("subscriptions.given_up", kind=payload.kind, attempts=attempts)
        return "dropped"
    if not await queries.with_credits(tx, [person_id], [template.template_id]):
        return "dropped"
    openid = cipher.open(person.openid_sealed)
    errcode = await _errcode_of(wechat, openid, template, facts)
    if errcode in WRONG:
        log.error("subscriptions.wrong", alert=True, kind=payload.kind, errcode=errcode)
        return "wrong"
    is_used_up = errcode == USED_UP
    await queries.spend(tx, person_id, template.template_id, everything=is_used_up)
    return "used_up" if is_used_up else "sent"


async def _errcode_of(
    wechat: WechatClient, openid: str, template: MessageTemplate, facts: Mapping[str, Any]
) -> int:
    """Send a message; return 0, or WeChat's code if another attempt would be refused alike."""
    try:
        await wechat.send_message(openid, template.template_id, template.page, template.data(facts))
    except WechatUnavailable as refused:
        if refused.errcode is None or refused.errcode not in {USED_UP, *WRONG}:
            raise
        return refused.errcode
    return 0
