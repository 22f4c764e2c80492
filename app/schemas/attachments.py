"""Wire shapes of attachments."""

from typing import Literal, Self, cast
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from app.core.validation_messages import wrong
from app.models.attachments import Attachment, AttachmentKind, AttachmentState
from app.schemas.audit import SubjectOut
from app.schemas.base import CreatedAt, Out
from app.schemas.notify import words

ContentType = Literal["image/jpeg", "image/png", "image/webp", "application/pdf"]

NOTICES = {
    "attachment_blocked": words(
        ("图片未通过检测", "Picture blocked"),
        "您上传的图片未通过微信内容安全检测，已删除。",
        "A picture that you uploaded did not pass WeChat's content check, and was deleted.",
    )
}
VALUES = {
    AttachmentState: {
        AttachmentState.checking: ("检测中", "checking"),
        AttachmentState.ready: ("正常", "ready"),
        AttachmentState.blocked: ("已屏蔽", "blocked"),
    }
}
PATH = "/api/v1/attachments"


class AttachmentOut(Out):
    """A picture or document. Its bytes are at ``url``, whose content never changes."""

    id: UUID = Field(description="Id of the attachment.")
    subject: SubjectOut = Field(description="What it belongs to.")
    kind: AttachmentKind = Field(description="`document`: a PDF.")
    content_type: ContentType = Field(description="Of the stored file, found by its content.")
    bytes: int = Field(ge=1, description="Size of the stored file.")
    width: int | None = Field(description="Pixels, of a picture.")
    height: int | None = Field(description="Pixels, of a picture.")
    state: AttachmentState = Field(
        description="`checking`: until WeChat has checked the picture, only its uploader and who"
        " manages the subject may see it. `blocked`: nobody may; its bytes are deleted."
    )
    url: str = Field(description="Path of the file.")
    thumbnail_url: str | None = Field(
        description="Path of a smaller picture, at most 480 pixels wide and high; null of a PDF."
    )
    created_at: CreatedAt

    @classmethod
    def of(cls, attachment: Attachment) -> "AttachmentOut":
        url = f"{PATH}/{attachment.id}"
        is_picture = attachment.kind == AttachmentKind.picture
        return cls(
            id=attachment.id,
            subject=SubjectOut(type=attachment.subject_type, id=attachment.subject_id),
            kind=AttachmentKind(attachment.kind),
            content_type=cast("ContentType", attachment.content_type),
            bytes=attachment.size,
            width=attachment.width,
            height=attachment.height,
            state=AttachmentState(attachment.state),
            url=f"{url}/file",
            thumbnail_url=f"{url}/thumbnail" if is_picture else None,
            created_at=attachment.created_at,
        )


class MediaCheckResult(BaseModel):
    suggest: Literal["pass", "review", "risky"]


class MediaCheckEvent(BaseModel):
    """WeChat's answer to ``media_check_async``, version 2. It may have more fields."""

    trace_id: str = Field(max_length=100, pattern="^[!-~]+$")
    errcode: int = 0
    result: MediaCheckResult | None = None

    @model_validator(mode="after")
    def _has_result(self) -> Self:
        if not self.errcode and self.result is None:
            raise wrong("成功的检测须有结果", "a check that did not fail has a result")
        return self
