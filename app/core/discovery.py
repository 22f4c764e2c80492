"""Finding what modules declare under a known name, so that a new one needs no central list."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Any


def declared(package: ModuleType, name: str) -> Iterator[Any]:
    """Import every module below a package; yield the value of each that defines ``name``."""
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        found = vars(import_module(module.name)).get(name)
        if found is not None:
            yield found
