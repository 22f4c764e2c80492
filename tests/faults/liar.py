"""A Sentinel that says what a test tells it to say."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase

from app.core.redis_urls import Node
from tests.faults.valkeys import SERVICE


@dataclass
class Liar:
    """``master`` is whom it names; None: it keeps silent. ``asked``: how often it was asked."""

    address: Node
    master: Node | None = None
    flags: str = "master"
    failovers: int = 0
    asked: int = 0

    def answer(self, words: list[str]) -> bytes:
        if words[:2] != ["SENTINEL", "MASTER"]:
            return b"+OK\r\n"
        self.asked += 1
        if self.master is None:
            return b""
        facts = {"name": SERVICE, "ip": self.master[0], "port": str(self.master[1])}
        facts |= {"flags": self.flags, "config-epoch": str(self.failovers)}
        texts = (word.encode() for pair in facts.items() for word in pair)
        bulks = (b"$%d\r\n%b\r\n" % (len(one), one) for one in texts)
        return b"%%%d\r\n" % len(facts) + b"".join(bulks)


@contextmanager
def liar(master: Node | None = None) -> Iterator[Liar]:
    """Serve on a thread, so that it answers while the test's event loop is blocked."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while words := _command(self.rfile):
                self.wfile.write(one.answer(words))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        one = Liar(("127.0.0.1", server.server_address[1]), master)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield one
        finally:
            server.shutdown()
            thread.join()


def _command(source: BufferedIOBase) -> list[str]:
    """Read one command, an array of bulk strings; empty at the end."""
    words = []
    for _ in range(int(source.readline()[1:] or 0)):
        length = int(source.readline()[1:])
        words.append(source.read(length + 2)[:-2].decode())
    return words
