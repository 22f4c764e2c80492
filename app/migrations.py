"""Bringing the schema up to date, and writing the migration that does."""

import re
from pathlib import Path

from alembic.config import Config

from alembic import command
from app.core.clock import local_date, now
from app.services.health import ALEMBIC_INI


def config_for(url: str) -> Config:
    """Point alembic at a database (SQLAlchemy URL of the schema's owner)."""
    config = Config(ALEMBIC_INI)
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def generate(url: str, title: str) -> Path:
    """Write the migration from a database at its newest migration to the models; return its file.

    Its id is the day and the title: ``20261129_needs``.
    """
    slug = "_".join(re.findall("[a-z0-9]+", title.lower()))
    revision = f"{local_date(now()):%Y%m%d}_{slug}"
    script = command.revision(config_for(url), message=title, autogenerate=True, rev_id=revision)
    assert script is not None
    assert not isinstance(script, list)
    return Path(script.path)


def migrate(url: str) -> None:
    """Apply every migration that is missing."""
    command.upgrade(config_for(url), "head")
