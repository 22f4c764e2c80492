"""Ends a process when its parent has ended, also by a kill -9.

Otherwise the workers of a killed ``serve`` would keep its port. Only Linux can signal the death
of a parent, so the child polls the id of its parent twice a second.
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
                # 10 s to close connections in order; then it ends at once.
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
