"""What a study's encoders, data sets, methods and scenarios are called on its page, and an encoder's colour."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from remedis.report.colours import ACCENT, series, series_name
from remedis.report.naming import bare, distinct, path_shown
from remedis.report.study_folder import ADAPTED, IN, OUT, StudyFolder

Plain = dict[str, Any]
METHODS = {"logistic": "probe", "finetune": "fine-tuned", "knn": "nearest neighbours"}
SCENARIOS = {IN: "in distribution", OUT: "out of distribution", ADAPTED: "adapted"}
_SHORT = 2  # parts of a path that was typed from where the study was started: run/last


class Names:
    """Names for a page.

    Args:
        study: The opened study.
        names: Whether paths are shown as they were typed.
    """

    def __init__(self, study: StudyFolder, *, names: bool) -> None:
        self.whole = names
        encoders, data_sets = list(study.job["encoders"]), list(study.job["data_sets"])
        self._encoders = distinct({typed: typed if names else _short(typed) for typed in encoders})
        shown = {typed: typed if names else path_shown(typed, names=False) for typed in data_sets}
        self._data_sets = distinct({typed: bare(name) for typed, name in shown.items()})
        self._order = [*study.others, study.baseline]
        self.baseline = self.encoder(study.baseline)

    def encoder(self, typed: str) -> str:
        """Return what an encoder is called."""
        return self._encoders.get(typed, _short(typed))

    def data_set(self, typed: str) -> str:
        """Return what a data set is called."""
        return self._data_sets.get(typed, path_shown(typed, names=self.whole))

    def colour(self, typed: str) -> str:
        """Return an encoder's stand-in colour, the same on the whole page."""
        place = self._order.index(typed)
        return ACCENT if place == 0 else series(place - 1)

    def css(self, typed: str) -> str:
        """Return the same colour as CSS has it."""
        place = self._order.index(typed)
        return "var(--accent)" if place == 0 else f"var(--{series_name(place - 1)})"

    def word(self, text: str) -> str:
        """Return a word of a command, with the last part of each path alone."""
        return text if self.whole else ",".join(self._part(part) for part in text.split(","))

    def _part(self, text: str) -> str:
        if text in self._encoders:
            return self._encoders[text]
        before, equals, value = text.rpartition("=")
        return f"{before}{equals}{path_shown(value, names=False)}" if re.search(r"[/\\]", value) else text


def method(name: str) -> str:
    """Return what a method is called."""
    return METHODS.get(name, name)


def scenario(name: str) -> str:
    """Return what a scenario is called."""
    return SCENARIOS.get(name, name.replace("_", " "))


def listed(names: Iterable[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    found = list(names)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}" if found else ""


def _short(typed: str) -> str:
    parts = re.split(r"[/\\]", typed)
    return typed if len(parts) <= _SHORT and all(parts) else path_shown(typed, names=False)
