"""The closed sets of the audit trail hold what the services write."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from app.schemas.audit import VALUES
from app.schemas.audit import nouns as known_nouns
from app.schemas.ledger import SourceType

ROOT = Path(__file__).parents[2]
WRITERS = ("audit.write", "audit.write_about")
SENDERS = ("audit.write_about", "notify.send", "Message")


def calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def verbs(source: str) -> set[str]:
    """Return the verbs written as literals, each the third argument."""
    found = [c.args[2] for name, c in calls(source) if name in WRITERS]
    constants = [one for verb in found for one in ast.walk(verb) if isinstance(one, ast.Constant)]
    return {str(one.value) for one in constants}


def nouns(source: str) -> set[str]:
    """Return the nouns of subjects written as literal pairs, in a call or under their name."""
    tuples = [arg for name, c in calls(source) if name in SENDERS for arg in c.args]
    tuples += [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).lower() == "subject"
    ]
    pairs = [one for one in tuples if isinstance(one, ast.Tuple) and len(one.elts) == 2]
    return {str(p.elts[0].value) for p in pairs if isinstance(p.elts[0], ast.Constant)}


def sources() -> list[str]:
    return [one.read_text(encoding="utf-8") for one in (ROOT / "app/services").rglob("*.py")]


def test_every_verb_has_words() -> None:
    written = {verb for source in sources() for verb in verbs(source)}
    assert len(written) > 20
    assert written <= VALUES["verb"].keys()


def test_every_noun_is_listed() -> None:
    written = {noun for source in sources() for noun in nouns(source)}
    assert len(written) > 10
    assert written <= known_nouns()


def test_an_unknown_word_would_be_found() -> None:
    assert verbs('audit.write(tx, caller, "burnt" if hot else "cooled", it)') == {"burnt", "cooled"}
    assert nouns('subject = ("oven", oven.id)\nnotify.send(tx, a, "k", ("pan", b))') == {
        "oven",
        "pan",
    }


def test_every_source_of_an_entry_is_listed() -> None:
    found = {one for source in sources() for one in re.findall(r'source_type="(\w+)"', source)}
    assert found == {*get_args(SourceType)}
