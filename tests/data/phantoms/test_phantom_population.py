"""Who is X-rayed: shares as asked, every patient decided by number alone, bad options refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from remedis.data.phantoms import FINDINGS, Population
from remedis.errors import UsageError

MANY = 1200


@pytest.mark.parametrize(("prevalence", "count"), [(0.0, 60), (0.1, MANY), (0.5, MANY), (1.0, 60)])
def test_prevalence_is_as_asked(prevalence: float, count: int) -> None:
    population = Population(seed=1, prevalence=prevalence)
    patients = [population.patient(number) for number in range(count)]
    deviation = np.sqrt(prevalence * (1 - prevalence) / count)
    for name in FINDINGS:
        share = np.mean([patient.severities[name] > 0 for patient in patients])
        assert abs(share - prevalence) <= 4 * deviation


def test_findings_are_independent_and_severities_uniform() -> None:
    population = Population(seed=2, prevalence=0.5)
    severities = np.array([list(population.patient(n).severities.values()) for n in range(MANY)])
    for one, other in itertools.combinations(range(len(FINDINGS)), 2):
        assert abs(np.corrcoef(severities[:, one] > 0, severities[:, other] > 0)[0, 1]) < 4 / np.sqrt(MANY)
    there = severities[severities > 0]
    assert there.min() >= 0.2
    assert there.max() <= 1
    assert there.mean() == pytest.approx(0.6, abs=4 * 0.8 / np.sqrt(12 * len(there)))


def test_a_fixed_severity_and_chosen_findings() -> None:
    population = Population(findings=("nodule",), severity=0.4, prevalence=0.5)
    found = [population.patient(number).severities for number in range(200)]
    assert {each["nodule"] for each in found} == {0.0, 0.4}
    assert not any(each[name] for each in found for name in FINDINGS if name != "nodule")


def test_a_finding_does_not_move_the_others() -> None:
    every, one = Population(seed=3), Population(seed=3, findings=("effusion",))
    for number in range(50):
        assert every.patient(number).severities["effusion"] == one.patient(number).severities["effusion"]
        assert every.patient(number).age == one.patient(number).age


def test_exams_of_fewer_images_are_the_first_of_more() -> None:
    population = Population(seed=5, views_per_patient=3)
    few, more = list(population.exams(20)), list(population.exams(60))
    assert few == more[:20]
    assert len(more) == 60
    assert len({exam.study_id for exam in more}) == 60


def test_sites_take_turns_and_splits_have_their_shares() -> None:
    patients = [Population(seed=6).patient(number) for number in range(MANY)]
    assert [patient.site for patient in patients[:4]] == ["site-a", "site-b", "site-a", "site-b"]
    for split, share in (("train", 0.6), ("validation", 0.15), ("test", 0.25)):
        found = np.mean([patient.split == split for patient in patients])
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / MANY)
    assert {Population(sites=1).patient(number).site for number in range(5)} == {"site-a"}


def test_views_are_drawn_up_to_the_most_and_the_ill_are_more_often_at_the_bedside() -> None:
    patients = [Population(seed=7, views_per_patient=3).patient(number) for number in range(MANY)]
    assert {len(patient.projections) for patient in patients} == {1, 2, 3}
    shares = {}
    for ill in (True, False):
        chosen = [p for p in patients if any(p.severities.values()) == ill]
        shares[ill] = np.mean([view == "AP" for patient in chosen for view in patient.projections])
    assert shares[True] > shares[False] + 0.1


def test_people_are_of_both_sexes_and_adults() -> None:
    patients = [Population(seed=8).patient(number) for number in range(MANY)]
    assert 0.4 < np.mean([patient.sex == "F" for patient in patients]) < 0.56
    ages = [patient.age for patient in patients]
    assert min(ages) >= 18
    assert max(ages) <= 89


def test_two_populations_share_no_patient_number() -> None:
    numbers = [{Population(seed=seed).patient(n).patient_id for n in range(20)} for seed in (0, 1, 2)]
    assert not numbers[0] & numbers[1] | numbers[1] & numbers[2]
    assert all(each.startswith("SIMULATED") for group in numbers for each in group)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"seed": -1}, "--seed is -1"),
        ({"sites": 3}, "--sites is 3"),
        ({"sites": 0}, "1 to 2 was expected"),
        ({"prevalence": 1.1}, "--prevalence is 1.1"),
        ({"prevalence": float("nan")}, "--prevalence"),
        ({"severity": -0.1}, "--severity"),
        ({"views_per_patient": 0}, "--views-per-patient is 0"),
        ({"findings": ("efusion",)}, "there is no finding 'efusion'"),
    ],
)
def test_a_value_out_of_range_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Population(**wrong)


def test_an_exam_with_other_findings_is_of_the_same_person() -> None:
    exam = next(Population(seed=9).exams(1))
    ill = exam.having(effusion=0.5)
    assert ill.patient.severities == dict.fromkeys(FINDINGS, 0.0) | {"effusion": 0.5}
    assert (ill.study_id, ill.patient.age, ill.projection) == (exam.study_id, exam.patient.age, exam.projection)
    with pytest.raises(UsageError, match="the severity of nodule is 2"):
        exam.having(nodule=2.0)
    with pytest.raises(UsageError, match="there is no finding"):
        exam.having(fracture=0.5)
