"""`remedis inspect`: the numbers it shows are the file's, and nothing that names a person leaves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from references import dicom_display
from references.dicom_display import Header
from references.written_dicom import dicom_bytes
from remedis import cli
from remedis.commands.inspect import distance
from remedis.data.readers import read

STORED = np.random.default_rng(1).integers(20, 4000, (12, 17)).astype(np.uint16)
WINDOW = {"RescaleSlope": "2", "RescaleIntercept": "-100", "WindowCenter": "3000", "WindowWidth": "2500"}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "x.dcm"
    path.write_bytes(dicom_bytes(STORED, 12, photometric="MONOCHROME1", PatientName="DOE^JANE", **WINDOW))
    return path


def run(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, str, str]:
    status = cli.run(["inspect", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


def as_data(capsys: pytest.CaptureFixture[str], *words: Any) -> dict[str, Any]:
    status, out, err = run(capsys, *words, "--json")
    assert (status, err) == (0, "")
    data: dict[str, Any] = json.loads(out)
    return data


def shares(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return pixels.astype(np.float64) / (255 if pixels.dtype == np.uint8 else 65535)


def test_the_ranges_are_the_formulas(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = as_data(capsys, film)
    made = data["profiles"]["dicom-display"]
    ranges = {step["name"]: (step["low"], step["high"]) for step in made["steps"]}
    header = Header(bits=12, monochrome1=True, slope=2, intercept=-100, window=(3000, 2500))
    shown = dicom_display.display(STORED, header)
    assert ranges["stored"] == (STORED.min(), STORED.max())
    assert ranges["rescale"] == (2 * int(STORED.min()) - 100, 2 * int(STORED.max()) - 100)
    assert ranges["window"] == pytest.approx((1 - shown.max(), 1 - shown.min()))
    assert ranges["invert"] == pytest.approx((shown.min(), shown.max()))
    assert ranges["to 16 bits"] == (np.rint(shown.min() * 65535), np.rint(shown.max() * 65535))
    assert made["dtype"] == "uint16"
    assert made["shape"] == [12, 17, 3]
    assert data["facts"]["photometric"] == "MONOCHROME1"
    assert data["facts"]["window_used"] == [3000, 2500]
    units = 2 * STORED.astype(int) - 100
    below, above = (units < 3000 - 0.5 - 2499 / 2).sum(), (units > 3000 - 0.5 + 2499 / 2).sum()
    window = next(step["detail"] for step in made["steps"] if step["name"] == "window")
    assert f"{below:,} pixels below and {above:,} above" in window


def test_the_text_says_what_the_data_say(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, film)
    assert (status, err) == (0, "")
    assert out.startswith(f"{film}: DICOM, 17 × 12 pixels\n")
    line = next(line for line in out.splitlines() if line.strip().startswith("stored"))
    assert line.split()[1:3] == [str(STORED.min()), str(STORED.max())]
    assert "× 2 - 100" in out
    assert "preamble         present" in out


def test_two_profiles_and_how_far_they_are_apart(
    film: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = as_data(capsys, film, "--profiles", "dicom-display,xrv")
    one, other = (shares(read(film, name).pixels) for name in ("dicom-display", "xrv"))
    assert data["distance"]["largest"] == pytest.approx(np.abs(one - other).max(), abs=1e-12)
    assert data["distance"]["mean"] == pytest.approx(np.abs(one - other).mean(), abs=1e-12)
    a, b = one - one.mean(), other - other.mean()
    assert data["distance"]["correlation"] == pytest.approx((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))
    assert data["distance"]["inverted"] is False
    _, text, _ = run(capsys, film, "--profiles", "dicom-display,xrv")
    assert f"largest difference  {np.abs(one - other).max():.4f}" in text
    assert f"mean difference     {np.abs(one - other).mean():.4f}" in text


def test_a_negative_is_called_one() -> None:
    picture = STORED[..., None].repeat(3, axis=2) * np.uint16(16)
    apart = distance(picture, np.uint16(65535) - picture)
    assert apart["inverted"] is True
    assert apart["correlation"] == pytest.approx(-1)
    assert distance(picture, picture) == {
        "largest": 0.0, "mean": 0.0, "correlation": pytest.approx(1), "inverted": False
    }  # fmt: skip
    assert distance(picture, np.zeros_like(picture))["correlation"] is None


def test_the_pictures_are_written_side_by_side(film: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "both.png"
    data = as_data(capsys, film, "--profiles", "dicom-display,xrv", "--out", out)
    assert data["out"] == str(out)
    expected = [np.rint(shares(read(film, name).pixels) * 255) for name in ("dicom-display", "xrv")]
    with Pillow.open(out) as picture:
        assert np.array_equal(np.asarray(picture), np.concatenate(expected, axis=1))
    as_data(capsys, film, "--out", out)
    with Pillow.open(out) as picture:
        assert np.array_equal(np.asarray(picture), expected[0])


def test_one_frame_of_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(dicom_bytes(np.stack([STORED, STORED // 3]), 12, frames=2))
    whole, second = as_data(capsys, path), as_data(capsys, path, "--frame", 1)
    assert whole["frames"] == second["frames"] == 2
    assert whole["profiles"]["dicom-display"]["shape"] == [2, 12, 17, 3]
    assert second["profiles"]["dicom-display"]["shape"] == [12, 17, 3]
    assert second["profiles"]["dicom-display"]["steps"][0]["high"] == (STORED // 3).max()
    status, _, err = run(capsys, path, "--frame", 2)
    assert status == 2
    assert "the file holds 2 (0 … 1)" in err
    _, text, _ = run(capsys, path)
    assert "2 frames of 17 × 12 pixels" in text


def test_a_dark_picture_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dark.dcm"
    path.write_bytes(dicom_bytes(STORED // 16, 12))
    _, out, _ = run(capsys, path, "--profile", "xrv")
    assert "caution: the brightest pixel is" in out
    _, out, _ = run(capsys, path)
    assert "caution" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--profile", "dicom_display"), "did you mean dicom-display"),
        (("--profiles", "dicom-display,xvr"), "did you mean xrv"),
        (("--profiles", "xrv"), "two were expected"),
        (("--profiles", "xrv,mimic-jpg,remedis-cxr"), "two were expected"),
        (("--profile", "xrv", "--profiles", "xrv,mimic-jpg"), "both given"),
    ],
)
def test_mistakes_are_one_line_with_status_2(
    film: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    status, out, err = run(capsys, film, *words)
    assert (status, out) == (2, "")
    assert err.startswith("remedis: error: ")
    assert err.count("\n") == 1
    assert message in err


def test_files_that_cannot_be_read_are_one_line_and_nothing_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = dicom_bytes(STORED, 12, PatientName="DOE^JANE", PatientID="ID4711")
    out = tmp_path / "out.png"
    for name, data in (("cut.dcm", whole[:-9]), ("text.dcm", b"DOE^JANE"), ("empty.dcm", b"")):
        (tmp_path / name).write_bytes(data)
        status, printed, err = run(capfd, tmp_path / name, "--out", out)
        assert (status, printed) == (2, "")
        assert err.startswith(f"remedis: error: {tmp_path / name}: ")
        assert err.count("\n") == 1
        assert "DOE" not in err
        assert "4711" not in err
        assert not out.exists()
    status, _, err = run(capfd, tmp_path / "none.dcm")
    assert (status, err.count("\n")) == (2, 1)


def test_an_output_folder_is_made_where_it_is_missing_and_is_no_file_name(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = film.parent / "not" / "yet" / "x.png"
    as_data(capsys, film, "--out", deep)
    assert deep.exists()
    status, out, err = run(capsys, film, "--out", deep.parent)
    assert (status, out) == (2, "")
    assert err == f"remedis: error: {deep.parent}: is a folder, the name of a PNG file was expected for --out\n"


def test_nobody_is_named(film: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("--json",), ("--profiles", "dicom-display,mimic-jpg")):
        _, out, err = run(capfd, film, *words)
        assert "DOE" not in out + err
        assert "JANE" not in out + err
