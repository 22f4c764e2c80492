"""Renders templates in the language of the request, with the headers of every page."""

import io
from datetime import datetime
from typing import Any

import segno
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from app.core.clock import SHANGHAI, local_date, now
from app.core.language import Bilingual, request_language
from app.web import assets

# No inline script, no inline style, no frames; pictures may stand in the page as data.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), screen-wake-lock=(self), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Cookie",
}
WEEKDAYS = Bilingual("一二三四五六日", "Mon Tue Wed Thu Fri Sat Sun")


def said(zh: str, en: str) -> str:
    """Return one of two sentences, by the language of the request."""
    return Bilingual(zh, en).said()


def day(value: datetime) -> str:
    """Return the day of a time in Asia/Shanghai: ``11月30日 周一``, with the year if another."""
    at, today = value.astimezone(SHANGHAI), local_date(now())
    if request_language() == "en":
        name = WEEKDAYS.en.split()[at.weekday()]
        return f"{name} {at.day} {at:%b}" + (f" {at.year}" if at.year != today.year else "")
    year = f"{at.year}年" if at.year != today.year else ""
    return f"{year}{at.month}月{at.day}日 周{WEEKDAYS.zh[at.weekday()]}"


def time(value: datetime) -> str:
    """Return the time of day in Asia/Shanghai: ``19:30``."""
    return f"{value.astimezone(SHANGHAI):%H:%M}"


def span(start: datetime, end: datetime) -> str:
    """Return a start and an end; the day of the end only if it is another."""
    is_same_day = start.astimezone(SHANGHAI).date() == end.astimezone(SHANGHAI).date()
    last = time(end) if is_same_day else f"{day(end)} {time(end)}"
    return f"{day(start)} {time(start)}–{last}"


def qr(text: str) -> Markup:
    """Return an SVG of a QR code. It scales with its container and has no inline style."""
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        picture,
        kind="svg",
        border=2,
        light="#fff",
        xmldecl=False,
        omitsize=True,
        svgclass=None,
        lineclass=None,
    )
    return Markup(picture.getvalue().decode())  # noqa: S704 - segno writes paths alone


_environment = Environment(
    loader=PackageLoader("app.web"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
_environment.globals |= {"asset": assets.url_of, "t": said, "language": request_language}
_environment.filters |= {"day": day, "time": time, "span": span, "qr": qr}
_environment.filters |= {"moment": datetime.fromisoformat}


def page(template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """Render a page or a part of one. Every value that a template names must be given."""
    body = _environment.get_template(template).render(values)
    headers = HEADERS | {"Content-Language": request_language()}
    return HTMLResponse(body, status_code, headers)
