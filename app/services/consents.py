"""Consents (PIPL 13–17, 31): given to a version of a text, withdrawn, kept as a log."""

import json
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.keys import FieldCipher
from app.core.language import Bilingual
from app.core.paging import Page, PageParams, by_id
from app.models.closures import ClosureCause
from app.models.consents import Consent, ConsentDocument
from app.queries import consents as queries
from app.schemas.consents import ConsentIn, ConsentOut, ConsentTextOut, ConsentTextsOut
from app.services import audit, closures
from app.services.closures import ClosurePending


class TextOutdated(Refusal):
    code, status, title = "consents.outdated", 409, "Another version is in force"
    zh, en = "文本已更新，请重新阅读", "The text has changed; read it again."
    fact_names = ("text_version",)


class NotGiven(Refusal):
    code, status, title = "consents.not_given", 409, "Not given"
    zh, en = "没有可撤回的同意", "There is no consent to withdraw."


@dataclass(frozen=True, slots=True)
class ConsentText:
    """A text in force, in both languages."""

    version: str
    title: Bilingual
    text: Bilingual


@cache
def texts() -> Mapping[ConsentDocument, ConsentText]:
    """Read the texts in force, ``app/data/consent-texts.toml``."""
    found = tomllib.loads((files("app") / "data" / "consent-texts.toml").read_text("utf-8"))
    return {
        document: ConsentText(
            version=found[document]["version"],
            title=Bilingual(**found[document]["title"]),
            text=Bilingual(found[document]["zh"].strip(), found[document]["en"].strip()),
        )
        for document in ConsentDocument
    }


def texts_in_force() -> ConsentTextsOut:
    return ConsentTextsOut(
        items=[
            ConsentTextOut(document=document, version=one.version, title=one.title, text=one.text)
            for document, one in texts().items()
        ]
    )


async def record(
    tx: Session,
    cipher: FieldCipher,
    person_id: UUID,
    body: ConsentIn,
    *,
    actor: UUID | None = None,
) -> ConsentOut:
    """Enter a consent, or its withdrawal, which closes the account (PIPL 47).

    ``actor``: the guardian, where that is another person.

    Raises PersonNotFound, TextOutdated, NotGiven, LastAdministrator.
    """
    if body.given and body.version != texts()[body.document].version:
        raise TextOutdated(text_version=texts()[body.document].version)
    if not body.given and not await queries.stands(tx, person_id, body.document):
        raise NotGiven
    consent = Consent(
        id=new_id(),
        person_id=person_id,
        document=body.document,
        version=body.version,
        given=body.given,
        guardian_sealed=_sealed(cipher, body),
    )
    await queries.add(tx, consent)
    verb = "given" if body.given else "withdrawn"
    facts = {"document": body.document, "version": body.version}
    subject = ("consent", consent.id)
    await audit.write_about(tx, actor or person_id, verb, subject, None, facts=facts)
    if not body.given:
        with suppress(ClosurePending):
            await closures.ask(tx, person_id, ClosureCause.consent_withdrawn)
    return ConsentOut.model_validate(consent)


async def mine(tx: Session, person_id: UUID, asked: PageParams) -> Page[ConsentOut]:
    """Return the person's log, newest first."""
    return await by_id(
        asked,
        lambda before, limit: queries.page(tx, person_id, before, limit),
        ConsentOut.model_validate,
    )


def _sealed(cipher: FieldCipher, body: ConsentIn) -> bytes | None:
    if body.guardian is None:
        return None
    return cipher.seal(json.dumps(body.guardian.model_dump(), ensure_ascii=False))
