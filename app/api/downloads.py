"""Responses that send a generated file or picture."""

import asyncio
import io
import os
from typing import IO, ClassVar, Self
from urllib.parse import quote

import segno
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECE = 64 * 1024
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Download(Response):
    """Sends an open file in chunks with a Content-Length; always closes it.

    Replies are ``no-store``: each file is made for one caller.
    """

    suffix: ClassVar[str]  # phones choose the application by the suffix
    disposition: ClassVar[str] = "attachment"
    content_policy: ClassVar[str | None] = None

    def __init__(self, file: IO[bytes], name: str, ascii_name: str, status_code: int = 200) -> None:
        """``name``, ``ascii_name``: without suffix; the second is for clients without RFC 5987.

        ``status_code`` has a default because FastAPI reads it for the OpenAPI document.
        """
        encoded = quote(name + self.suffix, safe="")
        names = f"filename=\"{ascii_name}{self.suffix}\"; filename*=UTF-8''{encoded}"
        headers = {
            "Content-Length": str(file.seek(0, os.SEEK_END)),
            "Content-Disposition": f"{self.disposition}; {names}",
            "Cache-Control": "no-store",
        }
        if self.content_policy is not None:
            headers["Content-Security-Policy"] = self.content_policy
        file.seek(0)
        self._file = file
        self.status_code, self.background = status_code, None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        with self._file as file:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            while piece := await asyncio.to_thread(file.read, PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class QrPicture(Response):
    """A QR code of a text, as SVG."""

    media_type = "image/svg+xml"

    @classmethod
    def of(cls, text: str) -> Self:
        picture = io.BytesIO()
        segno.make(text, error="m", micro=False).save(picture, kind="svg", scale=10, light="white")
        return cls(picture.getvalue())


class Wxacode(Response):
    """A mini-program code as WeChat drew it: PNG or JPEG."""

    media_type = "image/png"

    @classmethod
    def of(cls, picture: bytes) -> Self:
        is_png = picture.startswith(b"\x89PNG")
        return cls(picture, media_type="image/png" if is_png else "image/jpeg")


class Workbook(Download):
    media_type, suffix = WORKBOOK, ".xlsx"


class Csv(Download):
    media_type, suffix = "text/csv", ".csv"


class PrintedPage(Download):
    """A page for printing on A4: a single file without scripts and links."""

    media_type, suffix, disposition = "text/html", ".html", "inline"
    content_policy = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
