"""Wire shapes of printed posters."""

from uuid import UUID

from pydantic import Field

from app.schemas.base import Out


class PosterOut(Out):
    """A poster of a checkpoint. It is valid until the next issue is made."""

    quest_id: UUID = Field(description="Id of the quest.")
    number: int = Field(description="Number of the checkpoint in its quest, from 1.")
    issue: int = Field(description="Which poster it is, from 1; earlier ones are refused.")
    code: str = Field(description="What its QR code holds: 32 characters of base64url.")
    url: str = Field(description="The code as URL, which any scanner opens.")
    svg_url: str = Field(description="Path of the QR picture, as SVG.")
    wxacode_url: str = Field(description="Path of the mini-program code, made by WeChat.")
