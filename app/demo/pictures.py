"""Pictures of the demonstration data: drawn here, attached as an uploaded picture is.

A picture is a few shapes on a ground that grows darker, so no licence and no font is needed.
"""

from functools import cache
from io import BytesIO
from typing import NamedTuple
from uuid import UUID

from PIL import Image, ImageDraw

from app.core.db import Session
from app.demo.means import Means
from app.services.attachments import content, storing
from app.services.attachments.content import Content
from app.services.attachments.subjects import SubjectRef

WIDTH, HEIGHT = 480, 270
GROUNDS = 3  # colours of one motif
COLOURS = ("#2f7d5b", "#2a6f97", "#b5651d", "#8e4a6b", "#5a6b2f", "#3d5a80", "#a23e48")
PALE, LIGHT = "#f6f1e3", "#ffd166"
Box = tuple[int, int, int, int]


class Shape(NamedTuple):
    """``kind``: ``ellipse`` or ``rectangle``. ``box``: left, top, right, bottom in pixels."""

    kind: str
    box: Box
    colour: str = PALE


MOTIFS = {
    "river": (
        Shape("ellipse", (360, 30, 430, 100), LIGHT),
        Shape("ellipse", (-120, 170, 320, 420)),
        Shape("ellipse", (180, 200, 620, 450)),
    ),
    "book": (
        Shape("rectangle", (120, 80, 236, 200)),
        Shape("rectangle", (244, 80, 360, 200)),
        Shape("rectangle", (140, 110, 216, 116), LIGHT),
        Shape("rectangle", (264, 110, 340, 116), LIGHT),
    ),
    "people": (
        Shape("ellipse", (130, 70, 200, 140)),
        Shape("ellipse", (110, 150, 220, 330)),
        Shape("ellipse", (280, 70, 350, 140), LIGHT),
        Shape("ellipse", (260, 150, 370, 330), LIGHT),
    ),
    "cup": (
        Shape("ellipse", (270, 110, 350, 190), LIGHT),
        Shape("rectangle", (160, 90, 310, 210)),
        Shape("rectangle", (140, 220, 330, 232)),
    ),
    "box": (
        Shape("rectangle", (150, 90, 330, 220)),
        Shape("rectangle", (230, 90, 250, 220), LIGHT),
        Shape("rectangle", (150, 120, 330, 138), LIGHT),
    ),
    "ticket": (
        Shape("rectangle", (100, 90, 380, 190)),
        Shape("rectangle", (290, 90, 296, 190), LIGHT),
        Shape("ellipse", (150, 110, 210, 170), LIGHT),
    ),
    "house": (
        Shape("rectangle", (150, 110, 330, 230)),
        Shape("rectangle", (130, 90, 350, 116), LIGHT),
        Shape("rectangle", (220, 160, 260, 230), LIGHT),
    ),
}


@cache
def drawn(motif: str, number: int) -> Content:
    """Return a motif on one of its colours, checked and encoded as an upload is."""
    ground = Image.new(
        "RGB", (WIDTH, HEIGHT), COLOURS[(number + list(MOTIFS).index(motif)) % len(COLOURS)]
    )
    pen = ImageDraw.Draw(ground, "RGBA")
    for line in range(HEIGHT):
        pen.line((0, line, WIDTH, line), fill=(0, 0, 0, line * 90 // HEIGHT))
    for kind, box, colour in MOTIFS[motif]:
        draw = pen.ellipse if kind == "ellipse" else pen.rectangle
        draw(box, fill=colour)
    file = BytesIO()
    ground.save(file, "JPEG")
    return content.prepare(file.getvalue())


async def attach(
    tx: Session, means: Means, caller: UUID, subject: SubjectRef, motif: str, number: int = 0
) -> UUID:
    """Attach a picture to a subject; return the id of the attachment.

    WeChat is not asked about it: it is ours.
    """
    upload = await storing.put(
        means.store, subject, drawn(motif, number % GROUNDS), is_checked=False
    )
    return (await storing.attach(tx, caller, upload)).id
