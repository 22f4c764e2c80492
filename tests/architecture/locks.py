"""Parsing requirements and lock files."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def requirements(text: str) -> dict[str, str]:
    """Return each requirement with its options, by name; comments are left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    logical = "\n".join(lines).replace("\\\n", " ").splitlines()
    return {line.split("==")[0].strip(): line for line in logical if line.strip()}


def declared() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {one.name: one for one in map(Requirement, project["dependencies"])}


def pins(text: str) -> dict[str, Version]:
    """Return the version of each locked package; extras are not part of its name."""
    return {
        name.partition("[")[0]: Version(line.split("==")[1].split()[0])
        for name, line in requirements(text).items()
    }
