"""Applying and generating Alembic migrations."""

import re
from pathlib import Path

from alembic.config import Config
from alembic.script.revision import ResolutionError
from alembic.util import CommandError

from alembic import command
from app.core.clock import local_date, now
from app.services.health import ALEMBIC_INI


class SchemaUnknown(Exception):
    """A newer release has migrated the database."""


def config_for(url: str) -> Config:
    """Return an Alembic configuration for a database (SQLAlchemy URL of the schema's owner)."""
    config = Config(ALEMBIC_INI)
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def generate(url: str, title: str) -> Path:
    """Write the migration from a database at head to the models; return its file.

    Its id is the date and the title: ``20261129_needs``.
    """
    slug = "_".join(re.findall("[a-z0-9]+", title.lower()))
    revision = f"{local_date(now()):%Y%m%d}_{slug}"
    script = command.revision(config_for(url), message=title, autogenerate=True, rev_id=revision)
    assert script is not None
    assert not isinstance(script, list)
    return Path(script.path)


def migrate(url: str) -> None:
    """Apply all pending migrations, one process at a time. Raises SchemaUnknown."""
    try:
        command.upgrade(config_for(url), "head")
    except CommandError as error:
        if isinstance(error.__cause__, ResolutionError):
            raise SchemaUnknown(
                f"this release does not know the migration {error.__cause__.argument!r} that the"
                " database is at: a newer release has migrated it. Start that release, or take"
                " its way back (docs/upgrading.md)"
            ) from error
        raise
