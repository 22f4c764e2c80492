"""Bringing the schema up to date."""

from alembic.config import Config

from alembic import command
from app.services.health import ALEMBIC_INI


def config_for(url: str) -> Config:
    """Point alembic at a database (SQLAlchemy URL of the schema's owner)."""
    config = Config(ALEMBIC_INI)
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str) -> None:
    """Apply every migration that is missing."""
    command.upgrade(config_for(url), "head")
