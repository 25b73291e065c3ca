"""Nothing that tells who was imaged leaves by the page unless it is asked for, and no name can become markup."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import report_folders
from html_check import Strict
from remedis.report.naming import condition_shown, path_shown
from remedis.report.page import render
from remedis.report.svg import printable
from remedis.report.thumbnails import EMPTY
from report_folders import people, reported

Found = Callable[[str], Any]
COUNT = 160
SECRETS = ("Mueller", "PAT0", "STUDY", "SERIES", "Ludwig", "very-private")


@pytest.fixture(scope="session")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A probe whose paths, patients, studies and condition all name someone."""
    folder = tmp_path_factory.mktemp("very-private") / "Ludwig"
    folder.mkdir()
    columns = people(COUNT) | {
        "image": [f'Mueller_<script>"{row}.png' for row in range(COUNT)],
        "study_id": [f"STUDY{row}" for row in range(COUNT)],
        "series_id": [f"SERIES{row}" for row in range(COUNT)],
    }
    job = {"manifest": str(folder / "m.parquet"), "encoder": str(folder / "e")}
    report_folders.binary(folder, count=COUNT, job=job, **columns)
    probe = folder / "again"
    report_folders.probed(folder / "emb", probe, label=("pneumonia",), where=("patient_id!=PAT0007",))
    return probe


def both(page: tuple[str, dict[str, Any]]) -> str:
    return page[0] + json.dumps(page[1], ensure_ascii=False)


def test_without_names_nothing_identifying_is_there(named: Path, tmp_path: Path) -> None:
    found = both(reported(named, tmp_path / "page.html", root=named.parent / "images"))
    for secret in SECRETS:
        assert secret not in found
    assert str(tmp_path.parent.parent) not in found
    assert "patient_id!=…" in found
    assert "image 1" in found


def test_with_names_they_are_shown_and_no_markup_comes_of_them(named: Path, tmp_path: Path) -> None:
    html, data = reported(named, tmp_path / "page.html", names=True)
    for secret in SECRETS[:2]:
        assert secret in html
        assert secret in json.dumps(data)
    assert "patient_id!=PAT0007" in html
    assert "Mueller_&lt;script&gt;&#34;" in html
    assert "Mueller_<script>" not in html
    assert str(named.parent / "m.parquet") in html


def test_without_images_no_pixel_is_in_it(named: Path, tmp_path: Path) -> None:
    html, data = reported(named, tmp_path / "page.html", images=False)
    assert "data:image" not in html
    assert "base64" not in html
    assert 'class="thumb"' not in html
    assert "could not be read" not in html
    assert "This page was made without pictures." in html
    assert data["images"] is False
    assert "data:image/jpeg" in reported(named, tmp_path / "with.html")[0]


def test_the_sheet_of_pictures_carries_no_metadata(page: Found) -> None:
    from test_report_pictures import sheet_of

    sheet = sheet_of(page("binary").html)
    assert not sheet.getexif()
    assert set(sheet.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/ludwig/m.parquet", "m.parquet"), ("../ludwig/emb/", "emb"), (r"C:\Users\ludwig\m.parquet", "m.parquet"),
        ("enc", "enc"), ("timm:resnet18", "timm:resnet18"), ("", ""), ("/", "/"),
    ],
)  # fmt: skip
def test_of_a_path_the_last_part_is_shown(path: str, shown: str) -> None:
    assert path_shown(path, names=False) == shown
    assert path_shown(path, names=True) == path


@pytest.mark.parametrize(
    "column",
    ["patient_id", "image", "study_id", "PatientName", "name", "accession_number", "mrn", "birth_date", "subject",
     "file_path", "patient", "uid", " patient_id "],
)  # fmt: skip
@pytest.mark.parametrize("sign", ["=", "!="])
def test_the_value_of_an_identifying_column_is_hidden(column: str, sign: str) -> None:
    assert "smith" not in condition_shown(f"{column}{sign}smith=\nsmith", names=False)
    assert condition_shown(f"{column}{sign}smith", names=True) == f"{column}{sign}smith"


@pytest.mark.parametrize("condition", ["site=a", "cell_type!=basophil", "split=test", "view=PA", "sex=", "width!=64"])
def test_other_conditions_are_shown_whole(condition: str) -> None:
    assert condition_shown(condition, names=False) == condition


HOSTILE = st.text(max_size=12) | st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=y>', "a'b&amp;<", "$\\frac", "]]>", "{{ 7*7 }}", "</style>"]
)


def with_names(data: dict[str, Any], label: str, name: str, site: str) -> Strict:
    """The page of the same figures with another label, class and site."""
    text = json.dumps(data).replace('"pneumonia"', json.dumps(label)).replace('"1"', json.dumps(name))
    changed = json.loads(text.replace('"north"', json.dumps(site)))
    changed["dataset"] = changed["encoder"] = changed["cautions"][0] = site
    return Strict(render(changed, EMPTY, images=False, json_name="page.json"))


@settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(label=HOSTILE, name=HOSTILE, site=HOSTILE)
def test_no_name_becomes_markup(page: Found, label: str, name: str, site: str) -> None:
    found = with_names(page("binary").data, f"L{label}", f"N{name}", f"S{site}")
    assert not found.problems
    harmless = with_names(page("binary").data, "L", "N", "S")
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in harmless.elements]
    texts = {text for _, text in found.texts}
    for shown in (f"site: S{site}", f"L{label}", f"N{name}"):
        assert " ".join(printable(shown).split()) in texts


def test_a_name_cannot_end_the_script_or_become_one(page: Found) -> None:
    found = with_names(page("binary").data, "</script><script>alert(1)//", "N", "S")
    scripts = [text for path, text in found.texts if path[-1] == "script"]
    assert len(scripts) == 2
    assert "pneumonia" not in scripts[0]
    assert json.loads(scripts[0])["charts"]
