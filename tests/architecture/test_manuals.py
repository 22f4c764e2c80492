"""The Chinese manuals name operations, refusals and pages that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from typer.main import get_command

from app.api.refusals import catalogue
from app.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "zh").glob("*.md"))
READMES = [ROOT / name for name in ("README.md", "README.zh-CN.md", "docs/README.md")]
OPERATION = re.compile(r"`(GET|POST|PUT|DELETE) (/[^`?（ ]*)")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
EXPORTS = [ROOT / "docs" / "exports.md", ROOT / "docs" / "zh" / "exports.md"]
LISTS = re.compile(r"^- \*\*(?:Of others|One's own|别人的数据|自己的数据)\*\*.*$", re.MULTILINE)
EXPORTED_PATH = re.compile(r"`(/[^`]+)`")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def unknown_operations(text: str, known: set[str]) -> list[str]:
    found = (f"{method} {shape(path)}" for method, path in OPERATION.findall(text))
    return [one for one in found if one not in known]


def broken_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(text_of(page)):
        if "://" not in target and not (page.parent / target).exists():
            yield f"{page.name}: {target}"


@pytest.fixture(scope="module")
def known(app: FastAPI) -> set[str]:
    return {
        f"{method.upper()} {shape(path.removeprefix('/api/v1'))}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_every_operation_and_refusal_exists(page: Path, known: set[str]) -> None:
    assert unknown_operations(text_of(page), known) == []
    codes = {one.code: one.status for one in catalogue()}
    named = re.findall(r"(\d{3}) `([a-z_]+\.[a-z_]+)`", text_of(page))
    assert [code for status, code in named if codes.get(code) != int(status)] == []


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: str(page.stem))
def test_every_link_leads_to_a_page(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_every_manual_is_in_the_index() -> None:
    linked = set(LINK.findall(text_of(ROOT / "docs" / "zh" / "README.md")))
    assert {page.name for page in PAGES} - {"README.md"} <= linked


def test_an_operation_that_is_not_there_would_be_found(known: set[str]) -> None:
    assert unknown_operations("`POST /awards/{id}/applause`", known) != []
    assert unknown_operations("`POST /awards/{id}/approval`", known) == []


def lists_in(text: str) -> set[str]:
    """Return the paths of the lists that a page on exports names."""
    return set(EXPORTED_PATH.findall("".join(LISTS.findall(text))))


@pytest.fixture(scope="module")
def exported(known: set[str]) -> set[str]:
    files = {one.removeprefix("GET ") for one in known if one.endswith(".csv")}
    return {one.removesuffix(".csv").replace("{}", "{id}") for one in files}


@pytest.mark.parametrize("page", EXPORTS, ids=["en", "zh"])
def test_the_pages_on_exports_name_each_list_that_has_them(page: Path, exported: set[str]) -> None:
    assert lists_in(text_of(page)) == exported


def test_a_list_that_the_page_leaves_out_would_be_found(exported: set[str]) -> None:
    page = text_of(EXPORTS[0])
    assert lists_in(page.replace("`/flags`, ", "")) == exported - {"/flags"}


def unnamed_commands(text: str) -> set[str]:
    """Return the commands of ``qingxiang`` that a text does not name."""
    found = set()
    for name, one in getattr(get_command(cli), "commands", {}).items():
        found |= {f"{name} {inner}" for inner in getattr(one, "commands", {})} or {name}
    return {one for one in found if f"`{one}`" not in text and f"`{one} " not in text}


@pytest.mark.parametrize("page", READMES[:2], ids=["en", "zh"])
def test_the_readmes_name_each_command(page: Path) -> None:
    assert unnamed_commands(text_of(page)) == set()


def test_a_command_that_a_readme_leaves_out_would_be_found() -> None:
    readme = text_of(READMES[0]).replace("· `jobs confirm-clock`", "")
    assert unnamed_commands(readme) == {"jobs confirm-clock"}
