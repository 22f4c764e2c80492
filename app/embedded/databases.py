"""Databases and roles on the embedded server; tests make their own databases here."""

import re
from typing import Any

import asyncpg  # type: ignore[import-untyped,unused-ignore]

OWNER = "qx_owner"
APP = "qx_app"


async def connect(url: str, database: str | None = None) -> Any:
    """Open one asyncpg connection from a SQLAlchemy URL."""
    return await asyncpg.connect(url.replace("+asyncpg", "", 1), database=database)


def renamed(url: str, database: str) -> str:
    """Point the URL of the embedded database at another database of the same server."""
    return url.replace("/qingxiang?", f"/{database}?")


async def create_database(admin_url: str, name: str, *, template: str | None = None) -> None:
    """Make a database in which qx_app may connect and qx_owner may do everything.

    ``template``: a database made by this function, with nobody connected to it.
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
    """Give a database its rights; safe to repeat.

    Rights on a database are not copied from its template, those on a schema are.
    The tables' rights are the migrations' business.
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
    """Drop a database if it exists, whoever is connected to it."""
    admin = await connect(admin_url)
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {_check(name)} WITH (FORCE)")
    finally:
        await admin.close()


async def bootstrap(admin_url: str, database: str) -> None:
    """Make roles and the database where they are missing.

    Every step is repeatable: a keeper may have died between any two of them.
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
    """Names go into SQL unquoted, so only those that need no quotes pass."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise ValueError(f"not a plain database name: {name!r}")
    return name
