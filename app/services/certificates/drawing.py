"""A certificate as PDF on A4, in Chinese.

The font is one of Adobe's for Chinese that readers bring along (STSong-Light): no font is stored or
loaded, and a page has some kilobytes.
"""

from functools import cache
from io import BytesIO

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from app.core.clock import local_date
from app.core.normalize import legible
from app.services.certificates.issuing import Sheet

FONT, MARGIN, LINE = "STSong-Light", 25 * mm, 7 * mm
WIDTH, HEIGHT = A4
CODE_SIZE = 32 * mm
MAX_TITLE = 36  # characters of a line


def draw(sheet: Sheet, check_url: str) -> bytes:
    """Draw a certificate; its code is in ``check_url``, as a QR code too."""
    register()
    packed = BytesIO()
    canvas = Canvas(packed, pagesize=A4, invariant=True)
    canvas.setTitle(title_of(sheet))
    y = _head(canvas, sheet)
    for line in sheet.lines:
        if y < MARGIN + LINE:
            canvas.showPage()
            y = HEIGHT - MARGIN
        length = f"{line.minutes} 分钟" if sheet.certificate.sessions is None else ""
        y = _line(canvas, y, local_date(line.at).isoformat(), line.title, length)
    if y < MARGIN + CODE_SIZE + 2 * LINE:
        canvas.showPage()
    _foot(canvas, sheet, check_url)
    canvas.save()
    return packed.getvalue()


def title_of(sheet: Sheet) -> str:
    """Return what the certificate is called."""
    return "志愿服务证明" if sheet.certificate.sessions is None else "结业证明"


@cache
def register() -> None:
    """Tell the library of the font, once."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))


def _head(canvas: Canvas, sheet: Sheet) -> float:
    """Draw title and text; return where the lines begin."""
    certificate = sheet.certificate
    canvas.setFont(FONT, 24)
    canvas.drawCentredString(WIDTH / 2, HEIGHT - 40 * mm, title_of(sheet))
    hours, minutes = divmod(certificate.minutes, 60)
    days = f"{certificate.since} 至 {certificate.until}"
    texts = [
        f"姓名：{legible(certificate.name)}",
        f"服务时间：{days}",
        f"志愿服务时长：{hours} 小时 {minutes} 分钟",
        "以上时长由青享平台根据签到及审核记录生成，明细如下：",
    ]
    if certificate.sessions is not None:
        texts[1:] = [
            f"系列活动：{legible(certificate.title or '')[:MAX_TITLE]}",
            f"参加场次：{certificate.sessions} 场，{days}",
            "以上场次由青享平台根据签到记录生成，明细如下：",
        ]
    canvas.setFont(FONT, 13)
    y = HEIGHT - 60 * mm
    for text in texts:
        canvas.drawString(MARGIN, y, text)
        y -= 1.4 * LINE
    return y


def _line(canvas: Canvas, y: float, day: str, title: str, minutes: str) -> float:
    canvas.setFont(FONT, 11)
    canvas.drawString(MARGIN, y, day)
    canvas.drawString(MARGIN + 28 * mm, y, legible(title)[:MAX_TITLE])
    canvas.drawRightString(WIDTH - MARGIN, y, minutes)
    return y - LINE


def _foot(canvas: Canvas, sheet: Sheet, check_url: str) -> None:
    """Draw the code at the bottom of the last page."""
    code = sheet.certificate.code
    parts = "-".join(code[place : place + 4] for place in range(0, len(code), 4))
    canvas.setFont(FONT, 11)
    canvas.drawString(MARGIN, MARGIN + 2 * LINE, f"验证码：{parts}")
    canvas.drawString(
        MARGIN, MARGIN + LINE, f"出具日期：{local_date(sheet.certificate.created_at)}"
    )
    canvas.setFont(FONT, 8)
    canvas.drawString(MARGIN, MARGIN, f"验证地址：{check_url}")
    qr(canvas, check_url, WIDTH - MARGIN - CODE_SIZE, MARGIN + LINE)


def qr(canvas: Canvas, text: str, left: float, bottom: float) -> None:
    """Draw a QR code of a text, 32 mm wide."""
    rows = list(segno.make(text, error="m").matrix)
    size = CODE_SIZE / len(rows)
    for row, modules in enumerate(reversed(rows)):
        for column, is_dark in enumerate(modules):
            if is_dark:
                canvas.rect(left + column * size, bottom + row * size, size, size, stroke=0, fill=1)
