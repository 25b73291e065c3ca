"""A whole study of planted vectors, its tables held against scikit-learn's figures of its own predictions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

import planted_studies as planting
from planted_studies import chosen, predictions_of
from remedis.commands import study
from remedis.options.study import Study
from remedis.study import cell_scores
from remedis.study.cell_scores import Scored

FIGURES = ("value", "low", "high", "low_delong", "high_delong", "n", "n_patients", "n_positive")
METRICS = ("auroc", "average_precision", "brier", "ece", "sensitivity_at_95_specificity")


@dataclass(frozen=True)
class Done:
    """A finished study and what it was made of."""

    out: Path
    here: planting.Site
    there: planting.Site
    rows: list[dict[str, str]]


def kinds(state: Any, random: np.random.Generator) -> dict[str, Any]:
    """A second label of three classes, and one that is unknown in a third of the rows."""
    words = np.array(["a", "b", "c"])[(state + random.integers(0, 2, len(state))).astype(int)]
    rare = [
        None if number < 0.33 else str(int(each)) for number, each in zip(random.random(len(state)), state, strict=True)
    ]
    return {"kind": words, "rare": rare}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Two encoders, two sites, three labels, three draws; one encoder lacks every 11th image."""
    folder = tmp_path_factory.mktemp("study")
    here = planting.site(folder, "here", 90, seed=1, images=2, sexes=True, columns=kinds)
    there = planting.site(folder, "there", 130, seed=1, images=2, sexes=True, columns=kinds, parts=(0.35, 0.15))
    vectors = {
        name: [planting.planted(s, 1.5, width=w, seed=w) for s in (here, there)] for name, w in (("one", 3), ("two", 6))
    }
    planting.write_vectors(folder / "one.npz", (here, there), vectors["one"])
    planting.write_vectors(folder / "two.npz", (here, there), vectors["two"])
    with np.load(folder / "two.npz") as file:
        kept = np.arange(len(file["image"])) % 11 != 5
        np.savez(folder / "two.npz", image=file["image"][kept], embedding=file["embedding"][kept])
    rows = planting.studied(
        folder / "out", here, there, label=("sick", "kind", "rare"), draws=3, label_fractions=(0.2, 0.6),
        target_fractions=(0.4,), external=(f"one={folder / 'one.npz'}", f"two={folder / 'two.npz'}"), baseline="two",
    )  # fmt: skip
    return Done(folder / "out", here, there, rows)


def test_the_columns_are_those_of_the_format(done: Done) -> None:
    text = (done.out / "results.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == planting.HEADER
    table = pq.read_table(done.out / "results.parquet")
    assert ",".join(table.column_names) == planting.HEADER
    assert table.num_rows == len(done.rows)
    for row, same in zip(table.to_pylist(), done.rows, strict=True):
        assert {name: "" if value is None else str(value) for name, value in row.items()} == same
    types = {field.name: str(field.type) for field in table.schema}
    assert {types[name] for name in ("seed", "n", "n_patients", "n_positive")} == {"int64"}
    assert {types[name] for name in ("value", "low", "high", "label_fraction", "target_fraction")} == {"double"}


def test_every_question_has_every_metric_once(done: Done) -> None:
    whole = [row for row in done.rows if not row["subgroup"]]
    keys = [
        tuple(row[name] for name in [*planting.HEADER.split(",")[:8], "scenario", "train_dataset", "target_fraction"])
        for row in whole
    ]
    assert len(set(keys)) == len(keys)
    for label, classes in (("sick", {""}), ("rare", {""}), ("kind", {"a", "b", "c", "macro"})):
        rows = chosen(whole, label=label)
        assert {row["class"] for row in rows} == classes
        assert {row["metric"] for row in rows} == set(METRICS)
        # 3 + 3 + 1 draws in and out of distribution, 3 + 1 adapted, of 2 encoders
        assert len(rows) == (7 + 7 + 4) * 2 * len(METRICS) * len(classes)


def test_scenarios_say_what_was_learnt_from_and_tested(done: Done) -> None:
    here, there = str(done.here.path), str(done.there.path)
    found = {
        (row["scenario"], row["train_dataset"], row["dataset"], row["label_fraction"], row["target_fraction"])
        for row in done.rows
    }
    shares = ("0.2", "0.6", "1.0")
    assert found == {
        *(("in_distribution", here, here, share, "") for share in shares),
        *(("out_of_distribution", here, there, share, "") for share in shares),
        *(("adapted", there, there, "", share) for share in ("0.4", "1.0")),
    }
    assert {row["method"] for row in done.rows} == {"logistic"}


def test_all_labels_are_counted_once(done: Done) -> None:
    for row in done.rows:
        if "1.0" in (row["label_fraction"], row["target_fraction"]):
            assert row["seed"] == "0"
    assert {row["seed"] for row in chosen(done.rows, label_fraction="0.2")} == {"0", "1", "2"}
    (sizes,) = {
        (row["draws"], row["fraction"])
        for row in planting.table_of(done.out / "curves.csv")
        if row["fraction"] == "1.0"
    }
    assert sizes == ("1", "1.0")


def test_out_of_distribution_and_adapted_are_tested_on_the_same_rows(done: Done) -> None:
    """Every encoder too: an image that one of them lacks is tested by none."""
    images = {}
    for encoder in ("one", "two"):
        for train in (done.here, done.there):
            table = predictions_of(done.out, encoder, train.path, done.there.path)
            images[encoder, train.path] = [
                row["image"] for row in table.select(["image", "split"]).to_pylist() if row["split"] == "test"
            ]
    assert len({tuple(each) for each in images.values()}) == 1
    tested = next(iter(images.values()))
    assert len(tested) > 20
    lacking = set(done.there.images[(5 - len(done.here.images)) % 11 :: 11])
    assert len(lacking) > 10
    assert not lacking & set(tested)
    for label in ("sick", "kind", "rare"):
        rows = chosen(done.rows, label=label, dataset=done.there.path, subgroup="")
        assert len({(row["n"], row["n_patients"]) for row in rows}) == 1


def truth_and_scores(table: pa.Table, label: str, name: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return (n,) truth and scores of a class (or of label 1) in the tested rows that have the label."""
    rows = [row for row in table.to_pylist() if row["split"] == "test" and row[label] is not None]
    column = f"score_{label}={name}" if name else f"score_{label}"
    truth = np.array([str(row[label]) == (name or "1") for row in rows])
    return truth, np.array([row[column] for row in rows]), [row["patient_id"] for row in rows]


def ece_of(truth: np.ndarray, scores: np.ndarray) -> float:
    """Fifteen bins of the same width, each weighed by its rows."""
    place = np.minimum((scores * 15).astype(int), 14)
    return sum(abs(truth[place == each].sum() - scores[place == each].sum()) for each in range(15)) / len(truth)


def sensitivity_of(truth: np.ndarray, scores: np.ndarray) -> float:
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    return float(true[false <= 0.05].max())


@pytest.mark.parametrize("encoder", ["one", "two"])
@pytest.mark.parametrize(
    ("scenario", "train", "tested"),
    [("in_distribution", "here", "here"), ("out_of_distribution", "here", "there"), ("adapted", "there", "there")],
    ids=["in", "out", "adapted"],
)
def test_rows_are_what_scikit_learn_makes_of_the_predictions(
    done: Done, encoder: str, scenario: str, train: str, tested: str
) -> None:
    table = predictions_of(done.out, encoder, getattr(done, train).path, getattr(done, tested).path)
    share = {"target_fraction" if scenario == "adapted" else "label_fraction": "1.0"}
    for label, name in (("sick", ""), ("rare", ""), ("kind", "a"), ("kind", "b"), ("kind", "c")):
        truth, scores, patients = truth_and_scores(table, label, name)
        rows = chosen(
            done.rows, encoder=encoder, scenario=scenario, label=label, subgroup="", **share, **{"class": name}
        )
        value = {row["metric"]: float(row["value"]) for row in rows}
        assert value == pytest.approx({
            "auroc": roc_auc_score(truth, scores), "average_precision": average_precision_score(truth, scores),
            "brier": brier_score_loss(truth, scores), "ece": ece_of(truth, scores),
            "sensitivity_at_95_specificity": sensitivity_of(truth, scores),
        }, abs=1e-12)  # fmt: skip
        assert {row["n"] for row in rows} == {str(len(truth))}
        assert {row["n_patients"] for row in rows} == {str(len(set(patients)))}
        assert {row["n_positive"] for row in rows} == {str(int(truth.sum()))}
        for row in rows:
            assert float(row["low"]) <= float(row["high"])
            assert not row["low_delong"]  # patients have two images


def test_the_mean_of_several_classes(done: Done) -> None:
    rows = chosen(done.rows, encoder="one", scenario="adapted", label="kind", target_fraction="1.0", subgroup="")
    for metric in METRICS:
        by_class = {row["class"]: float(row["value"]) for row in chosen(rows, metric=metric)}
        macro = by_class.pop("macro")
        mean = sum(by_class.values()) * (1 if metric == "brier" else 1 / 3)
        assert macro == pytest.approx(mean, abs=1e-12)
    assert {row["n_positive"] for row in rows if row["class"] == "macro"} == {""}


def test_rows_of_groups_are_of_the_group_alone(done: Done) -> None:
    groups = [row for row in done.rows if row["subgroup"] and row["metric"] == "auroc" and row["label"] == "sick"]
    assert {(row["scenario"], row["subgroup"]) for row in groups} == {
        (scenario, f"sex={sex}") for scenario in ("out_of_distribution", "adapted") for sex in "FM"
    }  # of the tested patients here too few are of each sex
    for row in groups:
        train, tested = (getattr(done, Path(row[name]).stem) for name in ("train_dataset", "dataset"))
        table = predictions_of(done.out, row["encoder"], train.path, tested.path)
        own = table.filter(pa.array([f"sex={sex}" == row["subgroup"] for sex in table["sex"].to_pylist()]))
        truth, scores, patients = truth_and_scores(own, "sick", "")
        assert float(row["value"]) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
        assert (row["n"], row["n_patients"], row["n_positive"]) == (
            str(len(truth)), str(len(set(patients))), str(int(truth.sum())),
        )  # fmt: skip


def test_curves_are_the_mean_of_the_results_and_matches_hold_the_baselines_line(done: Done) -> None:
    points = planting.table_of(done.out / "curves.csv")
    for point in points:
        name = "target_fraction" if point["scenario"] == "adapted" else "label_fraction"
        rows = chosen(
            done.rows, encoder=point["encoder"], scenario=point["scenario"], label=point["label"], metric="auroc",
            subgroup="", **{name: point["fraction"], "class": "macro" if point["label"] == "kind" else ""},
        )  # fmt: skip
        assert len(rows) == int(point["draws"])
        assert float(point["auroc"]) == pytest.approx(np.mean([float(row["value"]) for row in rows]), abs=1e-12)
        assert {row["n"] for row in rows} == {point["n"]}
    assert len(points) == 3 * 2 * (3 + 3 + 2)
    for row in planting.table_of(done.out / "matches.csv"):
        whole = chosen(points, encoder="two", scenario=row["scenario"], label=row["label"], fraction="1.0")
        assert row["line"] == whole[0]["auroc"]
        assert row["baseline"] == "two"
        if row["encoder"] == "two":  # it reaches itself in every draw
            assert (row["reached"], float(row["high"]) <= 1) == ("1.0", True)
    for row in planting.table_of(done.out / "differences.csv"):
        pair = [
            float(
                chosen(points, encoder=name, **{key: row[key] for key in ("scenario", "label", "fraction")})[0]["auroc"]
            )
            for name in ("one", "two")
        ]
        assert float(row["difference"]) == pytest.approx(pair[0] - pair[1], abs=1e-12)
        assert (row["p"] != "") == (row["fraction"] == "1.0")


def test_p_values_are_adjusted_by_holm_for_the_labels_of_a_scenario(done: Done) -> None:
    rows = [row for row in planting.table_of(done.out / "differences.csv") if row["p"]]
    for scenario in ("in_distribution", "out_of_distribution", "adapted"):
        family = sorted(chosen(rows, scenario=scenario), key=lambda row: float(row["p"]))
        assert len(family) == 3
        least = 0.0
        for place, row in enumerate(family):
            least = max(least, min(1.0, (3 - place) * float(row["p"])))
            assert float(row["p_holm"]) == pytest.approx(least)
        assert {row["p_delong"] for row in family} == {""}  # patients have two images


def test_labelled_images_of_a_curve_are_the_draws(done: Done) -> None:
    for point in planting.table_of(done.out / "curves.csv"):
        images, patients = float(point["labelled_images"]), float(point["labelled_patients"])
        if point["label"] == "rare":  # a third of the rows lacks it, each image by itself
            assert patients < images < 2 * patients
            continue
        assert images == 2 * patients  # whole patients
        site = done.there if point["scenario"] == "adapted" else done.here
        training = (0.35 if point["scenario"] == "adapted" else 0.85 * 0.8) * len(site.images) / 2
        assert patients == pytest.approx(float(point["fraction"]) * training, abs=4)


def test_who_is_in_the_flow(done: Done) -> None:
    flow = json.loads((done.out / "flow.json").read_text())
    here = flow[str(done.here.path)]
    assert here["rows"] == len(done.here.images) == sum(part["images"] for part in here["parts"].values())
    assert here["left_out"] == {}  # every row is used for some label
    assert (here["given"], here["drawn"]) == ([], ["validation", "test"])
    assert here["labels"]["rare"]["why"] == ["label is empty"]
    assert {label: each["lacking"] for label, each in here["labels"].items() if label != "rare"} == {
        "sick": 0, "kind": 0,
    }  # fmt: skip
    assert sum(here["by_class"]["sick"]["train"].values()) == here["parts"]["train"]["images"]
    assert sum(sum(sexes.values()) for sexes in here["sex"].values()) == here["rows"]


def test_curves_and_flow_count_the_rows_of_a_label_alike(done: Done) -> None:
    """What a label is learnt from and tested on: one number in curves.csv, results.csv and flow.json."""
    flow = json.loads((done.out / "flow.json").read_text())
    for point in chosen(planting.table_of(done.out / "curves.csv"), fraction="1.0"):
        learnt, tested = (flow[point[name]]["labels"][point["label"]]["parts"] for name in ("train_dataset", "dataset"))
        assert float(point["labelled_images"]) == learnt["train"]["images"]
        assert float(point["labelled_patients"]) == learnt["train"]["patients"]
        assert (point["n"], point["n_patients"]) == tuple(str(tested["test"][each]) for each in ("images", "patients"))
    rare = flow[str(done.here.path)]["labels"]["rare"]["parts"]["train"]["images"]
    table = pq.read_table(done.here.path)
    assert 0 < rare < table.num_rows - table["rare"].null_count


@pytest.mark.slow
def test_several_sites_on_both_sides_are_a_question_each(tmp_path: Path) -> None:
    """No row of any table stands twice, and each site's groups are told once for each model."""
    sites = [planting.site(tmp_path, name, 130, seed=1, sexes=True, parts=(0.3, 0.2)) for name in ("a", "b", "c", "d")]
    for name, width in (("one", 2), ("two", 3)):
        planting.write_vectors(
            tmp_path / f"{name}.npz", sites, [planting.planted(s, 1, width=width, seed=1) for s in sites]
        )
    study.run(Study(
        out=tmp_path / "out", manifest=(sites[0].path, sites[1].path), ood=(sites[2].path, sites[3].path),
        external=tuple(f"{name}={tmp_path}/{name}.npz" for name in ("one", "two")), label=("sick",), bootstrap=20,
        label_fractions=(0.5,), draws=2, device="cpu", workers=0,
    ))  # fmt: skip
    rows = planting.table_of(tmp_path / "out" / "results.csv")
    names = [name for name in planting.HEADER.split(",") if name not in FIGURES]
    keys = [tuple(row[name] for name in names) for row in rows]
    assert len(set(keys)) == len(keys)
    asked = {(row["scenario"], Path(row["train_dataset"]).stem, Path(row["dataset"]).stem) for row in rows}
    assert asked == {
        *(("in_distribution", each, each) for each in "ab"),
        *(("out_of_distribution", one, other) for one in "ab" for other in "cd"),
        *(("adapted", each, each) for each in "cd"),
    }
    groups = {
        (row["scenario"], row["train_dataset"], row["dataset"], row["subgroup"]) for row in rows if row["subgroup"]
    }
    assert len(groups) == 2 * len(asked)
    for path in (tmp_path / "out").glob("*.csv"):
        lines = path.read_text().splitlines()
        assert len(set(lines)) == len(lines), path.name
    curves = planting.table_of(tmp_path / "out" / "curves.csv")
    assert len(curves) == len(asked) * 2 * 2
    assert len(list((tmp_path / "out" / "predictions").glob("*.parquet"))) == len(asked) * 2


def test_scores_come_back_as_they_were_written(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    written = [
        Scored(0.1, draw, "a/b.parquet", part, label, np.arange(3, 3 + count), scores)
        for draw in (0, 1)
        for part, count in (("validation", 4), ("test", 5))
        for label, scores in (("x", random.random(count)), ("y", random.random((count, 3))))
    ]
    cell_scores.write(tmp_path / "c.parquet", written)
    found = list(cell_scores.read(tmp_path / "c.parquet"))
    assert len(found) == len(written)
    for one, other in zip(found, written, strict=True):
        assert (one.fraction, one.draw, one.dataset, one.part, one.label) == (
            other.fraction, other.draw, other.dataset, other.part, other.label,
        )  # fmt: skip
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.scores, other.scores)
