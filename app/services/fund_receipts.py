"""A receipt of a fund (公益银行) as PDF on A4, in Chinese, for the giver."""

from io import BytesIO
from uuid import UUID

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from app.core.clock import local_date
from app.core.db import Session
from app.core.normalize import legible
from app.models.funds import ReceiptKind, ReceiptState
from app.schemas.fund_receipts import FORMS, Slip
from app.services import funds, orgs
from app.services.certificates import drawing
from app.services.certificates.drawing import CODE_SIZE, FONT, HEIGHT, LINE, MARGIN, WIDTH

PER_LINE = 30  # characters


async def slip(tx: Session, org_id: UUID, receipt_id: UUID) -> Slip:
    """Read a receipt to draw it. Raises OrgNotFound, ReceiptNotFound."""
    found = await funds.receipt(tx, org_id, receipt_id)
    return Slip(found, (await orgs.get(tx, org_id)).name)


def draw(one: Slip, url: str) -> bytes:
    """Draw a receipt, with a QR code of the address at which everybody can compare it."""
    drawing.register()
    packed = BytesIO()
    canvas = Canvas(packed, pagesize=A4, invariant=True)
    canvas.setTitle(one.title)
    canvas.setFont(FONT, 24)
    canvas.drawCentredString(WIDTH / 2, HEIGHT - 40 * mm, one.title)
    canvas.setFont(FONT, 13)
    y = HEIGHT - 60 * mm
    for text in _lines(one):
        canvas.drawString(MARGIN, y, text)
        y -= 1.4 * LINE
    canvas.setFont(FONT, 8)
    canvas.drawString(MARGIN, MARGIN, f"核对地址：{url}")
    drawing.qr(canvas, url, WIDTH - MARGIN - CODE_SIZE, MARGIN + LINE)
    canvas.save()
    return packed.getvalue()


def _lines(one: Slip) -> list[str]:
    receipt = one.receipt
    told = [("捐赠方" if receipt.kind is ReceiptKind.donation else "拨入方", receipt.giver)]
    told.append(("接收方", f"{one.org_name}公益银行"))
    if receipt.form is not None and receipt.value_cents is not None:
        yuan, cents = divmod(receipt.value_cents, 100)
        told.append(("形式", FORMS[receipt.form]))
        told.append(("价值", f"人民币 {yuan:,}.{cents:02} 元"))
    told += [("物品", receipt.goods)] if receipt.goods else []
    told += [("积分", f"{receipt.points:,}"), ("日期", f"{local_date(receipt.created_at)}")]
    told += [("备注", receipt.note)] if receipt.note else []
    told.append(("编号", str(receipt.id)))
    if receipt.state is ReceiptState.reversed:
        told.append(("状态", "已冲正，作废"))
    return [line for name, text in told for line in _wrapped(f"{name}：{legible(text)}")]


def _wrapped(text: str) -> list[str]:
    return [text[place : place + PER_LINE] for place in range(0, len(text), PER_LINE)]
