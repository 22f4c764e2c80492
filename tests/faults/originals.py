"""A database that is made once, and copied for each strike or town."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from app.core.settings import Settings
from app.embedded.databases import create_database, renamed
from app.embedded.layout import Engines
from app.migrations import migrate
from app.serve import load_demonstration


@dataclass(frozen=True)
class Original:
    """Engines with a database to be copied."""

    directory: Path
    found: Engines
    name: str

    def settings(self, database: str, redis_db: int) -> Settings:
        return Settings(
            data_dir=self.directory,
            database_url=renamed(self.found.database_url, database),
            migration_database_url=renamed(self.found.migration_database_url, database),
            redis_url=re.sub(r"db=\d+", f"db={redis_db}", self.found.redis_url),
        )

    async def make(self) -> Settings:
        """Make the database, with the demonstration's data."""
        settings = self.settings(self.name, redis_db=0)
        assert settings.migration_database_url is not None
        await create_database(self.found.admin_database_url, self.name)
        await asyncio.to_thread(migrate, settings.migration_database_url)
        await load_demonstration(settings)
        return settings

    async def copy(self, name: str) -> None:
        await create_database(self.found.admin_database_url, name, template=self.name)
