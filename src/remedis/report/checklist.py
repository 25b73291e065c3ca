"""Where the page answers the items of a reporting checklist, and what is left to the authors.

CLAIM: Mongan, Moy and Kahn, Checklist for Artificial Intelligence in Medical Imaging, Radiology: Artificial
Intelligence 2(2):e200029 (2020), items 7 to 42.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Plain = dict[str, Any]
NAME = "CLAIM (Checklist for Artificial Intelligence in Medical Imaging, 2020)"
OURS_TO_SAY, THEIRS = "here", "yours to write"

_ITEMS: tuple[tuple[str, str, str, str], ...] = (
    ("7", "data sources", "", "where and when the images were taken"),
    ("8", "eligibility criteria", "left-out", "the conditions stand here, their reasons are yours"),
    ("9", "preprocessing", "made-encoder", ""),
    ("10", "selection of subsets", "left-out", ""),
    ("12", "de-identification", "", "how images and tables were freed of names"),
    ("13", "missing data", "left-out", "rows without the label are left out and counted"),
    ("14–18", "reference standard", "", "who labelled, with what, and how well they agreed"),
    ("19", "sample size", "baseline", "the number stands here, its justification is yours"),
    ("20", "how data were assigned to parts", "made-data", ""),
    ("21", "level at which parts are disjoint", "shared", ""),
    ("22", "model", "made-encoder", ""),
    ("23", "software", "made-versions", ""),
    ("24", "initial parameters", "made-encoder", ""),
    ("25", "training", "made-methods", "of the probe; how the encoder was trained stands in its card"),
    ("26", "selection of the final model", "made-choices", ""),
    ("28", "metrics", "figures", ""),
    ("29", "uncertainty", "figures", ""),
    ("30", "robustness", "trust", "subgroups, and what image size alone reaches"),
    ("31", "explainability", "neighbours", "nearest neighbours; no saliency maps"),
    ("33", "flow of participants", "left-out", ""),
    ("34", "characteristics of each part", "baseline", ""),
    ("35–36", "performance and its precision", "figures", ""),
    ("37", "failure analysis", "images", ""),
    ("38–39", "limitations, implications", "trust", "cautions stand here, the discussion is yours"),
    ("40–42", "registration, protocol, funding", "", "not known to the program"),
)  # fmt: skip


def checklist(*, external: bool, absent: Sequence[str]) -> list[Plain]:
    """Return each item with its number, what it asks, the section's id that answers it, and a note.

    Args:
        external: Whether images from elsewhere were tested, which is item 32.
        absent: Ids of sections that this page does not have.
    """
    elsewhere = (
        ("32", "test on external data", "figures", "")
        if external
        else ("32", "test on external data", "", "not done: remedis probe --test names other embeddings")
    )
    items = sorted([*_ITEMS, elsewhere], key=lambda item: int(item[0].split("–")[0]))
    return [
        {
            "item": item,
            "asks": asks,
            "at": "" if at in absent else at,
            "note": note or ("" if at and at not in absent else "not available"),
        }
        for item, asks, at, note in items
    ]
