"""A strict reading of HTML: every element is closed where it was opened, ids are given once."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Strict(HTMLParser):
    """Reads a page; `problems` says what is wrong with it.

    Attributes:
        problems: Elements closed out of turn or never, attributes twice.
        elements: (name, attributes) in the order they were opened.
        texts: (path of open elements, text), with entities resolved.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.problems += [f"<{name}> is never closed" for name in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.problems.append(f"<{tag}> has an attribute twice: {names}")
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> at {self.getpos()} closes {self._open[-1:]}")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((tuple(self._open), " ".join(data.split())))

    def values(self, attribute: str) -> list[str]:
        """Return every value of an attribute."""
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


class _Rows(HTMLParser):
    """Collects the text of each cell, row by row; text inside svg is left out."""

    def __init__(self, page: str, kind: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[list[str]] = []
        self._kind, self._in, self._body, self._svg = kind, False, False, 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._in = self._kind in (dict(attrs).get("class") or "").split() or not self._kind
        elif tag == "svg":
            self._svg += 1
        elif tag == "tbody":
            self._body = True
        elif self._in and self._body and tag == "tr":
            self.found.append([])
        elif self._in and self._body and tag in ("td", "th"):
            self.found[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "svg":
            self._svg -= 1
        elif tag == "tbody":
            self._body = False

    def handle_data(self, data: str) -> None:
        if self._in and self._body and not self._svg and self.found and self.found[-1]:
            self.found[-1][-1] = " ".join(f"{self.found[-1][-1]} {data}".split())


def table_rows(page: str, kind: str) -> list[list[str]]:
    """Return the cells' text of every body row of the tables whose class is `kind`."""
    return _Rows(page, kind).found
