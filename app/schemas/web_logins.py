"""Wire shapes of logins of web pages, as the mini-program confirms them."""

from pydantic import Field

from app.schemas.base import Out


class WebLoginOut(Out):
    """What the phone shows before and after the person confirms."""

    number: str = Field(description="Two digits, which the page shows too: people compare them.")
    browser: str = Field(description="Browser and system of the page, such as `Chrome · Windows`.")
    expires_in: int = Field(description="Seconds for which it can still be confirmed.")
