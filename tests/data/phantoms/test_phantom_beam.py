"""The beam's physics against the formulas: attenuation, scatter, quanta, window, letters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from remedis.data.phantoms.acquisition import SITES, beam_field
from remedis.data.phantoms.anatomy import Body, Chest, chest, pose_of
from remedis.data.phantoms.beam import changed, counted, exposed, line_integral
from remedis.data.phantoms.geometry import FIELD_MM, Grid
from remedis.data.phantoms.markers import LETTERS, text
from remedis.data.phantoms.population import Exam, Population
from remedis.data.phantoms.render import through_window

EXAM = next(Population(seed=1).exams(1))


def slab(total: float, lung: float, air: float, size: int = 40) -> Chest:
    """A block of matter instead of a chest."""
    body = chest(Grid.of(size, pose_of(EXAM)), Body.of(EXAM))
    full = np.ones((size, size), np.float32)
    return replace(body, total=total * full, lung=lung * full, air=air * full)


@pytest.mark.parametrize(
    ("total", "lung", "air", "bone", "expected"),
    [
        (100.0, 0.0, 0.0, 0.0, 10 * 0.2048 * 1.06),  # 10 cm of soft tissue, NIST at 60 keV
        (100.0, 100.0, 0.0, 0.0, 10 * 0.2053 * 0.26),
        (100.0, 0.0, 100.0, 0.0, 0.0),
        (10.0, 0.0, 0.0, 10.0, 1 * 0.3148 * 1.92),
        (100.0, 60.0, 10.0, 0.0, 3 * 0.2048 * 1.06 + 6 * 0.2053 * 0.26),
    ],
)
def test_the_line_integral_adds_what_the_beam_crosses(
    total: float, lung: float, air: float, bone: float, expected: float
) -> None:
    found = line_integral(slab(total, lung, air), np.full((40, 40), bone, np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_change_counts_from_three_per_cent_of_the_beam() -> None:
    before = slab(200.0, 100.0, 0.0)
    per_mm = (0.2048 * 1.06 - 0.2053 * 0.26) / 10  # fluid in the place of lung
    for millimetres, counts in ((0.9 * 0.03 / per_mm, False), (1.1 * 0.03 / per_mm, True)):
        after = replace(before, lung=before.lung - np.float32(millimetres))
        assert changed(before.lung, before.air, after).all() == counts


def test_air_in_the_place_of_lung_changes_the_beam_by_the_lungs_part_only() -> None:
    before = slab(200.0, 100.0, 0.0)
    for millimetres, counts in ((0.9 * 0.03 / (0.2053 * 0.26 / 10), False), (1.1 * 0.03 / (0.2053 * 0.26 / 10), True)):
        moved = np.float32(millimetres)
        after = replace(before, lung=before.lung - moved, air=before.air + moved)
        assert changed(before.lung, before.air, after).all() == counts


def test_without_scatter_the_beam_follows_lambert_and_beer() -> None:
    integral = np.random.default_rng(0).uniform(0, 5, (32, 32)).astype(np.float32)
    np.testing.assert_allclose(exposed(integral, 0.0, 2.0), np.exp(2.0 - integral.astype(np.float64)), rtol=1e-5)


def test_a_uniform_block_scatters_by_its_forward_potential() -> None:
    integral = np.full((64, 64), 1.7, np.float32)
    np.testing.assert_allclose(exposed(integral, 0.2, 1.7), 1 + 0.2 * 1.7, rtol=1e-3)


def test_scatter_reaches_behind_what_blocks_the_beam() -> None:
    integral = np.full((96, 96), 1.5, np.float32)
    integral[40:56, 40:56] = 12.0
    behind = exposed(integral, 0.3, 1.5)[48, 48]
    assert behind > 0.1  # without scatter exp(-10.5)


@pytest.mark.parametrize("quanta", [200.0, 5000.0])
def test_counts_have_poissons_variance(quanta: float) -> None:
    energy = np.full((300, 300), 0.5, np.float32)
    seen = counted(energy, quanta, np.random.default_rng(5))
    assert seen.mean() == pytest.approx(0.5, rel=4 * np.sqrt(1 / (0.5 * quanta)) / 300)
    assert seen.var() == pytest.approx((0.5 * quanta + 4) / quanta**2, rel=0.03)


def test_the_window_is_the_standards() -> None:
    rows = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    for site in SITES.values():
        header = Dataset()
        header.WindowCenter, header.WindowWidth = site.window
        header.BitsStored, header.PixelRepresentation = 12, 0
        header.PhotometricInterpretation = "MONOCHROME2"
        wanted = apply_windowing(rows, header) / 4095 * 255
        assert np.abs(through_window(rows, site.window) - wanted).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("size", [64, 301])
def test_letters_cover_their_area_at_any_size(size: int) -> None:
    covered = text("PORTABLE", size, left=-60.0, top=20.0, cell=1.9)
    cells = sum(row.count("#") for letter in "PORTABLE" for row in LETTERS[letter])
    assert covered.sum() * (FIELD_MM / size) ** 2 == pytest.approx(cells * 1.9**2, rel=1e-4)
    assert covered.max() <= 1 + 1e-5


def test_letters_are_all_different_and_five_by_seven() -> None:
    assert len(set(LETTERS.values())) == len(LETTERS)
    for rows in LETTERS.values():
        assert len(rows) == 7
        assert {len(row) for row in rows} == {5}


def test_the_collimated_field_is_open_inside_and_differs_between_images() -> None:
    exams = [Exam(Population(seed=4, sites=2).patient(number), 0) for number in range(8)]
    fields = [beam_field(exam, 80) for exam in exams]
    for open_ in fields:
        assert open_.min() >= 0
        assert open_[20:60, 20:60].min() == 1
    assert len({float(open_.sum()) for open_ in fields}) > 4
