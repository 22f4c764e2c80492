"""The script that makes the next dump plays on the present code too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines import DATA_DIR, ROOT
from tests.migrations.dump import read
from tests.migrations.past import UNPLAYED

MOST_BYTES = 150_000  # of each file: they are kept in the repository


@pytest.mark.long
def test_the_past_can_be_played_and_fills_each_table(
    engines_and_template: object, tmp_path: Path
) -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-m", "tests.migrations.past", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"QX_TEST_DATA_DIR": str(DATA_DIR)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers, rows = sorted(tmp_path.iterdir())
    assert answers.stat().st_size < MOST_BYTES
    assert rows.stat().st_size < MOST_BYTES
    assert all(table.rows for table in read(rows) if table.name not in UNPLAYED)
