"""Tables of simulated predictions: patients with one to three images, two labels of two classes and one of three."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from scipy.special import expit, softmax


def predictions(*, patients: int = 120, site: str = "here", seed: int = 0, noise: float = 0.0) -> pa.Table:
    """Return rows of patients with one to three images, two labels of two classes and one of three."""
    random, other = np.random.default_rng(seed), np.random.default_rng(99)
    of = np.repeat(np.arange(patients), random.integers(1, 4, patients))
    count = len(of)
    words = np.array(["train", "val", "test"])[np.searchsorted([0.2, 0.5], random.random(patients))][of]
    columns: dict[str, Any] = {
        "image": [f"{site}/{row}.png" for row in range(count)], "patient_id": [f"{site}-{number}" for number in of],
        "study_id": [f"s{row}" for row in of], "site": [site] * count, "split": words,
        "sex": np.array(["F", "M"])[random.integers(0, 2, patients)][of], "age": random.integers(20, 90, patients)[of],
        "seen": np.where(words == "test", "no", np.where(words == "val", "validation", words)),
    }  # fmt: skip
    for label in ("effusion", "oedema"):
        ill = (random.random(patients) < 0.4)[of]
        logits = 3 * (1.2 * ill + random.normal(size=count) - 0.6) + noise * other.normal(size=count)
        columns[label], columns[f"score_{label}"] = ill.astype(int), expit(logits)
    kinds = random.integers(0, 3, patients)[of]
    shares = softmax(
        2 * np.eye(3)[kinds] + random.normal(size=(count, 3)) + noise * other.normal(size=(count, 3)), axis=1
    )
    columns["kind"] = np.array(["none", "mild", "severe"])[kinds]
    columns |= {f"score_kind={name}": shares[:, place] for place, name in enumerate(("none", "mild", "severe"))}
    return pa.table(columns)
