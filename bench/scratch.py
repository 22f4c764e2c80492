"""Engines of a measurement's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from app.embedded.layout import Engines
from app.embedded.lease import engines, wait_until_stopped


@contextmanager
def scratch_engines(data_dir: Path | None = None) -> Iterator[tuple[Path, Engines]]:
    """Run fresh engines, in a directory that goes with the block unless one is given."""
    if data_dir is not None:
        with engines(data_dir) as found:
            yield data_dir, found
        return
    with TemporaryDirectory(prefix="qingxiang-bench-") as name:
        directory = Path(name)
        # The engines' account is not root: it must be able to get there.
        directory.chmod(0o755)
        try:
            with engines(directory) as found:
                yield directory, found
        finally:
            wait_until_stopped(directory)  # or they would write where we delete
