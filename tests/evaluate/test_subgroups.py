"""Groups hold the rows that they say, and their differences are those of the same draws."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from references.bootstrap import repeated_rows
from remedis.errors import ManifestError, UsageError
from remedis.evaluate.compare import statistic_of
from remedis.evaluate.intervals import counts_of_draws
from remedis.evaluate.metrics import Statistic
from remedis.evaluate.subgroups import Group, age_bands, compare_groups, groups_of, values_in


def cohort(units: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[str, np.ndarray]]]:
    """Return truth, scores, patients of two images each, and three groups of patients of falling quality."""
    random = np.random.default_rng(seed)
    of = np.repeat(np.arange(units), 2)
    truth = (random.random(units) < 0.5)[of]
    group = (np.arange(units) % 3)[of]
    scores = 1 / (1 + np.exp(-((2.0 - 0.8 * group) * truth + random.normal(size=len(of)))))
    return truth, scores, of, [(name, np.flatnonzero(group == place)) for place, name in enumerate("abc")]


def auroc_of(truth: np.ndarray, scores: np.ndarray, units: np.ndarray, rows: np.ndarray) -> Statistic:
    return statistic_of(("auroc",), truth[rows], scores[rows], units[rows], int(units.max()) + 1)


def test_every_figure_is_that_of_the_loop_over_the_same_draws() -> None:
    truth, scores, units, values = cohort()
    groups = groups_of(values, truth, units)
    found = compare_groups(groups, lambda rows: auroc_of(truth, scores, units, rows), units, draws=15, seed=1)
    drawn: dict[str, list[float]] = {name: [] for name, _ in values}
    rest: dict[str, list[float]] = {name: [] for name, _ in values}
    for counts in np.concatenate(list(counts_of_draws(90, 15, 1)), axis=1).T:
        rows = repeated_rows(units, counts)
        for name, own in values:
            inside = np.isin(rows, own)
            drawn[name].append(roc_auc_score(truth[rows[inside]], scores[rows[inside]]))
            rest[name].append(roc_auc_score(truth[rows[~inside]], scores[rows[~inside]]))
    for each in found:
        draws = np.array(drawn[each.group])
        if each.kind == "rest":
            draws = draws - np.array(rest[each.group])
        elif each.kind == "gap":
            draws = draws - np.array(drawn[each.against])
        expected = np.quantile(draws, [0.025, 0.975])
        assert (each.interval.low, each.interval.high) == pytest.approx(tuple(expected)), each
    assert [each.kind for each in found] == ["group"] * 3 + ["rest"] * 3 + ["gap"]
    plain = {name: roc_auc_score(truth[own], scores[own]) for name, own in values}
    gap = found[-1]
    assert (gap.group, gap.against) == (max(plain, key=plain.get), min(plain, key=plain.get))  # type: ignore[arg-type]
    assert gap.interval.value == pytest.approx(max(plain.values()) - min(plain.values()))


def test_of_a_loss_the_best_is_the_smallest() -> None:
    truth, scores, units, values = cohort()
    found = compare_groups(
        groups_of(values, truth, units),
        lambda rows: statistic_of(("brier",), truth[rows], scores[rows], units[rows], 90),
        units, draws=5,
    )  # fmt: skip
    plain = {each.group: each.interval.value for each in found if each.kind == "group"}
    assert found[-1].group == min(plain, key=plain.get)  # type: ignore[arg-type]
    assert found[-1].interval.value < 0


def test_groups_with_few_patients_are_named_and_have_no_figure() -> None:
    truth, scores, units, values = cohort()
    few = [("few", values[0][1][:38]), ("one sided", np.flatnonzero(truth)[:60]), ("enough", values[1][1])]
    groups = groups_of(few, truth, units, unit="clusters")
    assert groups[0].skipped == "19 clusters, fewer than 20"
    assert groups[1].skipped == "0 clusters of a class, fewer than 5"
    assert not groups[2].skipped
    found = compare_groups(groups, lambda rows: auroc_of(truth, scores, units, rows), units, draws=5)
    assert {each.group for each in found} == {"enough"}


def test_rows_without_a_value_have_figures_and_stand_against_nobody() -> None:
    truth, scores, units, values = cohort()
    named = [*values[:2], ("not given", values[2][1])]
    found = compare_groups(
        groups_of(named, truth, units), lambda rows: auroc_of(truth, scores, units, rows), units, draws=5
    )
    assert [(each.kind, each.group) for each in found] == [
        ("group", "a"), ("group", "b"), ("group", "not given"), ("rest", "a"), ("rest", "b"), ("gap", "a"),
    ]  # fmt: skip
    own = [roc_auc_score(truth[rows], scores[rows]) for _, rows in values]
    assert found[3].interval.value == pytest.approx(own[0] - own[1])


def test_without_a_group_that_is_large_enough_there_is_nothing() -> None:
    groups = [Group("a", np.arange(3), 3, "3 patients, fewer than 20")]
    assert compare_groups(groups, lambda rows: pytest.fail("not to be called"), np.arange(3)) == []


def test_ages_fall_into_bands_whose_lower_edge_belongs_to_them() -> None:
    ages = pa.table({"age": [0, 17, 18, 39.5, 40, 79, 80, 101, None]})
    found = {name: rows.tolist() for name, rows in values_in(ages, "age")}
    assert found == {
        "0 to 17": [0, 1], "18 to 39": [2, 3], "40 to 59": [4], "60 to 79": [5], "80 and over": [6, 7],
        "not given": [8],
    }  # fmt: skip
    assert [name for _, _, name in age_bands((50, 65))] == ["50 to 64", "65 and over"]
    assert [(name, rows.tolist()) for name, rows in values_in(ages, "age", (18, 80))] == [
        ("under 18", [0, 1]), ("18 to 79", [2, 3, 4, 5]), ("80 and over", [6, 7]), ("not given", [8]),
    ]  # fmt: skip


def test_ages_in_words_are_values_like_others() -> None:
    found = values_in(pa.table({"age": ["adult", "child", "adult"]}), "age")
    assert {name: rows.tolist() for name, rows in found} == {"adult": [0, 2], "child": [1]}


@pytest.mark.parametrize("edges", [(40,), (40, 18), (18, 18), (-1, 18)])
def test_bands_that_do_not_rise_are_refused(edges: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="age-bands"):
        age_bands(edges)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ManifestError, match="sex"):
        values_in(pa.table({"six": [1]}), "sex")
