"""What a phone's scanner read: a bare code, or a URL that ends with one.

Codes on screens and posters are URLs, ``https://HOST/c/CODE``, so that any scanner opens the
mini-program or the page; in the mini-program WeChat hands over the bare code.
"""

import re

MAX_SCANNED = 300  # characters
_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?/c/([^\s/?#]+)/?([?#]\S*)?", re.IGNORECASE)


def code_of(text: str) -> str:
    """Return the bare code of what was scanned; any other text as it is, which is no code.

    Any host is accepted: the code itself is signed, and hosts change. A text that is too long
    yields no characters.
    """
    if len(text) > MAX_SCANNED:
        return ""
    text = text.strip()
    found = _URL.fullmatch(text)
    return found[2] if found else text


def url_of(public_url: str | None, code: str) -> str | None:
    """Return the URL of a code; None while the service has no public address."""
    return f"{public_url}/c/{code}" if public_url else None
