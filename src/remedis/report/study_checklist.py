"""Where a study's page answers the topics of CLAIM, TRIPOD+AI and STARD-AI, and what is not available.

CLAIM: Checklist for Artificial Intelligence in Medical Imaging (2020, updated 2024). TRIPOD+AI: BMJ 2024;385:e078378.
STARD-AI (2025). Topics, not the items' wording.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remedis.report.study_folder import StudyFolder

Plain = dict[str, Any]
MISSING = "not available"
_THEIRS = "not known to the program"

_TOPICS: tuple[tuple[str, str, str, str, str], ...] = (
    ("CLAIM", "7", "sources", "made-data", "names and hashes; where and when images were taken is not known"),
    ("CLAIM", "8", "eligibility", "left-out", "counts and reasons of the tables"),
    ("CLAIM", "9", "preprocessing", "made-protocol", "image size; the profile stands with the embeddings"),
    ("CLAIM", "12", "de-identification", "", _THEIRS),
    ("CLAIM", "13", "missing data", "left-out", "rows without a label are left out and counted"),
    ("CLAIM", "14–18", "reference standard, readers, tools, inter- and intra-rater variability", "", _THEIRS),
    ("CLAIM", "19", "sample size", "figures", "the numbers, not their justification"),
    ("CLAIM", "20", "partition", "made-protocol", ""),
    ("CLAIM", "33", "flow diagram", "left-out", ""),
    ("CLAIM", "34", "demographics per partition", "left-out", ""),
    ("CLAIM", "41", "protocol, code, data", "made", "protocol, versions and commands; access to the data is not known"),
    ("CLAIM", "42", "funding", "", _THEIRS),
    ("TRIPOD+AI", "", "calibration, not just discrimination", "calibration", ""),
    ("TRIPOD+AI", "", "fairness", "subgroups", "groups that the tables name"),
    ("TRIPOD+AI", "", "open science: protocol, data, code", "made", "protocol, versions, hashes and commands"),
    ("TRIPOD+AI", "", "patient involvement", "", _THEIRS),
    ("TRIPOD+AI", "", "model availability", "made-encoders", "hashes; where weights can be had is not known"),
    ("STARD-AI", "", "dataset practices", "audit", "what an audit of the data sets found"),
    ("STARD-AI", "", "AI index test, its version and evaluation", "made", ""),
    ("STARD-AI", "", "algorithmic bias and fairness", "subgroups", "groups that the tables name"),
    ("STARD-AI", "", "2 × 2 table at a stated threshold", "points", ""),
    ("STARD-AI", "", "flow diagram", "left-out", ""),
)


def checklist(study: StudyFolder) -> list[Plain]:
    """Return each topic with its guideline, the section's id that answers it, and a note."""
    absent = _absent(study)
    return [
        {
            "guideline": guideline,
            "item": item,
            "topic": topic,
            "at": "" if at in absent else at,
            "note": (note or "") if at and at not in absent else MISSING + (f": {note}" if not at else ""),
        }
        for guideline, item, topic, at, note in _TOPICS
    ]


def _absent(study: StudyFolder) -> Sequence[str]:
    """Return the sections that this page cannot have."""
    there = {
        "left-out": study.flow, "subgroups": study.tables["subgroups"], "points": study.tables["operating_points"],
        "calibration": study.tables["calibration"], "audit": study.audit,
    }  # fmt: skip
    return [name for name, known in there.items() if not known]
