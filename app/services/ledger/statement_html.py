"""A statement as an HTML page for A4 print: a single file without scripts and links."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from app.services.ledger import statement_words as words
from app.services.ledger.statement import Entry, Form, Heading, Sums

_environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
_template = (files("app") / "data" / "statement.html").read_text(encoding="utf-8")
# Rendered in parts, as the entries arrive: one macro for each method of the form.
_parts: Any = _environment.from_string(_template, globals={"words": words}).module


class HtmlForm(Form):
    def begin(self, heading: Heading) -> None:
        self._write(_parts.beginning(heading))

    def add(self, entries: Sequence[Entry]) -> None:
        self._write(_parts.lines(entries))

    def end(self, heading: Heading, sums: Sums) -> None:
        self._write(_parts.ending(heading, sums))

    def _write(self, part: str) -> None:
        self.file.write(part.encode())
