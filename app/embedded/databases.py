"""Databases and roles on the embedded server; tests make their own databases here."""

import re
from typing import Any

import asyncpg  # type: ignore[import-untyped,unused-ignore]

OWNER = "qx_owner"
APP = "qx_app"


async def connect(url: str, database: str | None = None) -> Any:
    """Open an asyncpg connection from a SQLAlchemy URL."""
    return await asyncpg.connect(url.replace("+asyncpg", "", 1), database=database)


def renamed(url: str, database: str) -> str:
    """Replace the database in the URL of the embedded server."""
    return url.replace("/qingxiang?", f"/{database}?")


async def create_database(admin_url: str, name: str, *, template: str | None = None) -> None:
    """Create a database in which qx_app may connect and qx_owner may do everything.

    ``template``: a database created by this function, without connections.
    """
    _check(name)
    admin = await connect(admin_url)
    try:
        copied = f" TEMPLATE {_check(template)}" if template else ""
        await admin.execute(f"CREATE DATABASE {name} OWNER {OWNER}{copied}")
    finally:
        await admin.close()
    await secure_database(admin_url, name)


async def secure_database(admin_url: str, name: str) -> None:
    """Set the rights of a database; idempotent.

    A copy of a template has the template's rights on schemas, but not those on the database.
    Migrations set the rights on tables.
    """
    inside = await connect(admin_url, _check(name))
    try:
        await inside.execute(f"""
            REVOKE ALL ON DATABASE {name} FROM PUBLIC;
            GRANT CONNECT ON DATABASE {name} TO {APP};
            ALTER SCHEMA public OWNER TO {OWNER};
            REVOKE CREATE ON SCHEMA public FROM PUBLIC;
        """)
    finally:
        await inside.close()


async def drop_database(admin_url: str, name: str) -> None:
    """Drop a database if it exists, and end its connections."""
    admin = await connect(admin_url)
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {_check(name)} WITH (FORCE)")
    finally:
        await admin.close()


async def bootstrap(admin_url: str, database: str) -> None:
    """Create the roles and the database where they are missing.

    Every step is idempotent: a keeper may have been killed between any two.
    """
    admin = await connect(admin_url)
    try:
        for role in (OWNER, APP):
            if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                await admin.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER")
        exists = await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database)
    finally:
        await admin.close()
    if exists:
        await secure_database(admin_url, database)
    else:
        await create_database(admin_url, database)


def _check(name: str) -> str:
    """Return a name that needs no quotes in SQL. Raises ValueError for any other."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise ValueError(f"not a plain database name: {name!r}")
    return name
