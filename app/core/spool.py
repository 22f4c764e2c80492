"""Temporary files that are handed on to whoever sends them."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO


@contextmanager
def spooled(in_memory: int) -> Iterator[IO[bytes]]:
    """Yield a file to write, which stays open after the block unless the block fails.

    Up to ``in_memory`` bytes stay in memory; a longer file goes to the temporary directory.
    """
    file: IO[bytes] = SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115 - it is handed on
    try:
        yield file
    except BaseException:
        file.close()
        raise
