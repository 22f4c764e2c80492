"""Wire shapes of imports of divisions: what a file would change, before it does."""

from typing import Annotated

from pydantic import Field

from app.models.orgs import Level
from app.schemas.base import Out

Digest = Annotated[
    str,
    Field(
        pattern="^[0-9a-f]{64}$",
        max_length=64,
        description="Of the preview whose changes are to be made.",
    ),
]


class OrgFieldsOut(Out):
    name: str
    level: Level
    parent_code: str | None


class OrgDifferenceOut(Out):
    """``row``: in the file. ``before``: null: the organisation is new."""

    row: int
    code: str
    before: OrgFieldsOut | None
    after: OrgFieldsOut


class OrgImportOut(Out):
    """``changes``: new, renamed and moved organisations, in the order of the file.

    ``digest`` names exactly these changes; an import with it makes them or nothing.
    """

    digest: str
    inserted: int
    updated: int
    unchanged: int
    changes: list[OrgDifferenceOut]
