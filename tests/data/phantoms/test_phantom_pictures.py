"""Pictures hold what their truth says: masks, severities, hearts, sites and projections."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from remedis.data.phantoms import FINDINGS, Exam, Phantom, Population, acquisition, render
from remedis.data.phantoms.anatomy import Chest
from remedis.data.phantoms.beam import line_integral
from remedis.errors import UsageError

BRIGHTER = {"nodule": 1, "consolidation": 1, "effusion": 1, "cardiomegaly": 1, "pneumothorax": -1}


def exam_of(number: int, *, site: str = "site-a", view: str = "PA", seed: int = 3) -> Exam:
    patient = Population(seed=seed).patient(number)
    return Exam(replace(patient, site=site, projections=(view,)), 0).having()


def cardiothoracic_ratio(phantom: Phantom) -> float:
    heart, lungs = (np.flatnonzero(mask.any(axis=0)) for mask in (phantom.heart, phantom.lungs))
    return float((np.ptp(heart) + 1) / (np.ptp(lungs) + 1))


def noise(picture: npt.NDArray[Any], where: npt.NDArray[np.bool_]) -> float:
    """J. Immerkaer, Fast noise variance estimation, CVIU 64 (1996) 300: a Laplacian difference that lines leave out."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    return float(np.abs(ndimage.convolve(picture.astype(float), kernel)[where]).mean() * np.sqrt(np.pi / 2) / 6)


def test_the_same_exam_gives_the_same_bytes_and_another_seed_does_not() -> None:
    first, again = (render(exam_of(2).having(consolidation=0.6), 96) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.masks["consolidation"], again.masks["consolidation"])
    other = render(exam_of(2, seed=4).having(consolidation=0.6), 96)
    assert (other.lungs != first.lungs).mean() > 0.005
    assert (other.masks["consolidation"] != first.masks["consolidation"]).any()


def test_a_picture_does_not_depend_on_how_many_there_are() -> None:
    few = [render(exam, 48).pixels for exam in Population(seed=5).exams(3)]
    more = [render(exam, 48).pixels for exam in reversed(list(Population(seed=5).exams(6)))]
    for one, other in zip(few, more[::-1], strict=False):
        np.testing.assert_array_equal(one, other)


def test_two_images_of_a_patient_differ_but_show_the_same_person() -> None:
    patient = replace(exam_of(1).patient, projections=("PA", "PA"))
    one, two = (render(Exam(patient, number), 96) for number in (0, 1))
    other = render(exam_of(3), 96)
    assert (one.pixels != two.pixels).mean() > 0.5
    moved = ndimage.shift(two.lungs.astype(float), np.subtract(*map(ndimage.center_of_mass, (one.lungs, two.lungs))))
    assert ((moved > 0.5) != one.lungs).mean() < ((other.lungs) != one.lungs).mean()


def test_another_size_shows_the_same_chest() -> None:
    small, large = (render(exam_of(2).having(effusion=0.5), size) for size in (96, 192))
    pooled = large.pixels.reshape(96, 2, 96, 2).mean(axis=(1, 3))
    inside = slice(8, -12)
    assert np.corrcoef(pooled[inside, inside].ravel(), small.pixels[inside, inside].ravel())[0, 1] > 0.99
    for name in ("lungs", "heart"):
        halved = getattr(large, name)[::2, ::2]
        assert (halved != getattr(small, name)).mean() < 0.02
    assert small.pixel_mm == 2 * large.pixel_mm


def test_form_and_range() -> None:
    phantom = render(exam_of(0), 64)
    assert phantom.pixels.shape == phantom.stored.shape == (64, 64)
    assert phantom.pixels.dtype == np.uint8
    assert phantom.stored.dtype == np.uint16
    assert phantom.stored.max() <= 4095
    assert phantom.masks == {}
    lungs, heart = phantom.pixels[phantom.lungs], phantom.pixels[phantom.heart]
    assert 30 < lungs.mean() < heart.mean() - 60  # a chest film: dark lungs, bright heart, neither cut off
    assert 0.15 < phantom.lungs.mean() < 0.45


@pytest.mark.parametrize("size", [31, 5000])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="32 to 4096"):
        render(exam_of(0), size)


@pytest.mark.parametrize("site", ["site-a", "site-b"])
@pytest.mark.parametrize("name", FINDINGS)
def test_what_changes_in_the_picture_lies_in_the_mask(name: str, site: str) -> None:
    for number, view in ((0, "PA"), (1, "AP"), (5, "PA")):
        exam = exam_of(number, site=site, view=view)
        without, with_it = render(exam, 128), render(exam.having(**{name: 0.7}), 128)
        assert set(with_it.masks) == {name}
        mask = with_it.masks[name]
        change = with_it.stored.astype(float) - without.stored
        assert 0.001 < mask.mean() < 0.25
        inside, outside = change[mask].mean(), change[~mask].mean()
        assert BRIGHTER[name] * inside > 40  # of 4095 levels
        assert abs(outside) < 0.2 * abs(inside)  # scatter, which reaches everywhere
        far = ~ndimage.binary_dilation(mask, iterations=25)
        if far.any():
            assert np.abs(change[far]).mean() < 0.1 * abs(inside)


@pytest.mark.parametrize("name", FINDINGS)
def test_no_body_holds_more_lung_and_air_than_there_is_room_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, seen = sys.modules["remedis.data.phantoms.render"], []

    def spy(chest: Chest, bone: npt.NDArray[Any]) -> npt.NDArray[Any]:
        seen.append((chest, bone))
        return line_integral(chest, bone)

    monkeypatch.setattr(module, "line_integral", spy)
    for number in range(4):
        for view in ("PA", "AP"):
            render(exam_of(number, view=view).having(**{name: 1.0}), 64)
    assert len(seen) == 8
    for chest, bone in seen:
        assert chest.lung.min() >= -1e-3
        assert min(chest.air.min(), bone.min()) >= -0.5  # of a millimetre, where the rim of a tube is thin
        assert (chest.total - chest.lung - chest.air).min() >= -1e-3


@pytest.mark.parametrize("name", FINDINGS)
def test_a_severer_finding_changes_more(name: str) -> None:
    exam = exam_of(4)
    healthy = render(exam, 128).stored.astype(float)
    areas, changes = [0.0], [0.0]
    for severity in (0.2, 0.4, 0.6, 0.8, 1.0):
        phantom = render(exam.having(**{name: severity}), 128)
        areas.append(float(phantom.masks[name].sum()))
        changes.append(float(BRIGHTER[name] * (phantom.stored - healthy)[phantom.masks[name]].sum()))
    assert (np.diff(areas) > 0).all()
    assert (np.diff(changes) > 0).all()


@pytest.mark.parametrize("other", ["effusion", "pneumothorax"])
def test_no_other_finding_hides_the_nodule(other: str) -> None:
    for number in range(8):
        shown = []
        for others in ({}, {other: 1.0}):
            without, with_it = (
                render(exam_of(number).having(**found, **others), 128) for found in ({}, {"nodule": 0.6})
            )
            shown.append((with_it.stored.astype(float) - without.stored)[with_it.masks["nodule"]].sum())
        assert shown[1] > 0.5 * shown[0] > 0


@pytest.mark.parametrize("view", ["PA", "AP"])
def test_the_cardiothoracic_ratio_grows_with_cardiomegaly(view: str) -> None:
    exams = [exam_of(number, view=view) for number in range(10)]
    ratios = np.array(
        [[cardiothoracic_ratio(render(e.having(cardiomegaly=s), 128)) for s in (0.0, 0.5, 1.0)] for e in exams]
    )
    assert (np.diff(ratios, axis=1) > 0.02).all()
    if view == "PA":
        assert ratios[:, 0].mean() < 0.5 < ratios[:, 1].mean()  # 0.5 is the usual limit in PA films


def test_ap_films_magnify_the_heart_and_say_so() -> None:
    for number in range(4):
        pa, ap = (render(exam_of(number, view=view), 256) for view in ("PA", "AP"))
        assert cardiothoracic_ratio(ap) > cardiothoracic_ratio(pa)
        corner = (slice(4, 16), slice(192, 250))  # PORTABLE stands there
        assert (ap.pixels[corner] > 128).sum() > (pa.pixels[corner] > 128).sum() + 60


def test_site_b_is_noisier() -> None:
    for number in range(4):
        levels = {}
        for site in ("site-a", "site-b"):
            phantom = render(exam_of(number, site=site), 192)
            middle = ndimage.binary_erosion(phantom.heart, iterations=6)
            contrast = phantom.stored[middle].mean() - phantom.stored[phantom.lungs].mean()
            levels[site] = noise(phantom.stored, middle) / contrast
        assert levels["site-b"] > 1.5 * levels["site-a"]


def test_scatter_takes_contrast(monkeypatch: pytest.MonkeyPatch) -> None:
    assert acquisition.SITES["site-b"].scatter > acquisition.SITES["site-a"].scatter
    exam = exam_of(2)
    contrast = []
    for scatter in (0.0, acquisition.SITES["site-a"].scatter, acquisition.SITES["site-b"].scatter):
        site = replace(acquisition.SITES["site-a"], scatter=scatter)
        monkeypatch.setitem(acquisition.SITES, "site-a", site)
        phantom = render(exam, 128)
        contrast.append(float(phantom.stored[phantom.heart].mean() - phantom.stored[phantom.lungs].mean()))
    assert contrast[0] > contrast[1] > contrast[2]


def test_a_side_marker_is_lead_in_the_beam_or_written_into_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    exam, pictures = exam_of(2), {}
    for lead in (False, True):
        monkeypatch.setitem(acquisition.SITES, "site-a", replace(acquisition.SITES["site-a"], lead=lead))
        pictures[lead] = render(exam, 192).pixels.astype(int)
    rows, columns = np.nonzero(pictures[True] - pictures[False] > 40)  # R, at the patient's right
    assert rows.size > 10
    assert rows.max() < 60
    assert columns.max() < 48
    rows, columns = np.nonzero(pictures[False] - pictures[True] > 40)  # L, at the left
    assert (pictures[False][rows, columns] > 240).sum() > 8
    assert rows.max() < 48
    assert columns.min() > 160


def test_every_picture_says_that_it_is_simulated() -> None:
    for site in ("site-a", "site-b"):
        one, other = (render(exam_of(number, site=site), 256).pixels for number in (0, 3))
        label = (slice(248, 256), slice(4, 58))
        np.testing.assert_array_equal(one[label] > 127, other[label] > 127)  # the same letters, readable
        assert 0.2 < (one[label] > 127).mean() < 0.6
        assert (one[label] < 30).mean() > 0.15


def test_age_and_sex_show_mildly() -> None:
    exam = exam_of(2)
    young, old = (render(Exam(replace(exam.patient, age=age), 0), 96).stored.astype(float) for age in (25, 85))
    assert 1 < np.abs(young - old).mean() < 150
    man, woman = (render(Exam(replace(exam.patient, sex=sex), 0), 96) for sex in ("M", "F"))
    assert man.lungs.sum() > woman.lungs.sum()


def test_a_linear_probe_on_coarse_pixels_finds_effusion_better_than_chance_but_not_always() -> None:
    exams = list(Population(seed=2, views_per_patient=1).exams(240))
    pixels = np.stack([render(exam, 32).pixels.ravel() for exam in exams]) / 255 - 0.5
    label = np.array([exam.patient.severities["effusion"] > 0 for exam in exams])
    probe = LogisticRegression(C=3e-3, max_iter=300).fit(pixels[:160], label[:160])
    auroc = roc_auc_score(label[160:], probe.decision_function(pixels[160:]))
    assert 0.7 < auroc < 0.995
