"""``python -m app.embedded ENGINES_DIRECTORY``: the command that starts the keeper."""

import sys
from pathlib import Path

from app.embedded.keeper import main

if __name__ == "__main__":
    main(Path(sys.argv[1]))
