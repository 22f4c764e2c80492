"""Wire shapes of imports of divisions: what a file would change, before it does."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.models.orgs import Level
from app.schemas.base import OrgId, Out

Digest = Annotated[
    str,
    Field(
        pattern="^[0-9a-f]{64}$",
        max_length=64,
        description="Of the preview whose changes are to be made.",
    ),
]


class OrgFieldsOut(Out):
    name: str = Field(description="Name of the organisation.")
    level: Level = Field(description="Level of the organisation.")
    parent_code: str | None = Field(
        description="Division code of the organisation above it; null: none."
    )


class OrgDifferenceOut(Out):
    """``row``: in the file. ``before``: null: the organisation is new."""

    row: int = Field(description="Number of the row in the file.")
    code: str = Field(description="Division code.")
    before: OrgFieldsOut | None = Field(
        description="What is stored; null: the organisation is new."
    )
    after: OrgFieldsOut = Field(description="What the file says.")


class OrgImportOut(Out):
    """``changes``: new, renamed and moved organisations, in the order of the file.

    ``digest`` names exactly these changes; an import with it makes them or nothing.
    """

    digest: str = Field(description="Names exactly these changes; an import sends it back.")
    inserted: int = Field(description="Organisations that are new.")
    updated: int = Field(description="Organisations that change.")
    unchanged: int = Field(description="Organisations that stay as they are.")
    changes: list[OrgDifferenceOut] = Field(
        description="The new and changed ones, in the order of the file."
    )


class OrgImportDoneOut(OrgImportOut):
    """The changes that were made."""

    id: UUID = Field(description="Id of the import, as a job.")


class OrgImportSumOut(Out):
    """What an import changed."""

    org_id: OrgId
    inserted: int = Field(description="Organisations that were new.")
    updated: int = Field(description="Organisations that changed.")
