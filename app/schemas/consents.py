"""Wire shapes of consents, and of the texts that are agreed to."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.language import Bilingual, Worded
from app.core.validation_messages import wrong
from app.models.consents import ConsentDocument
from app.schemas.base import Flag, In, OneLine, Out, example

HEADINGS = {
    "document": Bilingual("文本", "Text"),
    "given": Bilingual("同意", "Given"),
}


VALUES = {
    ConsentDocument: {
        ConsentDocument.privacy: ("隐私政策", "privacy policy"),
        ConsentDocument.terms: ("用户协议", "terms of use"),
        ConsentDocument.guardian: ("监护人同意书", "guardian's consent"),
    }
}


class GuardianRelation(StrEnum):
    parent = "parent"
    other = "other"  # another guardian, as the Civil Code orders them


class GuardianIn(In):
    """The guardian of who is under 14: kept encrypted, and shown to nobody but the person."""

    name: Annotated[str, OneLine(40)] = Field(description="The guardian's name.")
    relation: GuardianRelation = Field(description="What the guardian is to the child.")


class ConsentIn(
    In, json_schema_extra=example({"document": "privacy", "version": "2026-11-29", "given": True})
):
    """``given`` false: withdrawn, which closes the account in 15 days."""

    document: ConsentDocument = Field(description="The text that is agreed to.")
    version: Annotated[str, OneLine(20)] = Field(description="The version that was shown.")
    given: Flag = Field(default=True, description="False: the consent is withdrawn.")
    guardian: GuardianIn | None = Field(
        default=None, description="Who agrees; with `guardian` alone, and needed there."
    )

    @model_validator(mode="after")
    def _names_the_guardian(self) -> Self:
        needed = self.document is ConsentDocument.guardian and self.given
        if needed and self.guardian is None:
            raise wrong("请填写监护人", "the guardian has to be named")
        if not needed and self.guardian is not None:
            raise wrong("此处不需要监护人", "a guardian belongs to a guardian's consent")
        return self


class ConsentOut(Out):
    """An entry of the log."""

    id: UUID = Field(description="Id of the entry.")
    document: ConsentDocument = Field(description="The text that was agreed to.")
    version: str = Field(description="The version of the text.")
    given: bool = Field(description="False: the consent was withdrawn.")
    created_at: datetime = Field(description="When.")


class ConsentTextOut(Out):
    """A text in force, in the language of the request."""

    document: ConsentDocument = Field(description="Which text it is.")
    version: str = Field(description="To be sent with the consent.")
    title: Worded = Field(description="Its title, in the language of the request.")
    text: Worded = Field(description="The text itself, in the language of the request.")


class ConsentTextsOut(Out):
    """All texts in force."""

    items: list[ConsentTextOut] = Field(description="All texts in force.")
