"""The play."""

from rich.console import Console


def play(console: Console) -> int:
    """Play."""
    return 1
