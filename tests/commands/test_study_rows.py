"""Which rows a study and a fine-tuning stand on: what is left out, unknown or unreadable is said and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from finetune_runs import HEAD, bright_images, finetune, predict
from study_runs import TUNING, Given, pictures, two_sites, words_of

from remedis import cli
from remedis.commands.study import _work
from remedis.data import manifest
from remedis.options.study import Study

Change = Callable[[dict[str, list[Any]]], dict[str, list[Any]]]


def changed(path: Path, out: Path, change: Change) -> Path:
    """Write a manifest again with other columns."""
    read = manifest.read(path)
    columns = change({name: read.table[name].to_pylist() for name in read.table.column_names})
    facts = {"root": str(read.root.resolve()), "data_set": out.stem}
    manifest.write(pa.table(columns), out, facts)
    return out


def no_patients(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: values for name, values in columns.items() if name != "patient_id"}


def one_unknown(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return columns | {"patient_id": [None, None, *columns["patient_id"][2:]]}


def held_back(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    words = ["train", "train", "val", "holdout"] * len(columns["image"])
    return columns | {"split": words[: len(columns["image"])]}


def never_train(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return columns | {"split": ["fold-1"] * len(columns["image"])}


CASES = [
    (no_patients, "no patient is known: each image counts as its own"),
    (one_unknown, "2 images have no patient_id, each counts as a patient of its own"),
    (held_back, "10 rows with a label are left out, their split is none of train, validation, test (holdout 10)"),
    (never_train, "no row's split says train (fold-1 40), so the column counts as absent: all rows are used"),
]


@pytest.mark.parametrize(("change", "words"), CASES, ids=[change.__name__ for change, _ in CASES])
def test_what_must_be_known_of_the_rows_is_said_first(
    tmp_path: Path, change: Change, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(pictures(tmp_path, "here", 40), tmp_path / "m.parquet", change)
    study = words_of(TUNING | {"manifest": path, "out": tmp_path / "s"})
    assert cli.run(["study", *study, "--plan-only"]) == 0
    assert f"m.parquet: {words}" in " ".join(capsys.readouterr().err.split())
    assert finetune(path, "--label", "bright", "--out", tmp_path / "ft", *HEAD) == 0
    assert words in " ".join(capsys.readouterr().err.split())


def test_images_that_cannot_be_read_are_counted_without_probes_too(tmp_path: Path) -> None:
    path = pictures(tmp_path, "here", 60)
    for row in (3, 10, 11):
        (tmp_path / "here" / f"{row}.png").write_bytes(b"no picture")
    (tmp_path / "here" / "20.png").unlink()
    options = Study(manifest=(path,), out=tmp_path / "s", **TUNING)
    assert cli.run(["study", *words_of(TUNING | {"manifest": path, "out": options.out})]) == 0
    flow = json.loads((tmp_path / "s" / "flow.json").read_text())
    assert [each["unreadable"] for each in flow.values()] == [4]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return two_sites(tmp_path_factory.mktemp("study"))


def test_images_without_a_vector_are_said_and_are_not_unreadable(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(given.folder / "two.npz") as file:
        arrays = {name: file[name] for name in file.files}
    whole = len(manifest.read(given.here).table)
    kept = np.arange(len(next(iter(arrays.values())))) >= 7
    np.savez(tmp_path / "some.npz", **{name: values[kept] for name, values in arrays.items()})
    options = given.options(tmp_path / "s", external=(given.one, f"some={tmp_path}/some.npz"))
    words = [str(word) for word in given.words(tmp_path / "s")]
    words[words.index(given.two)] = options.external[1]
    assert cli.run(words) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"some.npz has no vector of 7 of the {whole} images of {given.here}" in said
    flow = json.loads((tmp_path / "s" / "flow.json").read_text())
    assert {each["unreadable"] for each in flow.values()} == {0}


def test_bit_hyperrule_knows_the_images_sizes_in_a_study(given: Given, tmp_path: Path) -> None:
    """BiT-HyperRule: images of less than 96 x 96 px are trained at 128, larger ones at 480."""
    for side, size in ((90, 128), (100, 480)):
        path = changed(
            pictures(tmp_path, f"of{side}", 40), tmp_path / f"m{side}.parquet",
            lambda columns, side=side: columns | {"width": [side] * 40, "height": [side] * 40},
        )  # fmt: skip
        options = {**TUNING, "image_size": None, "train_steps": None, "train_batch_size": None}
        asked = Study(manifest=(path,), out=tmp_path / "s", recipe="bit-hyperrule", **options)
        assert _work(asked).tuning.settings.image_size == size


def test_predictions_of_seen_rows_alone_are_not_sent_on_to_be_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bright_images(tmp_path / "images")
    assert finetune(path, "--label", "bright", "--out", tmp_path / "ft", *HEAD) == 0
    for where, told in (("split=train", False), ("split=test", True)):
        capsys.readouterr()
        assert predict(path, "--model", tmp_path / "ft", "--out", tmp_path / "p.parquet", "--where", where) == 0
        assert ("next: remedis evaluate" in capsys.readouterr().out) == told
