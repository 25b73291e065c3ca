"""What the files and the model of an evaluation are called on its page, and which colour a file has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remedis.evaluate.evaluation_read import EvaluationFolder
from remedis.report.colours import ACCENT, series, series_name
from remedis.report.naming import bare, distinct, path_shown

Row = dict[str, Any]
_THERE = 2  # of the palette; the first two are the classes of a label with two
_ABOUT = ("subgroups", "operating_points", "calibration", "shift")


class Files:
    """The tested files of an evaluation.

    Args:
        opened: The evaluation.
        names: Whether whole paths are shown.

    Attributes:
        here: The predictions, as they were typed.
        there: Those of another site, or None.
    """

    def __init__(self, opened: EvaluationFolder, *, names: bool) -> None:
        self.whole, self._opened = names, opened
        typed = list(dict.fromkeys(row["dataset"] for row in opened.tables["results"]))
        self.here, self.there = typed[0], typed[1] if len(typed) > 1 else None
        self._shown = distinct({each: bare(path_shown(each, names=names)) for each in typed})

    @property
    def tested(self) -> list[str]:
        """The files as they were typed."""
        return [self.here, *([self.there] if self.there else [])]

    @property
    def tables(self) -> Mapping[str, list[Row]]:
        """The tables that `report.trust` shows; there a file stands where a study has an encoder."""
        at = {"subgroups": self.here, "shift": self.there or ""}
        return {
            name: [{"method": "", "train_dataset": "", "dataset": at.get(name, "")} | row
                   | {"encoder": row.get("dataset") or at[name]} for row in self._opened.tables.get(name, [])]
            for name in _ABOUT
        }  # fmt: skip

    def data_set(self, typed: str) -> str:
        """Return what a file is called."""
        return self._shown.get(typed, bare(path_shown(typed, names=self.whole)))

    encoder = data_set

    def colour(self, typed: str) -> str:
        """Return a file's stand-in colour."""
        return ACCENT if typed == self.here else series(_THERE)

    def css(self, typed: str) -> str:
        """Return the same colour as CSS has it."""
        return "var(--accent)" if typed == self.here else f"var(--{series_name(_THERE)})"


def model(opened: EvaluationFolder) -> str:
    """Return what the model is called; the predictions' file does not always say."""
    noted = opened.facts.get("model") or {}
    return str(noted.get("encoder") or "a model that the file does not name")


def other_file(opened: EvaluationFolder, *, names: bool) -> str:
    """Return what the file of the model that is compared with is called."""
    return bare(path_shown(Path(str(opened.facts["files"]["compare"])), names=names))
