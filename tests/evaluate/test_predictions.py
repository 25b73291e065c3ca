"""Which rows choose and which are reported, and what a table must hold to be evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remedis.data import manifest
from remedis.data.files import write_json
from remedis.errors import InputError, LabelError, LeakError, ManifestError, UsageError
from remedis.evaluate.predictions import choose_rows, keys_of, like, open_predictions, patients_in

SPLIT = ["train", "val", "test", "test", "valid", None]
SEEN = ["train", "validation", "no", "no", "no", "no"]


def write(folder: Path, *, name: str = "p.parquet", facts: dict[str, Any] | None = None, **columns: Any) -> Path:
    """Write six rows of predictions; a column that is None is left out."""
    base: dict[str, Any] = {
        "image": [f"{row}.png" for row in range(6)], "split": SPLIT, "seen": SEEN, "ill": [0, 1, 0, 1, 0, 1],
        "score_ill": [0.1, 0.9, 0.2, 0.8, 0.3, 0.7],
    }  # fmt: skip
    table = pa.table({key: value for key, value in (base | columns).items() if value is not None})
    pq.write_table(manifest.with_facts(table, facts or {}), folder / name)
    return folder / name


def chosen(path: Path, **options: Any) -> tuple[list[int], list[int], str]:
    found = open_predictions(path)
    rows = choose_rows(found, found.targets[0], **options)
    return rows.validation.tolist(), rows.test.tolist(), rows.by


def test_validation_rows_choose_and_test_rows_are_reported(tmp_path: Path) -> None:
    assert chosen(write(tmp_path)) == ([1, 4], [2, 3], "split")


def test_without_test_rows_those_that_were_not_seen_are_reported(tmp_path: Path) -> None:
    assert chosen(write(tmp_path, split=None)) == ([1], [2, 3, 4, 5], "seen")
    assert chosen(write(tmp_path, split=["val"] * 3 + ["train"] * 3)) == ([1, 2], [3, 4, 5], "seen")


def test_a_test_row_that_was_seen_is_not_reported(tmp_path: Path) -> None:
    found = open_predictions(write(tmp_path, seen=["train", "validation", "train", "no", "no", "no"]))
    rows = choose_rows(found, found.targets[0])
    assert rows.test.tolist() == [3]
    assert rows.left_out == {"seen in training": 2, "not in the test part": 1}


def test_without_the_column_seen_the_split_says_what_was_learnt_from(tmp_path: Path) -> None:
    assert chosen(write(tmp_path, seen=None)) == ([1, 4], [2, 3], "split")
    assert chosen(write(tmp_path, seen=None, split=None)) == ([], list(range(6)), "seen")


def test_where_nothing_is_chosen_validation_rows_that_were_not_seen_are_tested(tmp_path: Path) -> None:
    path = write(tmp_path, split=["val"] * 3 + ["train"] * 3, seen=["no"] * 6)
    assert chosen(path, choosing=False) == ([], list(range(6)), "seen")
    assert chosen(path) == ([0, 1, 2], [3, 4, 5], "seen")


def test_rows_without_label_or_score_take_no_part(tmp_path: Path) -> None:
    path = write(tmp_path, ill=[0, 1, None, 1, 0, 1], score_ill=[0.1, 0.9, 0.2, 0.8, None, 0.7])
    found = open_predictions(path)
    rows = choose_rows(found, found.targets[0])
    assert (rows.validation.tolist(), rows.test.tolist()) == ([1], [3])
    assert rows.left_out["label is empty"] == 1
    assert rows.left_out["no score"] == 1


@pytest.mark.parametrize("seen", [["train"] * 6, ["validation"] * 6, ["train", "validation"] * 3], ids=repr)
def test_rows_that_were_all_seen_are_refused(tmp_path: Path, seen: list[str]) -> None:
    with pytest.raises(LeakError, match="every row was seen"):
        chosen(write(tmp_path, seen=seen))


def test_another_word_for_seen_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'perhaps'"):
        chosen(write(tmp_path, seen=["perhaps"] * 6))


def test_classes_come_from_the_columns_the_metadata_the_probe_or_the_words(tmp_path: Path) -> None:
    several = {"kind": ["a", "b", "c", "a", "b", "c"], "ill": None, "score_ill": None}
    scores = {f"score_kind={name}": [0.2, 0.3, 0.5, 0.1, 0.1, 0.8] for name in "cab"}
    assert open_predictions(write(tmp_path, **several, **scores)).targets[0].classes == ("c", "a", "b")
    words = ["yes", "no", "yes", "no", "yes", "no"]
    assert open_predictions(write(tmp_path, ill=words)).targets[0].classes == ("no", "yes")
    assert open_predictions(write(tmp_path, ill=words), positive="no").targets[0].classes == ("yes", "no")
    model = {"model": {"encoder": "enc", "method": "finetune", "classes": {"ill": ["yes", "no"]}}}
    found = open_predictions(write(tmp_path, ill=words, facts=model))
    assert found.targets[0].classes == ("yes", "no")
    assert (found.facts["encoder"], found.facts["method"]) == ("enc", "finetune")
    config = {"kind": "probe", "encoder": "e", "labels": [{"label": "ill", "classes": ["yes", "no"]}]}
    write_json(tmp_path / "config.json", config)
    for name, method in (("predictions.parquet", "logistic"), ("predictions_knn.parquet", "knn")):
        found = open_predictions(write(tmp_path, name=name, ill=words))
        assert (found.targets[0].classes, found.facts["method"]) == (("yes", "no"), method)
    assert open_predictions(write(tmp_path, ill=words)).facts == {}  # another file beside a probe's own


def test_a_label_with_an_equals_sign_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, ill=None, score_ill=None, **{"a=b": [0, 1] * 3, "score_a=b": [0.5] * 6})
    assert open_predictions(path).targets[0].label == "a=b"
    classes = {f"score_a=b={name}": [0.5] * 6 for name in "012"}
    path = write(tmp_path, ill=None, score_ill=None, **{"a=b": [0, 1, 2] * 2}, **classes)
    assert open_predictions(path).targets[0].classes == ("0", "1", "2")


def test_what_is_no_table_of_predictions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_predictions(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(InputError, match=r"text\.parquet: predictions \(\.parquet\) were expected"):
        open_predictions(tmp_path / "text.parquet")
    with pytest.raises(InputError, match="no column begins with score_"):
        open_predictions(write(tmp_path, score_ill=None))
    with pytest.raises(InputError, match="has no label beside it"):
        open_predictions(write(tmp_path, ill=None))
    with pytest.raises(LabelError, match="one class"):
        open_predictions(write(tmp_path, ill=[1] * 6))
    with pytest.raises(InputError, match="3 classes"):
        open_predictions(write(tmp_path, ill=[0, 1, 2] * 2))
    with pytest.raises(UsageError, match="did you mean ill"):
        open_predictions(write(tmp_path), labels=("il",))


@pytest.mark.parametrize(("score", "says"), [(1.5, "1.5"), (-0.1, "-0.1"), (float("inf"), "inf")])
def test_scores_that_are_no_probabilities_are_refused(tmp_path: Path, score: float, says: str) -> None:
    with pytest.raises(InputError, match=f"score of {says}"):
        chosen(write(tmp_path, score_ill=[0.5] * 5 + [score]))


def test_scores_in_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no numbers"):
        chosen(write(tmp_path, score_ill=["high"] * 6))


def test_other_predictions_take_the_first_one_s_classes(tmp_path: Path) -> None:
    first = open_predictions(write(tmp_path, ill=["b", "a"] * 3), positive="a")
    other = like(write(tmp_path, name="o.parquet", ill=["a", "b", "c"] * 2), first)
    assert other.targets[0].classes == ("b", "a")
    assert other.targets[0].codes.tolist() == [1, 0, -1] * 2
    assert other.targets[0].left_out == {"class c was not learnt": 2}
    with pytest.raises(InputError, match="score_ill"):
        like(write(tmp_path, name="o.parquet", score_ill=None, score_other=[0.5] * 6, other=[0, 1] * 3), first)
    with pytest.raises(ManifestError, match="ill"):
        like(write(tmp_path, name="o.parquet", ill=None, illness=[0, 1] * 3), first)


def test_rows_are_known_by_image_frame_and_region(tmp_path: Path) -> None:
    places = {"frame": [0, 1, 2] * 2, "x": list(range(6)), "y": [0] * 6, "size": [9] * 6}
    found = open_predictions(write(tmp_path, **places))
    assert keys_of(found.table)[4] == ("4.png", 1, 4, 0, 9)


def test_a_patient_is_a_site_and_a_number(tmp_path: Path) -> None:
    patients = {"patient_id": ["1", "1", "2", None, "3", "3"], "site": ["a", "b", None, "a", None, "a"]}
    table = open_predictions(write(tmp_path, **patients, facts={"data_set": "set"})).table
    assert patients_in(table, np.arange(6)) == {("a", "1"), ("b", "1"), ("set", "2"), ("set", "3"), ("a", "3")}
    assert patients_in(table, np.array([1])) == {("b", "1")}
