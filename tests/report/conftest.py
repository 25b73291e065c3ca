"""One probe of each kind a session, with its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import report_folders


class Page(NamedTuple):
    """A probe's folder, its page and its JSON."""

    folder: Path
    html: str
    data: dict[str, Any]


KINDS = ("binary", "clustered", "several", "external")


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Page]:
    """Return a function from a kind of probe to its page, made once."""
    made: dict[str, Page] = {}

    def of(kind: str) -> Page:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            probe = getattr(report_folders, kind)(folder)
            made[kind] = Page(probe, *report_folders.reported(probe, folder / "page.html"))
        return made[kind]

    return of
