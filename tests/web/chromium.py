"""Debian's Chromium, driven by Python's playwright; nothing is downloaded."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.engines import ROOT

CHROMIUM = os.environ.get("QX_CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
AXE = ROOT / "clients/checks/node_modules/axe-core/axe.min.js"
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
# Where screenshots are written; without it none are.
SHOTS = os.environ.get("QX_SHOTS")
MISSING = "Chromium is missing: `apt-get install chromium fonts-noto-cjk` (or set QX_CHROMIUM)"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.fail(MISSING)
    assert AXE.exists(), "`make test-web` installs axe-core"
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
        yield browser
        await browser.close()


@asynccontextmanager
async def window(browser: Browser, url: str, size: str, **options: Any) -> AsyncIterator[Page]:
    """Open a page of a size in its own profile. Fails for a CSP message or an error of a script.

    That a request fails is no error: tests cut the network.
    """
    width, height = SIZES[size]
    context = await browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        locale=options.pop("locale", "zh-CN"),
        timezone_id="Asia/Shanghai",
        **options,
    )
    page, wrong = await context.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if _is_wrong(said.text) else None)
    yield page
    await context.close()
    assert wrong == []


async def check(page: Page, name: str) -> None:
    """Look at a page: no sideways scroll, nothing for axe; in light and dark."""
    assert page.viewport_size is not None
    size = next(one for one, (width, _) in SIZES.items() if width == page.viewport_size["width"])
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{name}: {wide} px too wide at {size}"
    # Evaluated, which the page's policy does not forbid, as it would a script element.
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        found = await page.evaluate("axe.run()")
        told = [(one["id"], one["nodes"][0]["html"][:120]) for one in found["violations"]]
        assert told == [], f"{name} {size} {scheme}: {json.dumps(told, ensure_ascii=False)}"
        if SHOTS is not None:
            file = Path(SHOTS) / f"{name}-{size}-{scheme}.png"
            await page.screenshot(path=file, full_page=size == "phone")
    if SHOTS is not None and size == "desk":
        await page.emulate_media(media="print", color_scheme="light")
        await page.screenshot(path=Path(SHOTS) / f"{name}-print.png", full_page=True)
    await page.emulate_media(media="screen", color_scheme="light")


def _is_wrong(text: str) -> bool:
    return "Content Security Policy" in text or "Refused to" in text
