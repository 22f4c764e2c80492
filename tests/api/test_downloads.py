"""A file for one reply: sent whole, in pieces, and closed however that ends."""

import tempfile
from typing import IO

import pytest
from starlette.types import Message, Scope

from app.api.downloads import PIECE, Download

SCOPE: Scope = {"type": "http"}


class Plain(Download):
    media_type, suffix = "text/plain", ".txt"


def holding(content: bytes) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closing it is what is tested
    file.write(content)
    return file


async def receive() -> Message:
    raise AssertionError("nothing is asked of the client")


async def test_a_file_is_sent_in_pieces_with_its_length() -> None:
    file, sent = holding(b"x" * (PIECE + 1)), list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    await Plain(file, "账 单/1", "bill")(SCOPE, receive, send)

    assert file.closed
    start, *pieces = sent
    headers = dict(start["headers"])
    assert headers[b"content-length"] == b"65537"
    assert headers[b"content-disposition"] == (
        b"attachment; filename=\"bill.txt\"; filename*=UTF-8''%E8%B4%A6%20%E5%8D%95%2F1.txt"
    )
    assert [(len(one["body"]), one["more_body"]) for one in pieces] == [
        (PIECE, True),
        (1, True),
        (0, False),
    ]


@pytest.mark.parametrize("gone_after", [0, 1])
async def test_a_file_is_closed_though_the_client_has_gone(gone_after: int) -> None:
    file, sent = holding(b"x"), list[Message]()

    async def send(message: Message) -> None:
        if len(sent) == gone_after:
            raise OSError("gone")
        sent.append(message)

    with pytest.raises(OSError, match="gone"):
        await Plain(file, "账单", "bill")(SCOPE, receive, send)

    assert file.closed
