"""Wire shapes of printed posters of activities."""

from pydantic import Field

from app.schemas.base import ActivityId, Out


class ActivityPosterOut(Out):
    """A poster of an activity. It is valid until the next issue is made."""

    activity_id: ActivityId
    issue: int = Field(description="Which poster it is, from 1; earlier ones are refused.")
    code: str = Field(description="What its QR code holds: 32 characters of base64url.")
    url: str = Field(description="The code as URL, which any scanner opens.")
    svg_url: str = Field(description="Path of the QR picture, as SVG.")
    wxacode_url: str = Field(description="Path of the mini-program code, made by WeChat.")
