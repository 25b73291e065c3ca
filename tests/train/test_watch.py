"""Who is asked on the way: held-out rows, or other patients than those that are known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from remedis.data.loader import View
from remedis.data.manifest import Manifest, patient_keys
from remedis.errors import LabelError, ManifestError
from remedis.models.architectures import architecture
from remedis.models.contract import Contract
from remedis.models.load import random_encoder
from remedis.train.rows import choose
from remedis.train.watch import Watch, known_and_asked, labels_of

RNG = np.random.default_rng(0)
CODES = RNG.integers(-1, 3, 400)
PATIENTS = RNG.integers(0, 90, 400)


def test_without_a_held_out_part_half_the_patients_ask_the_other_half() -> None:
    known, asked = known_and_asked(CODES, np.array([], np.int64), PATIENTS, seed=0)
    assert not set(PATIENTS[known]) & set(PATIENTS[asked])
    assert sorted([*known, *asked]) == list(np.flatnonzero(CODES >= 0))
    assert 0.35 < len(asked) / (CODES >= 0).sum() < 0.65


def test_held_out_rows_are_asked_and_their_patients_are_not_known() -> None:
    held_out = np.arange(300, 400)
    known, asked = known_and_asked(CODES, held_out, PATIENTS, seed=0)
    assert sorted(asked) == [row for row in held_out if CODES[row] >= 0]
    assert not set(PATIENTS[known]) & set(PATIENTS[asked])
    assert set(known) <= set(range(300))


def _with_split(manifest: Manifest, words: list[str | None]) -> Manifest:
    return Manifest(
        manifest.table.append_column("split", pa.array(words, pa.string())), manifest.root, manifest.facts, None
    )


def test_rows_of_validation_and_test_are_left_out_unless_all_are_asked_for(small_manifest: Manifest) -> None:
    manifest = _with_split(small_manifest, ["train"] * 7 + ["val"] * 2 + ["test"] * 2 + [None])
    chosen = choose(manifest, all_parts=False, held_out="validation", label=None)
    assert (chosen.rows.tolist(), chosen.held_out.tolist()) == (list(range(7)), [7, 8])
    assert len(chosen.train) == 7
    assert len(choose(manifest, all_parts=True, held_out="validation", label=None).train) == 12
    assert choose(manifest, all_parts=False, held_out="test", label=None).held_out.tolist() == [9, 10]
    assert (chosen.watched()[9:] == -1).all()  # nobody looks at the test part's labels


def test_labels_are_found_named_or_refused(small_manifest: Manifest) -> None:
    chosen = choose(small_manifest, all_parts=False, held_out="validation", label=None)
    assert chosen.labels is not None
    assert (chosen.labels.name, chosen.labels.classes) == ("finding", ["0", "1"])
    assert choose(small_manifest, all_parts=False, held_out="validation", label="").labels is None
    with pytest.raises(LabelError, match="did you mean finding"):
        choose(small_manifest, all_parts=False, held_out="validation", label="findin")


def test_units_are_patients_or_images(small_manifest: Manifest) -> None:
    chosen = choose(small_manifest, all_parts=False, held_out="validation", label=None)
    assert (chosen.units(patients=True), chosen.units(patients=False)) == (8, 12)


def test_one_row_is_too_few(small_manifest: Manifest) -> None:
    manifest = _with_split(small_manifest, ["train"] + ["test"] * 11)
    with pytest.raises(ManifestError, match="1 rows to train on, at least 2"):
        choose(manifest, all_parts=False, held_out="test", label=None)


class MeanColour(nn.Module):
    """Three numbers an image; a network that tells the classes apart if their colours differ."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3)) * self.weight


def test_accuracies_are_those_of_neighbours_and_of_the_classifier(small_manifest: Manifest) -> None:
    labels = labels_of(small_manifest.table, "finding")
    encoder = random_encoder(architecture("resnet18-cifar"), Contract(size=16), seed=0)
    rows = (np.arange(0, 8), np.arange(8, 12))
    watch = Watch(small_manifest, labels, rows, View("dicom-display", 16, "squash"), held_out=True, workers=0)
    always_one = nn.Linear(3, 2)
    nn.init.zeros_(always_one.weight)
    always_one.bias.data = torch.tensor([0.0, 1.0])
    found = watch.look(encoder, MeanColour(), always_one, bfloat16=False)
    assert found["linear_accuracy"] == 0.5  # rows 8 to 11 are of the classes 0, 1, 0, 1
    assert found["n"] == 4
    assert found["label"] == "finding"
    assert 0 <= found["knn_accuracy"] <= 1
    assert len(patient_keys(small_manifest.table)) == 12


def test_neighbours_that_are_the_image_itself_are_always_right(small_manifest: Manifest) -> None:
    labels = labels_of(small_manifest.table, "finding")
    encoder = random_encoder(architecture("resnet18-cifar"), Contract(size=16), seed=0)
    rows = (np.arange(12), np.arange(12))
    watch = Watch(small_manifest, labels, rows, View("dicom-display", 16, "squash"), held_out=False, workers=0)
    found = watch.look(encoder, nn.Sequential(nn.Flatten(), nn.Linear(768, 768)), None, bfloat16=False)
    assert found["knn_accuracy"] > 0.5
    assert "linear_accuracy" not in found
