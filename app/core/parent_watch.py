"""A process that ends when its parent does, however the parent died.

After a kill -9 of ``serve`` its workers would keep the port; a signal on the parent's
death exists only on Linux, so the child looks twice a second.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PARENT = "QX_PARENT_PID"
INTERVAL_S = 0.5


@contextmanager
def watch_parent() -> Iterator[None]:
    """Send this process SIGTERM once the process named in the environment is not its parent."""
    parent = os.environ.get(PARENT)
    if parent is None or int(parent) == os.getpid():
        yield
        return
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(INTERVAL_S):
            if os.getppid() != int(parent):
                os.kill(os.getpid(), signal.SIGTERM)
                # A server that is busy closing connections gets ten seconds.
                if not stop.wait(10):
                    os._exit(1)
                return

    thread = threading.Thread(target=watch, name="follow-parent", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
