"""Where the score of size alone comes from: the same rows, parts and folds that the probe had."""

from __future__ import annotations

import numpy as np

from remedis.evaluate.parts import units_of
from remedis.evaluate.targets import UNKNOWN
from remedis.report.picture_data import train_codes
from remedis.report.probe_folder import ProbeFolder
from remedis.report.shortcuts import auroc_of_size, auroc_of_size_in_folds, size_features
from remedis.report.tested import Tested


def size_alone(probe: ProbeFolder, tested: Tested) -> float | None:
    """Return the AUROC that width, height and aspect reach on a label's tested rows, None where it is not known."""
    if probe.train is None or probe.test is None or probe.places is None:
        return None
    learnt = size_features(probe.train.table)
    looked_at = size_features(probe.test.table)
    if learnt is None or looked_at is None:
        return None
    codes = train_codes(probe, tested)
    known = np.flatnonzero(codes != UNKNOWN)
    rows = probe.places[tested.rows]
    if probe.entry(tested.label)["evaluation"] == "nested-cv":
        units, _ = units_of(probe.test.table, probe.config.get("cluster")).among(rows)
        return auroc_of_size_in_folds(looked_at[rows], tested.codes, tested.truth, units, seed=probe.config["seed"])
    return auroc_of_size((learnt[known], codes[known]), (looked_at[rows], tested.truth))
