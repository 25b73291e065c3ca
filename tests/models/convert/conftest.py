"""SavedModels for the converter's tests, made again from what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from savedmodels import rebuild


@pytest.fixture(scope="module")
def savedmodel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Return a function from a stored SavedModel's name to its folder; nobody may change it."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = rebuild.rebuild(name, tmp_path_factory.mktemp("savedmodel") / name)
        return made[name]

    yield folder
    for path in made.values():  # 56 MB each
        for file in path.rglob("*data-*"):
            file.unlink()
