"""What an uploaded file is, by its content, and what is stored of it.

A picture is decoded and encoded anew: EXIF (places, cameras), colour profiles, comments and
whatever was appended are lost with that. Only the first frame is kept, which is the one that
WeChat checks. A PDF is stored as it came and never rendered here.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO

from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from app.core.errors import Refusal
from app.models.attachments import AttachmentKind

MAX_BYTES = 5 * 1024 * 1024
# So that decoding one picture takes about 240 MB at most. A phone's camera has 12 to 50 megapixels,
# and writes JPEG in one scan, which is decoded at a fraction of its size. PNG and GIF are decoded
# whole, WebP with copies of up to 18 bytes a pixel.
MAX_PIXELS = {"JPEG": 50_000_000, "PNG": 20_000_000, "GIF": 20_000_000, "WEBP": 12_000_000}
# Of each side. Cameras write up to 12,000, panoramas of phones up to 16,000; what is longer shows
# nothing once it is shrunk to MAX_EDGE.
MAX_SIDE = 16_000
# Of a JPEG in several scans libjpeg holds all coefficients: 2 bytes for each colour of a pixel.
MAX_PROGRESSIVE_PIXELS = 20_000_000
# Each scan of a JPEG is a pass over all its pixels. Cameras and libjpeg write up to 12; 5 MB have
# room for 65,000 empty ones.
MAX_JPEG_SCANS = 64
# A marker (ITU-T T.81, B.1.1) that a length follows, or the end: no stuffed byte, TEM or restart.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")
_JPEG_END, _JPEG_SCAN = b"\xd9", b"\xda"
# Pixels of the longer edge. 2,560 is an A4 page at 220 dpi.
MAX_EDGE, THUMBNAIL_EDGE = 2560, 480
QUALITY = 88
PDF = "application/pdf"
# The head, and the end with nothing but blanks after it. This refuses most polyglots, not all: a
# PDF may hold anything in front of its last startxref, so it is served as a download.
_PDF_HEAD = re.compile(rb"%PDF-[12]\.\d")
_PDF_END = re.compile(rb"startxref\s+\d+\s+%%EOF[\s\0]*\Z")
_PDF_END_BYTES = 1024
_HEADS = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "WEBP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
# By the format of the upload: what it is stored as.
_STORED = {
    "JPEG": ("JPEG", "image/jpeg"),
    "PNG": ("PNG", "image/png"),
    "GIF": ("PNG", "image/png"),
    "WEBP": ("WEBP", "image/webp"),
}
CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp", PDF)
SUFFIXES = dict(zip(CONTENT_TYPES, (".jpg", ".png", ".webp", ".pdf"), strict=True))
# A second lock: Pillow itself raises an error above twice as many.
Image.MAX_IMAGE_PIXELS = max(MAX_PIXELS.values())


class FileTooLarge(Refusal):
    """Facts: ``limit``, and ``measure``.

    That is ``bytes``, ``pixels``, ``side_pixels`` (width or height) or ``scans`` (of a JPEG).
    """

    code, status, title = "attachments.too_large", 413, "File too large"
    zh, en = "文件过大，请压缩后上传", "The file is too large; upload a smaller one."
    fact_names = ("limit", "measure")


class TypeNotAllowed(Refusal):
    code, status, title = "attachments.type_not_allowed", 415, "File type not allowed"
    zh, en = (
        "只支持 JPEG、PNG、WebP、GIF 图片和 PDF",
        "Only JPEG, PNG, WebP and GIF pictures and PDF are taken.",
    )


class PictureUnreadable(Refusal):
    code, status, title = "attachments.picture_unreadable", 422, "Picture unreadable"
    zh, en = "图片已损坏或无法读取", "The picture is damaged or cannot be read."


@dataclass(frozen=True, slots=True)
class Content:
    """What is stored. ``thumbnail``, ``width`` and ``height`` are those of a picture."""

    kind: AttachmentKind
    content_type: str
    body: bytes
    sha256: str
    thumbnail: bytes | None = None
    width: int | None = None
    height: int | None = None


def prepare(uploaded: bytes) -> Content:
    """Return what to store of a file. Slow: up to some seconds of one processor.

    Raises FileTooLarge, TypeNotAllowed, PictureUnreadable.
    """
    require_at_most(MAX_BYTES, len(uploaded), "bytes")
    if _PDF_HEAD.match(uploaded) and _PDF_END.search(uploaded[-_PDF_END_BYTES:]):
        return Content(AttachmentKind.document, PDF, uploaded, sha256(uploaded).hexdigest())
    for name, head in _HEADS.items():
        if head.match(uploaded):
            return _picture(uploaded, name)
    raise TypeNotAllowed


def require_at_most(limit: int, found: int, measure: str) -> None:
    """Raise FileTooLarge, whose facts say how many of what are allowed."""
    if found > limit:
        raise FileTooLarge(limit=limit, measure=measure)


def _picture(uploaded: bytes, name: str) -> Content:
    try:
        with Image.open(BytesIO(uploaded), formats=[name]) as image:
            require_at_most(MAX_SIDE, max(image.size), "side_pixels")
            require_at_most(MAX_PIXELS[name], image.width * image.height, "pixels")
            if isinstance(image, JpegImageFile):
                _require_few_scans(image, _scans(uploaded))
            plain = _plain(image)
        stored, content_type = _STORED[name]
        body = _encoded(plain, stored)
        width, height = plain.size
        plain.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE))
        thumbnail = _encoded(plain, stored)
    except FileTooLarge:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FileTooLarge(limit=MAX_PIXELS[name], measure="pixels") from None
    except Exception:  # noqa: BLE001 - Pillow raises anything at all for a hostile file
        raise PictureUnreadable from None
    digest = sha256(body).hexdigest()
    return Content(AttachmentKind.picture, content_type, body, digest, thumbnail, width, height)


def _require_few_scans(image: JpegImageFile, scans: list[int]) -> None:
    """Raise FileTooLarge for too many scans, or for too many pixels in more than one scan.

    libjpeg decodes line by line if the first scan has all colours and is not progressive.
    """
    require_at_most(MAX_JPEG_SCANS, len(scans), "scans")
    if "progressive" in image.info or scans[:1] != [image.layers]:
        require_at_most(MAX_PROGRESSIVE_PIXELS, image.width * image.height, "pixels")


def _scans(jpeg: bytes) -> list[int]:
    """Return the number of colours in each scan, of MAX_JPEG_SCANS + 1 scans at most.

    Follows the markers as libjpeg does: what segments contain, such as a thumbnail, and what
    is appended, such as a film, do not count.
    """
    scans, at = list[int](), 0
    while len(scans) <= MAX_JPEG_SCANS and (found := _JPEG_MARKER.search(jpeg, at)):
        marker, at = found[1], found.end()
        if marker == _JPEG_END:
            break
        if marker == _JPEG_SCAN:
            scans += jpeg[at + 2 : at + 3]  # after two bytes of length
        at += max(2, int.from_bytes(jpeg[at : at + 2], "big"))
    return scans


def _plain(image: Image.Image) -> Image.Image:
    """Decode the first frame, upright and at most MAX_EDGE long, without anything beside it."""
    if image.mode.startswith("I;16"):  # convert would make every value above 255 white
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in {"1", "L"} else "RGB"
    if image.mode in {"1", "P"}:  # which cannot be scaled smoothly
        image = image.convert(mode)
    image.thumbnail((MAX_EDGE, MAX_EDGE), reducing_gap=1.0)  # decodes a JPEG no larger than needed
    plain = image.convert(mode)
    ImageOps.exif_transpose(plain, in_place=True)
    plain.info = {}  # encoders write comments and profiles that they find here
    return plain


def _encoded(image: Image.Image, name: str) -> bytes:
    out = BytesIO()
    image.save(out, name, quality=QUALITY)  # which PNG ignores
    return out.getvalue()
