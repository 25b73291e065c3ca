"""Which fits there are: 100 % once, every encoder the same, the adapted on the other site alone, names unlike."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import planted_studies as planting
from remedis.data import manifest
from remedis.data.manifest import Manifest
from remedis.errors import LabelError
from remedis.study import fits, plan_words
from remedis.study.estimate import Cost
from remedis.study.fits import Cell, Fit, cells_of, unlike
from remedis.study.question import ADAPTED, IN, OUT, SCENARIOS, EncoderAsked, Question, data_sets


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Manifest]]:
    """Three manifests, named as a person would type them."""
    folder = tmp_path_factory.mktemp("sites")
    found = [planting.site(folder, name, 40, seed=0, images=2) for name in ("north", "south", "west")]
    return [(f"sets/{each.path.stem}", manifest.read(each.path)) for each in found]


def question_of(sites: list[tuple[str, Manifest]], here: int = 1, **changes: Any) -> Question:
    made = data_sets(
        sites[:here], sites[here:], ["sick"], positive=None, exclude=(), repeats=changes.get("repeats", 1), seed=0
    )
    encoders = (
        EncoderAsked("ours", "", "a" * 64, "net", trained=False),
        EncoderAsked("theirs", "f.npz", "b" * 64, "elsewhere", trained=True),
    )
    given = {
        "encoders": encoders, "baseline": "ours", "methods": ("probe",), "label_fractions": (0.1, 0.5, 1.0),
        "target_fractions": (0.2, 1.0), "draws": 3, "scenarios": SCENARIOS, "repeats": 1, "seed": 0,
    }  # fmt: skip
    return Question(made, **{**given, **changes})


def all_fits(question: Question) -> list[Fit]:
    return [fit for cell in cells_of(question) for fit in cell.fits]


def test_all_labels_are_one_draw_and_every_encoder_has_the_same_fits(sites: list[tuple[str, Manifest]]) -> None:
    found = all_fits(question_of(sites[:2]))
    counts = Counter((fit.train, fit.encoder, fit.fraction) for fit in found)
    for encoder in ("ours", "theirs"):
        assert {key[2]: count for key, count in counts.items() if key[:2] == ("sets/north", encoder)} == {
            0.1: 3, 0.5: 3, 1.0: 1,
        }  # fmt: skip
        assert {key[2]: count for key, count in counts.items() if key[:2] == ("sets/south", encoder)} == {
            0.2: 3, 1.0: 1,
        }  # fmt: skip
    assert len(found) == len(set(found)) == 22


@pytest.mark.parametrize(
    ("scenarios", "learnt_from"),
    [
        ((IN,), {"sets/north"}), ((OUT,), {"sets/north"}), ((ADAPTED,), {"sets/south"}),
        ((IN, ADAPTED), {"sets/north", "sets/south"}),
    ],
    ids=["in", "out", "adapted", "both"],
)  # fmt: skip
def test_nothing_is_fitted_that_no_scenario_asks(
    sites: list[tuple[str, Manifest]], scenarios: tuple[str, ...], learnt_from: set[str]
) -> None:
    assert {fit.train for fit in all_fits(question_of(sites[:2], scenarios=scenarios))} == learnt_from


def test_what_a_fit_is_tested_on(sites: list[tuple[str, Manifest]]) -> None:
    question = question_of(sites)
    named = {
        name: [
            (scenario, each.name) for scenario, each in fits.tested_on(question, Fit(name, "ours", "probe", 1.0, 0, 0))
        ]
        for name in ("sets/north", "sets/south", "sets/west")
    }
    assert named == {
        "sets/north": [(IN, "sets/north"), (OUT, "sets/south"), (OUT, "sets/west")],
        "sets/south": [(ADAPTED, "sets/south")],
        "sets/west": [(ADAPTED, "sets/west")],
    }
    two_here = question_of(sites, here=2, scenarios=(OUT,))
    assert [each.name for _, each in fits.tested_on(two_here, Fit("sets/south", "ours", "probe", 1.0, 0, 0))] == [
        "sets/west"
    ]


def test_finetuning_is_a_cell_each_and_needs_a_network(sites: list[tuple[str, Manifest]]) -> None:
    cells = cells_of(question_of(sites[:1], methods=("probe", "finetune")))
    assert [(cell.fits[0].method, cell.fits[0].encoder, len(cell.fits)) for cell in cells[:2]] == [
        ("probe", "ours", 7), ("probe", "theirs", 7),
    ]  # fmt: skip
    assert {(cell.fits[0].method, cell.fits[0].encoder, len(cell.fits)) for cell in cells[2:]} == {
        ("finetune", "ours", 1)
    }
    assert len(cells) == 9


def test_repeats_do_everything_again_with_other_parts(sites: list[tuple[str, Manifest]]) -> None:
    once, thrice = question_of(sites[:2]), question_of(sites[:2], repeats=3)
    assert len(all_fits(thrice)) == 3 * len(all_fits(once))
    for each in thrice.data_sets:
        tests = {tuple(parts.test.tolist()) for parts in each.parts}
        assert len(tests) == 3
        for parts in each.parts:
            rows = [set(own.tolist()) for own in (parts.train, parts.validation, parts.test)]
            assert sum(map(len, rows)) == len(set.union(*rows)) == len(each.manifest)
            patients = [{each.manifest.table["patient_id"][row].as_py() for row in own} for own in rows]
            assert not patients[0] & patients[1] | patients[0] & patients[2] | patients[1] & patients[2]


def test_names_of_files_are_unlike_whatever_the_signs() -> None:
    words = [("a/b", "c"), ("a", "b/c"), ("a-b", "c"), ("a b", "c"), ("ä", "c"), ("ö", "c")]
    names = [unlike(*each) for each in words]
    assert len(set(names)) == len(words)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in names)
    one = Fit("a/b", "e", "finetune", 0.1, 0, 0)
    others = [
        replace(one, train="a-b"), replace(one, encoder="é"), replace(one, fraction=0.01), replace(one, draw=1),
        replace(one, repeat=1), replace(one, method="probe"),
    ]  # fmt: skip
    assert len({Cell((each,)).name for each in [one, *others]}) == 7
    assert Cell((one,)).name.startswith("finetune-a-b-e-repeat0-fraction0.1-draw0-")


def test_draws_of() -> None:
    assert [list(fits.draws_of(fraction, 3)) for fraction in (0.5, 1.0)] == [[0, 1, 2], [0]]


def test_the_plan_in_words(sites: list[tuple[str, Manifest]]) -> None:
    question = question_of(sites[:2], methods=("probe", "finetune"))
    lines = plan_words.lines(question, cells_of(question), 3)
    assert lines[0] == (
        "sets/north, in distribution: train 54 · validation 12 · test 14 (validation and test drawn by patient) · "
        "27 patients to learn from"
    )
    assert "sets/south, out of distribution: train 54" in lines[1]
    assert lines[2] == "encoders ours (baseline, random weights), theirs (embeddings from elsewhere)"
    assert lines[3] == "labels sick (2 classes) · probe and finetune · in distribution, out of distribution, adapted"
    assert lines[4] == "label fractions 0.1, 0.5, 1: 7 draws a training part"
    assert lines[-1] == "plan: 22 probes and 11 fine-tunings; 3 of 15 cells are done"
    again = plan_words.lines(question_of(sites[:1], repeats=2), [], 0)
    assert "in 2 repetitions with other parts" in again[-1]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (89.4, "89 s"), (120, "2 min"), (5399, "90 min"), (7200, "2.0 h")],
    ids=["least", "seconds", "minutes", "ninety", "hours"],
)
def test_durations(seconds: float, words: str) -> None:
    assert plan_words.duration(seconds) == words


def test_the_cost_in_words() -> None:
    cost = Cost(embedding=3600, probes=0.5, tuning=7200, figures=120)
    assert cost.total == 10920.5
    assert (
        plan_words.cost_line(cost, 1)
        == "estimate: about 3.0 h here (embedding 60 min, fine-tuning 2.0 h, figures 2 min)"
    )
    assert plan_words.cost_line(cost, 2).startswith("estimate: about 1.5 h here in 2 processes (embedding 30 min")


# What the data sets of a study are.


def write(folder: Path, name: str, **columns: list[Any]) -> tuple[str, Manifest]:
    count = len(next(iter(columns.values())))
    table = pa.table({"image": [f"{row}.png" for row in range(count)], **columns})
    manifest.write(table, folder / f"{name}.parquet", {"root": ".", "data_set": name})
    return name, manifest.read(folder / f"{name}.parquet")


def made(here: list[Any], there: list[Any], labels: list[str], **changes: Any) -> Any:
    return data_sets(here, there, labels, **{"positive": None, "exclude": (), "repeats": 1, "seed": 0, **changes})


def test_a_class_that_one_site_lacks_is_left_out_everywhere_and_counted(tmp_path: Path) -> None:
    here = write(tmp_path, "here", kind=["a", "b", "c", None] * 20)
    there = write(tmp_path, "there", kind=["c", "a", "d", "d"] * 20)
    one, two = made([here], [there], ["kind"])
    assert one.targets[0].classes == two.targets[0].classes == ("a", "c")
    assert one.targets[0].codes[:4].tolist() == [0, -1, 1, -1]
    assert two.targets[0].codes[:4].tolist() == [1, 0, -1, -1]
    assert one.targets[0].left_out == {"label is empty": 20, "class b is not in every data set": 20}
    assert two.targets[0].left_out == {"class d was not learnt": 40}
    used = np.concatenate([one.parts[0].train, one.parts[0].validation, one.parts[0].test])
    assert sorted(used.tolist()) == [row for row in range(80) if row % 4 in (0, 2)]


def test_positive_and_excluded_classes(tmp_path: Path) -> None:
    here = write(tmp_path, "here", kind=["a", "b", "c", "b"] * 20)
    (one,) = made([here], [], ["kind"], exclude=("c",), positive="a")
    assert one.targets[0].classes == ("b", "a")
    assert one.targets[0].left_out == {"class c is excluded": 20}


def test_a_null_site_is_one_site_named_after_the_data_set(tmp_path: Path) -> None:
    patients = ["p1", "p1", "p2", "p2"] * 20
    numbers = [f"{patient}-{row // 8}" for row, patient in enumerate(patients)]
    site = ["here", None, "other", None] * 20
    (one,) = made([write(tmp_path, "here", sick=[0, 1, 1, 0] * 20, patient_id=numbers, site=site)], [], ["sick"])
    assert one.units.name == "patients"
    codes = one.units.codes[:8]
    assert codes[0] == codes[1] == codes[4] == codes[5]  # null is `here`
    assert codes[2] != codes[3]


SPLIT = ["train"] * 40 + ["validation"] * 20 + ["test"] * 20


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"sick": [0] * 40 + [0, 1] * 20}, "here: label 'sick': class 1 has no row in the training part"),
        ({"sick": [0, 1] * 30 + [0] * 20}, "here: label 'sick': class 1 has no row in the test part"),
        ({"sick": ["a", "b", "c", "a"] * 15 + ["a"] * 20}, "here: label 'sick': class b has no row in the test part"),
        (
            {"sick": [0, 1] * 20 + [None] * 20 + [0, 1] * 10, "other": [0, 1] * 40},
            "here: label 'sick': no row of the validation part has it",
        ),
        ({"sick": [0] * 80}, "here: label 'sick' has one class"),
    ],
    ids=["training", "test", "test-of-three", "validation", "one-class"],
)
def test_parts_that_cannot_answer_are_refused_before_any_work(
    tmp_path: Path, columns: dict[str, list[Any]], words: str
) -> None:
    with pytest.raises(LabelError, match=words.replace("(", r"\(")):
        made([write(tmp_path, "here", split=SPLIT, **columns)], [], list(columns))


def test_a_third_class_may_lack_in_the_test_part(tmp_path: Path) -> None:
    here = write(tmp_path, "here", split=SPLIT, kind=["a", "b", "c", "a"] * 15 + ["a", "b"] * 10)
    assert made([here], [], ["kind"])[0].targets[0].classes == ("a", "b", "c")


def test_no_common_classes_are_said(tmp_path: Path) -> None:
    here, there = write(tmp_path, "here", kind=["a", "b"] * 20), write(tmp_path, "there", kind=["b", "c"] * 20)
    with pytest.raises(LabelError, match="there: label 'kind' has only class b of a, b"):
        made([here], [there], ["kind"])
    three = write(tmp_path, "three", kind=["a", "b", "c", "d"] * 20)
    ab, cd = write(tmp_path, "ab", kind=["a", "b"] * 20), write(tmp_path, "cd", kind=["c", "d"] * 20)
    with pytest.raises(LabelError, match="label 'kind' has fewer than two classes that all of three, ab, cd have"):
        made([three], [ab, cd], ["kind"])
