"""Pictures, documents and uploads for tests."""

import struct
import zlib
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
from PIL import Image

from tests.factories.http import keyed
from tests.factories.people import TestPerson

ATTACHMENTS = "/api/v1/attachments"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\nxref\n0 1\ntrailer <<>>\nstartxref\n30\n%%EOF\n"


def make_picture(
    form: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any
) -> bytes:
    """Make a picture whose left half is red; ``options`` are Pillow's for its format."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    made = BytesIO()
    image = image.convert(mode)
    if mode == "RGBA":
        image.putalpha(128)
    image.save(made, form, **options)
    return made.getvalue()


def make_pdf(length: int) -> bytes:
    """Make a PDF of so many bytes."""
    head, end = PDF.split(b"1 0 obj", 1)
    return head + b"%" + b"x" * (length - len(PDF) - 2) + b"\n1 0 obj" + end


def make_bomb(width: int, height: int) -> bytes:
    """Make a whole PNG of one bit a pixel: some kilobytes that decode to megabytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    line = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def make_scan_bomb(scans: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """Make a progressive JPEG of so many scans: its last one, which refines, repeated."""
    made = make_picture(size=size, mode="L", progressive=True)
    body, end = made[:-2], made[-2:]
    count, last = body.count(b"\xff\xda"), body[body.rindex(b"\xff\xda") :]
    return body + last * (scans - count) + end


async def upload(
    api: httpx.AsyncClient,
    person: TestPerson,
    subject: tuple[str, UUID | str],
    content: bytes | None = None,
    *,
    name: str = "photo.jpg",
    content_type: str = "image/jpeg",
    key: str | None = None,
) -> httpx.Response:
    """Upload as ``wx.uploadFile`` does: one file in a multipart form."""
    return await api.post(
        ATTACHMENTS,
        headers=keyed(person, key),
        data={"subject_type": subject[0], "subject_id": str(subject[1])},
        files={"file": (name, make_picture() if content is None else content, content_type)},
    )


async def attach(
    api: httpx.AsyncClient,
    person: TestPerson,
    subject: tuple[str, UUID | str],
    content: bytes | None = None,
) -> dict[str, Any]:
    response = await upload(api, person, subject, content)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made
