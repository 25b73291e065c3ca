"""The page is sound HTML that loads nothing, can be read without a script or a picture, and in either light."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import report_folders
from html_check import Strict
from remedis.arguments import parse
from remedis.data import embeddings
from remedis.options.embed import Embed
from remedis.options.probe import Probe
from remedis.options.report import Report
from remedis.report import checklist, colours, figures
from remedis.report.colours import ACCENT
from remedis.report.svg import printable
from report_folders import reported

Found = Callable[[str], Any]
KINDS = ("binary", "clustered", "several", "external")
OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_element_is_closed_and_every_id_is_its_own(page: Found, kind: str) -> None:
    found = Strict(page(kind).html)
    assert found.problems == []
    ids = found.values("id")
    assert len(set(ids)) == len(ids) > 10
    referred = [value[1:] for value in found.values("href") if value.startswith("#")] + found.values("for")
    referred += [name for value in found.values("aria-labelledby") for name in value.split()]
    referred += found.values("data-of") + re.findall(r"url\(#([^)]+)\)", page(kind).html)
    assert set(referred) <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_is_sound_xml_with_a_name(page: Found, kind: str) -> None:
    drawn = re.findall(r"<svg.*?</svg>", page(kind).html, flags=re.DOTALL)
    for text in drawn:
        root = ElementTree.fromstring(text)
        titled = root.find("title") is not None and (root.findtext("title") or "").strip()
        assert titled or root.get("aria-hidden") == "true"
        if root.get("class") == "figure":
            assert len(root.findtext("desc") or "") > 30
    labels = len(page(kind).data["labels"])
    assert sum('class="figure"' in text for text in drawn) == 3 * labels


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_leaves_the_file(page: Found, kind: str) -> None:
    found = Strict(page(kind).html)
    assert found.values("src") == []
    assert "link" not in {tag for tag, _ in found.elements}
    for value in found.values("href"):
        assert value.startswith(("#", "https://doi.org/"))
    assert set(re.findall(r"url\(([^)]{0,12})", page(kind).html)) <= {'"data:image/', *references(page(kind).html)}
    assert "@import" not in page(kind).html
    (policy,) = [a["content"] for tag, a in found.elements if tag == "meta" and "http-equiv" in a]
    assert policy.startswith("default-src 'none'; img-src data:;")


def references(html: str) -> set[str]:
    return {text[:12] for text in re.findall(r"url\((#[^)]+)", html)}


@pytest.mark.parametrize("kind", KINDS)
def test_headings_go_down_one_level_at_a_time_and_landmarks_are_there(page: Found, kind: str) -> None:
    found = Strict(page(kind).html)
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later <= before + 1 for before, later in itertools.pairwise(levels))
    tags = [tag for tag, _ in found.elements]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]
    assert found.elements[0] == ("html", {"lang": "en"})
    heads = [attributes for tag, attributes in found.elements if tag == "th"]
    assert all(attributes.get("scope") in ("row", "col") for attributes in heads)
    ordered = ["answer", "figures", "trust", "images", "made"]
    assert [value for value in found.values("id") if value in ordered] == ordered


@pytest.mark.parametrize("kind", KINDS)
def test_every_caption_says_on_how_many_images(page: Found, kind: str) -> None:
    html = page(kind).html
    for label in page(kind).data["labels"]:
        assert html.count(f"{label['n']} images") >= 5
    for text in re.findall(r"<figcaption>(.*?)</figcaption>", html):
        assert re.search(r"\d+ images", text)


def test_pictures_have_words_for_those_who_cannot_see_them(page: Found) -> None:
    found = Strict(page("binary").html)
    thumbs = [attributes for _, attributes in found.elements if attributes.get("class") == "thumb"]
    assert thumbs
    assert all(re.fullmatch(r"image \d+, pneumonia: (yes|no)", each["aria-label"]) for each in thumbs)


def test_curves_are_read_where_they_are_drawn(page: Found) -> None:
    html = page("binary").html
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])
    assert data["axes"] == list(figures.AXES)
    drawn = page("binary").data["labels"][0]
    (logistic,) = [line for line in data["charts"]["label0-roc"] if line["name"] == "logistic regression"]
    assert logistic["points"] == [
        [None if value is None else round(value, 4) for value in point]
        for point in next(curve for curve in drawn["roc"] if curve["method"] == "logistic")["points"]
    ]
    path = ElementTree.fromstring(re.search(r'<svg class="figure".*?</svg>', html, re.DOTALL)[0])
    _, _, width, height = (float(number) for number in path.get("viewBox").split())
    left, bottom, wide, high = data["axes"]
    low, upper = data["limits"]
    place = [(value - low) / (upper - low) for value in (0.0, 1.0)]
    corners = [(width * (left + wide * at), height * (1 - bottom - high * at)) for at in place]
    text = ElementTree.tostring(path, encoding="unicode")
    drawn_at = np.array([[float(x), float(y)] for x, y in re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", text)])
    for corner in corners:  # the curve begins and ends where the script looks for it
        assert np.abs(drawn_at - corner).sum(axis=1).min() < 0.05


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, two: str) -> float:
    """Contrast ratio, WCAG 2.2."""
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def themes(html: str) -> dict[str, dict[str, str]]:
    """The colours of each theme, the print's over the light's."""
    roots = re.findall(r":root \{(.*?)\}", html, re.DOTALL)
    found = []
    for text in roots:
        pairs = {}
        for name, colour in re.findall(r"--([\w-]+): (#[0-9a-fA-F]{3,6})\b", text):
            pairs[name] = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
        found.append(pairs)
    assert len(found) == 3
    return {"light": found[0], "dark": found[1], "print": found[0] | found[2]}


def test_text_stands_out_in_every_theme(page: Found) -> None:
    for theme in themes(page("binary").html).values():
        pairs = [(ink, ground) for ink in ("ink", "muted") for ground in ("paper", "card", "shade")]
        pairs += [("accent", "paper"), ("accent", "card"), ("ink", "note"), ("accent", "note")]
        for ink, ground in pairs:
            assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)
        assert contrast(theme["accent"], theme["paper"]) >= 4.5


def test_colours_are_okabe_and_itos() -> None:
    for series, accent in (
        (colours.SERIES_LIGHT, colours.ACCENT_LIGHT), (colours.SERIES_DARK, colours.ACCENT_DARK),
    ):  # fmt: skip
        assert {*series[:6], accent} <= OKABE_ITO
        assert len({*series, accent}) == 10
    assert colours.series(99) == colours.OTHER


def test_a_chart_in_stand_in_colours_names_variables_alone() -> None:
    line = figures.Line(
        figures.Curve(*(np.linspace(0, 1, 5) for _ in range(6))), colour=ACCENT, name="x"
    )  # fmt: skip
    drawn = figures.roc_figure([line], name="roc0", description="A curve & <b>.")
    assert "var(--accent)" in drawn
    assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", drawn)
    assert ElementTree.fromstring(drawn).findtext("desc") == "A curve & <b>."


@pytest.mark.parametrize("word", ["a\x00b", "tab\there", "\x1b[31m", "\ufffe"])
def test_what_no_reader_can_take_becomes_a_blank(word: str) -> None:
    ElementTree.fromstring(f"<p>{printable(word)}</p>")
    assert len(printable(word)) == len(word)


@pytest.mark.parametrize("kind", KINDS)
def test_the_checklist_points_to_what_is_there(page: Found, kind: str) -> None:
    items = page(kind).data["checklist"]
    ids = Strict(page(kind).html).values("id")
    assert all(item["at"] in ids or not item["at"] for item in items)
    assert all(item["at"] or item["note"] for item in items)
    (elsewhere,) = [item for item in items if item["item"] == "32"]
    assert bool(elsewhere["at"]) is (kind == "external")
    numbers = [int(item["item"].split("–")[0]) for item in items]
    assert numbers == sorted(numbers)
    gone = checklist.checklist(external=False, absent=("neighbours",))
    assert next(item for item in gone if item["item"] == "31")["at"] == ""


def test_simulated_images_are_called_so_above_and_below(page: Found, tmp_path: Any) -> None:
    folder = report_folders.binary(tmp_path, simulated=[True] * 160)
    html, data = reported(folder, tmp_path / "page.html")
    assert data["simulated"] is True
    assert html.count("Simulated data") == 2
    assert "These images are simulated; the figures say nothing about patients." in html
    assert "imulated data" not in page("binary").html
    assert page("binary").data["simulated"] is False


def test_an_audit_of_the_table_is_shown_without_names(page: Found, tmp_path: Any) -> None:
    assert page("binary").data["audit"] == []
    assert "Paths, patients, split and labels of the table are in order." in page("binary").html
    who = [None if row % 40 == 0 else f"PAT{row // 2:04}" for row in range(160)]
    folder = report_folders.binary(tmp_path, patient_id=who)
    html, data = reported(folder, tmp_path / "page.html")
    (finding,) = data["audit"]
    assert (finding["kind"], finding["severity"], finding["count"]) == ("patient", "warning", 4)
    assert finding["words"] in html
    assert "PAT0" not in html


def test_findings_about_paths_do_not_show_them(tmp_path: Any) -> None:
    folder = report_folders.binary(tmp_path, image=[str(tmp_path / "images" / f"{row:05}.png") for row in range(160)])
    html, data = reported(folder, tmp_path / "page.html")
    (finding,) = data["audit"]
    assert (finding["kind"], finding["count"]) == ("path", 160)
    assert str(tmp_path) not in html + json.dumps(data)
    assert "00000.png" not in html + json.dumps(data)


def test_what_the_encoder_s_folder_says_is_shown_while_it_holds_the_same_weights(page: Found, tmp_path: Any) -> None:
    encoder = tmp_path / "enc"
    encoder.mkdir()
    card = {
        "weights_sha256": "ab" * 32, "source": "A source", "parameters": 1234567, "licence": "MIT", "trained": False,
        "citation": ["Someone, Somewhere 2020"],
    }  # fmt: skip
    (encoder / "config.json").write_text(json.dumps({"remedis": card}))
    folder = report_folders.binary(tmp_path, job={"encoder": str(encoder)})
    html, data = reported(folder, tmp_path / "page.html")
    facts = {fact["name"]: fact["value"] for fact in data["made"]["facts"][0]["facts"]}
    assert (facts["weights"], facts["parameters"], facts["licence of the weights"]) == ("A source", "1,234,567", "MIT")
    assert "Someone, Somewhere 2020" in html
    assert "(untrained, frozen)" in html
    (encoder / "config.json").write_text(json.dumps({"remedis": card | {"weights_sha256": "other"}}))
    assert "Someone" not in reported(folder, tmp_path / "page.html")[0]


def test_the_commands_can_be_typed_again(page: Found) -> None:
    options = {"embed": Embed, "probe": Probe, "report": Report}
    for kind in KINDS:
        commands = page(kind).data["made"]["commands"]
        assert [command.split()[1] for command in commands] == ["embed"] * (1 + (kind == "external")) + [
            "probe",
            "report",
        ]
        for command in commands:
            words = shlex.split(command)
            parse(options[words[1]], words[1], words[2:])
    (embed, elsewhere, probe, _) = page("external").data["made"]["commands"]
    assert "bccd.parquet" in embed
    assert "jiangxi.parquet" in elsewhere
    assert "--test jiangxi --exclude-class basophil --draws 60" in probe
    assert "--where 'batch!=3'" in page("several").data["made"]["commands"][1]
    assert "--cluster field" in page("clustered").data["made"]["commands"][1]


def test_a_methods_paragraph_tells_how_it_was_evaluated(page: Found) -> None:
    said = {kind: page(kind).data["made"]["methods"] for kind in KINDS}
    assert "fitted on the training part and evaluated on the test part; the penalty" in said["binary"]
    assert "chosen by log loss on the validation part" in said["binary"]
    assert "nested 5-fold cross-validation, stratified by class and grouped by field" in said["clustered"]
    assert "60 draws of whole values of field" in said["clustered"]
    assert "another data set" in said["external"]
    assert "For edema, mass," in said["several"]


def test_embeddings_of_other_weights_are_not_drawn(page: Found, tmp_path: Any) -> None:
    folder = report_folders.binary(tmp_path)
    facts = tmp_path / "emb" / embeddings.FACTS_NAME
    facts.write_text(facts.read_text().replace("ab" * 32, "ef" * 32))
    html, data = reported(folder, tmp_path / "page.html")
    assert data["map"] is None
    assert data["embeddings_gone"] == "the embeddings are no longer those that were probed"
    assert "There is no map and there are no neighbours" in html
    assert "data:image/jpeg" in html
