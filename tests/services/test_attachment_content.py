"""What is stored of an uploaded file: what it shows, and nothing that it carried along."""

import struct
import zipfile
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from app.core.errors import Refusal
from app.services.attachments import content
from app.services.attachments.content import (
    MAX_BYTES,
    MAX_EDGE,
    THUMBNAIL_EDGE,
    FileTooLarge,
    PictureUnreadable,
    TypeNotAllowed,
    prepare,
)
from tests.factories.attachments import PDF, make_bomb, make_pdf, make_picture, make_scan_bomb

SECRET = "secret-place"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def exif(orientation: int = 1) -> Image.Exif:
    """Return EXIF as a phone writes it, with the place."""
    made = Image.Exif()
    made[ExifTags.Base.Orientation] = orientation
    made[ExifTags.Base.ImageDescription] = SECRET
    made.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (32.0, 14.0, 11.0)
    return made


def opened(body: bytes | None) -> Image.Image:
    assert body is not None
    image = Image.open(BytesIO(body))
    image.load()
    return image


def carried(body: bytes | None) -> set[str]:
    """Return what a picture carries beside its pixels."""
    image = opened(body)
    known = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "loop", "background"}
    found = {str(name) for name in image.info} - known - {"timestamp", "duration"}
    assert body is not None
    return (
        found
        | ({"exif"} if image.getexif() else set())
        | ({SECRET} if SECRET.encode() in body else set())
    )


def text_chunks() -> PngImagePlugin.PngInfo:
    made = PngImagePlugin.PngInfo()
    made.add_text("Comment", SECRET)
    made.add_itxt("XML:com.adobe.xmp", f"<x>{SECRET}</x>")
    return made


LADEN: dict[str, dict[str, Any]] = {
    "JPEG": {"comment": SECRET, "xmp": f"<x>{SECRET}</x>".encode(), "dpi": (72, 72)},
    "PNG": {"pnginfo": text_chunks()},
    "WEBP": {"xmp": f"<x>{SECRET}</x>".encode()},
}


@pytest.mark.parametrize("form", LADEN)
def test_places_cameras_comments_and_profiles_are_gone(form: str) -> None:
    laden = make_picture(form, exif=exif(), icc_profile=PROFILE, **LADEN[form])
    assert {"exif", "icc_profile", SECRET} <= carried(laden), "the picture has them at first"
    assert opened(laden).getexif().get_ifd(ExifTags.IFD.GPSInfo)

    stored = prepare(laden)

    assert carried(stored.body) == carried(stored.thumbnail) == set()


@pytest.mark.parametrize("form", LADEN)
def test_a_picture_is_turned_before_its_orientation_is_forgotten(form: str) -> None:
    quarter = make_picture(form, size=(64, 48), exif=exif(orientation=6))

    stored = prepare(quarter)

    assert (stored.width, stored.height) == opened(stored.body).size == (48, 64)
    top, bottom = [opened(stored.body).convert("RGB").getpixel((24, y)) for y in (5, 59)]
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert (top[0] > 200, top[2] < 60) == (True, True), "what was left is on top"
    assert (bottom[2] > 200, bottom[0] < 60) == (True, True)


@pytest.mark.parametrize(
    ("form", "mode", "content_type", "stored_mode"),
    [
        ("JPEG", "RGB", "image/jpeg", "RGB"),
        ("JPEG", "L", "image/jpeg", "L"),
        ("JPEG", "CMYK", "image/jpeg", "RGB"),
        ("PNG", "RGBA", "image/png", "RGBA"),
        ("PNG", "P", "image/png", "RGB"),
        ("PNG", "1", "image/png", "L"),
        ("PNG", "I;16", "image/png", "L"),
        ("GIF", "P", "image/png", "RGB"),
        ("WEBP", "RGBA", "image/webp", "RGBA"),
    ],
)
def test_every_kind_of_picture_is_read(
    form: str, mode: str, content_type: str, stored_mode: str
) -> None:
    stored = prepare(make_picture(form, mode=mode))
    assert stored.content_type == content_type
    image = opened(stored.body)
    assert (image.mode, image.size) == (stored_mode, (64, 48))


def test_sixteen_bits_of_grey_stay_grey() -> None:
    made = BytesIO()
    Image.new("I;16", (8, 8), 0x8000).save(made, "PNG")
    assert opened(prepare(made.getvalue()).body).getpixel((4, 4)) == 0x80


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_kept(form: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "lime")]
    made = BytesIO()
    frames[0].save(made, form, save_all=True, append_images=frames[1:], duration=100)
    assert getattr(opened(made.getvalue()), "n_frames", 1) == 3

    stored = opened(prepare(made.getvalue()).body)

    assert getattr(stored, "n_frames", 1) == 1
    pixel = stored.convert("RGB").getpixel((8, 8))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200


def test_a_large_picture_is_made_smaller_and_has_a_thumbnail() -> None:
    stored = prepare(make_picture(size=(4000, 1000)))
    assert (stored.width, stored.height) == opened(stored.body).size == (MAX_EDGE, MAX_EDGE // 4)
    assert opened(stored.thumbnail).size == (THUMBNAIL_EDGE, THUMBNAIL_EDGE // 4)


def test_a_small_picture_stays_as_small() -> None:
    stored = prepare(make_picture(size=(30, 20)))
    assert (stored.width, stored.height) == opened(stored.thumbnail).size == (30, 20)


def archive() -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("run.html", "<script>alert(1)</script>")
    return made.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_what_was_appended_to_a_picture_is_gone(form: str) -> None:
    polyglot = make_picture(form) + archive()
    assert zipfile.is_zipfile(BytesIO(polyglot))

    stored = prepare(polyglot)

    assert not zipfile.is_zipfile(BytesIO(stored.body))
    assert b"run.html" not in stored.body


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"no picture",
        b"<html><script>alert(1)</script></html>",
        SVG,
        archive(),
        b"MZ" + bytes(200),
        b"BM" + bytes(200),
        b"II*\0" + bytes(200),
        b"%PDF-1.7\nwithout an end",
        b"\n" + PDF,
        PDF + archive(),
        PDF + b"<script>",
        b"GIF89b" + bytes(100),
        b"RIFF\0\0\0\0WAVE" + bytes(100),
    ],
    ids=lambda value: repr(value[:8]),
)
def test_what_is_neither_picture_nor_pdf_is_refused(other: bytes) -> None:
    with pytest.raises(TypeNotAllowed):
        prepare(other)


def test_a_pdf_is_stored_as_it_came() -> None:
    stored = prepare(PDF + b"\r\n\0")
    assert stored.body == PDF + b"\r\n\0"
    assert (stored.kind, stored.thumbnail) == ("document", None)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_damaged_picture_is_refused(form: str) -> None:
    whole = make_picture(form, size=(300, 300))
    for damaged in (whole[: len(whole) // 2], whole[:20], whole[:16] + bytes(64)):
        with pytest.raises(PictureUnreadable):
            prepare(damaged)


@pytest.mark.parametrize(("width", "height"), [(4500, 4500), (50_000, 50_000), (2**31 - 1, 1)])
def test_a_picture_of_too_many_pixels_is_never_decoded(width: int, height: int) -> None:
    bomb = make_bomb(width, min(height, 4500))
    bomb = bomb[:20] + struct.pack(">I", height) + bomb[24:]  # what the head claims
    bomb = bomb[:29] + struct.pack(">I", zlib.crc32(bomb[12:29])) + bomb[33:]
    assert_too_large(bomb, content.MAX_PIXELS["PNG"], "pixels")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_no_side_is_longer_than_anything_shows(form: str) -> None:
    """A WebP has 16,383 pixels on a side at most."""
    longer = 16_383 if form == "WEBP" else 20_000
    for size in ((longer, 50), (10, longer)):
        assert_too_large(make_picture(form, size), content.MAX_SIDE, "side_pixels")
    assert prepare(make_picture(form, (content.MAX_SIDE, 50))).width == MAX_EDGE


def test_as_many_pixels_as_may_be() -> None:
    stored = prepare(make_bomb(5000, 4000))
    assert (stored.width, stored.height) == (2560, 2048)


def test_a_camera_may_have_more_pixels_than_a_drawing() -> None:
    camera = make_picture("JPEG", size=(8000, 6000))
    assert prepare(camera).width == MAX_EDGE
    for form, size in (("PNG", (8000, 6000)), ("WEBP", (4000, 3001)), ("JPEG", (8000, 6300))):
        larger = make_picture(form, size=size)
        assert_too_large(larger, content.MAX_PIXELS[form], "pixels")


def test_a_jpeg_in_several_scans_has_fewer_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else 7,000 by 7,000 pixels take 330 MB; in one scan, 110 MB."""
    assert prepare(make_picture(size=(5000, 4000), progressive=True)).width == MAX_EDGE
    monkeypatch.setattr(content, "_plain", decode)
    large = make_picture(size=(5000, 4001))
    colours = large.index(b"\xff\xda") + 4
    first_alone = large[:colours] + b"\x01" + large[colours + 1 :]
    for held in (make_picture(size=(5000, 4001), progressive=True), first_alone):
        assert_too_large(held, content.MAX_PROGRESSIVE_PIXELS, "pixels")


@pytest.mark.parametrize("scans", [content.MAX_JPEG_SCANS + 1, 65_000])
def test_a_picture_of_too_many_scans_is_never_decoded(
    scans: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_plain", decode)
    assert_too_large(make_scan_bomb(scans), content.MAX_JPEG_SCANS, "scans")


def test_fill_bytes_and_restarts_do_not_hide_scans() -> None:
    """Libjpeg skips fill bytes, restart markers and stuffed bytes on its way to a marker."""
    head, *scans = make_scan_bomb(content.MAX_JPEG_SCANS + 1).split(b"\xff\xda")
    hidden = b"\xff\x00\xff\xd3\xff\x01\xff\xff\xda".join(scans)
    assert_too_large(head + b"\xff\xda" + hidden, content.MAX_JPEG_SCANS, "scans")


def test_as_many_scans_as_may_be() -> None:
    assert prepare(make_scan_bomb(content.MAX_JPEG_SCANS)).width == 64


def test_scans_of_a_thumbnail_or_of_a_film_that_follows_do_not_count() -> None:
    """Motion photos append MP4, in which the bytes of a scan's marker stand by chance."""
    many = b"\xff\xda" * 100
    picture = make_picture(progressive=True, comment=many) + many
    assert prepare(picture).width == 64


def test_a_file_has_five_megabytes_at_most() -> None:
    assert prepare(make_pdf(MAX_BYTES)).content_type == "application/pdf"
    assert_too_large(make_pdf(MAX_BYTES + 1), MAX_BYTES, "bytes")


def decode(_: Image.Image) -> Image.Image:
    """Stands for decoding, where nothing should be decoded."""
    raise PictureUnreadable


def assert_too_large(uploaded: bytes, limit: int, measure: str) -> None:
    with pytest.raises(Refusal) as refused:
        prepare(uploaded)
    assert refused.value.code == FileTooLarge.code
    assert refused.value.facts == {"limit": limit, "measure": measure}
