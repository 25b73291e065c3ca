"""A pretraining's page: sound HTML that loads nothing, true figures, settings with their sources, and no names."""

from __future__ import annotations

import base64
import itertools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from html_check import Strict, table_rows
from remedis.arguments import parse
from remedis.cli import run
from remedis.options.pretrain import Pretrain
from remedis.options.report import Report
from remedis.recipes.pretraining import RECIPES
from remedis.report.of_run import run_data
from remedis.report.run_folder import open_run
from report_folders import reported
from report_runs import LINES, LOOKS, line, look, png, run_folder

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "report.md"
UNFINISHED = {"complete": None, "steps": None, "rejected": None}
KINDS = ("finished", "unfinished", "unlabelled", "empty")


def of_kind(folder: Path, kind: str) -> Path:
    return {
        "finished": lambda: run_folder(folder, given={"recipe": "cxr"}),
        "unfinished": lambda: run_folder(folder, [line(1), look(1, 0.5)], facts=UNFINISHED),
        "unlabelled": lambda: run_folder(folder, LINES),
        "empty": lambda: run_folder(folder, [], facts=UNFINISHED, views=None),
    }[kind]()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, dict[str, Any]]]:
    """The page of each kind of run and its JSON."""
    found = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        found[kind] = reported(of_kind(folder / "run", kind), folder / "page.html")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_sound_and_loads_nothing(pages: dict[str, Any], kind: str) -> None:
    html = pages[kind][0]
    found = Strict(html)
    assert found.problems == []
    ids = found.values("id")
    assert len(set(ids)) == len(ids) > 10
    referred = [value[1:] for value in found.values("href") if value.startswith("#")]
    referred += [name for value in found.values("aria-labelledby") for name in value.split()]
    referred += found.values("data-of") + re.findall(r"url\(#([^)]+)\)", html)
    assert set(referred) <= set(ids)
    for value in found.values("href"):
        assert value.startswith(("#", "https://doi.org/"))
    assert all(value.startswith("data:image/png;base64,") for value in found.values("src"))
    assert "@import" not in html
    (policy,) = [a["content"] for tag, a in found.elements if tag == "meta" and "http-equiv" in a]
    assert policy.startswith("default-src 'none'; img-src data:;")


@pytest.mark.parametrize("kind", KINDS)
def test_its_parts_stand_in_their_order(pages: dict[str, Any], kind: str) -> None:
    found = Strict(pages[kind][0])
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later <= before + 1 for before, later in itertools.pairwise(levels))
    tags = [tag for tag, _ in found.elements]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]
    assert all(a.get("scope") in ("row", "col") for tag, a in found.elements if tag == "th")
    ordered = ["answer", "figures", "trust", "images", "made"]
    assert [value for value in found.values("id") if value in ordered] == ordered
    assert pages[kind][0].count("Research software, not a diagnostic device.") == 2


def heading(html: str) -> str:
    (texts,) = [re.sub(r"<[^>]+>", "", text) for text in re.findall(r"<h1>(.*?)</h1>", html, re.DOTALL)]
    return " ".join(texts.split())


@pytest.mark.parametrize("kind", KINDS)
def test_the_heading_is_the_answer(pages: dict[str, Any], kind: str) -> None:
    html, data = pages[kind]
    assert heading(html).lower() == data["answer"]["sentence"].lower()
    assert data["answer"]["sentence"]
    assert data["cautions"][0] in " ".join(text for _, text in Strict(html).texts)


def test_what_is_not_there_is_said(pages: dict[str, Any]) -> None:
    html, data = pages["empty"]
    assert "metrics.jsonl holds no line" in html
    assert "No picture: there is no views.png in the folder; it is written at the first step." in html
    assert (data["metrics"], data["looks"], data["complete"]) == ([], [], False)
    assert 'class="figure"' not in html
    assert "No picture" not in pages["finished"][0]


def test_the_json_holds_the_values_unrounded(pages: dict[str, Any]) -> None:
    data = pages["finished"][1]
    assert data["metrics"] == LINES
    assert [look["knn_accuracy"]["value"] for look in data["looks"]] == [look["knn_accuracy"] for look in LOOKS]
    assert data["steps"] == {"done": 313, "planned": 313, "an_epoch": 1000 / 64}
    rows = table_rows(pages["finished"][0], "looks")
    assert [row[0] for row in rows] == ["80", "160", "313"]
    assert [row[3] for row in rows] == ["0.400", "0.550", "0.700"]
    assert [row[5] for row in rows] == ["0.450", "0.600", "0.720"]


def test_every_key_of_the_json_is_described(pages: dict[str, Any]) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    table = text[text.index("| of a run |") :].split("\n\n")[0]
    keys = {name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    for kind in KINDS:
        assert set(pages[kind][1]) == keys


def test_a_script_gets_the_values_of_every_curve(pages: dict[str, Any]) -> None:
    html = pages["finished"][0]
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])
    assert set(data["curves"]) == set(Strict(html).values("data-curve"))
    assert data["curves"]["loss"][0]["traces"][0]["points"][-1] == [313, 5.0]


def test_the_views_are_in_it_unless_pictures_are_left_out(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", [{"step": 1, "loss": 4.0}], views=png(700))
    (shown,) = Strict(reported(folder, tmp_path / "a.html")[0]).values("src")
    assert base64.b64decode(shown.split(",")[1]) == png(700)
    html, data = reported(folder, tmp_path / "b.html", images=False)
    assert "data:image" not in html
    assert "This page was made without pictures." in html
    assert data["images"] is False
    small = reported(run_folder(tmp_path / "small", LINES[:1]), tmp_path / "c.html")[0]
    assert 'class="small-views"' in small
    assert 'class="small-views"' not in reported(folder, tmp_path / "a.html")[0]


def values(folder: Path) -> dict[str, Any]:
    """What a page would show, without drawing it."""
    return run_data(open_run(folder), names=False, report=[])


def sources(data: dict[str, Any]) -> dict[str, tuple[Any, str, str]]:
    return {each["name"]: (each["value"], each["source"], each["reason"]) for each in data["made"]["settings"]}


def test_every_setting_says_where_it_comes_from(tmp_path: Path) -> None:
    given = {"recipe": "cxr", "temperature": 0.2, "use_blur": True}
    folder = run_folder(tmp_path / "run", given=given)
    html, data = reported(folder, tmp_path / "page.html")
    found = sources(data)
    assert found["temperature"] == (0.2, "command line", "")
    assert found["use_blur"] == (True, "command line", "")  # the recipe has False
    assert found["train_batch_size"] == (64, "command line", "")
    for name in ("flip", "rotation_range", "loss_scale", "color_jitter_strength", "use_bit"):
        choice = RECIPES["cxr"][name]
        assert found[name] == (choice.value, "recipe", choice.reason)
    assert found["optimizer"] == ("lars", "official default", "")
    assert found["warmup_epochs"] == (10.0, "official default", "")
    assert set(found) == set(json.loads((folder / "run.json").read_text())["job"]) - {
        "encoder_hash", "network", "manifest_hash", "images", "splits", "profile", "precision", "seed",
    }  # fmt: skip
    rows = {row[0]: row[1:] for row in table_rows(html, "settings")}
    assert rows["flip"] == ["no", f"recipe : {RECIPES['cxr']['flip'].reason}"]
    assert rows["weight decay"] == ["1e-06", "official default"]


def test_a_setting_that_had_no_effect_or_was_adapted_says_so(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", given={"recipe": "path", "encoder": "bit-r50x1", "train_epochs": 5})
    whole = json.loads((folder / "run.json").read_text())
    whole["job"]["warmup_epochs"] = 0.5
    (folder / "run.json").write_text(json.dumps(whole))
    found = sources(values(folder))
    assert found["warmup_epochs"][1:] == ("ours", "a tenth of the run, which is not longer than the official 10 epochs")
    for name in ("use_bit", "resnet_depth", "width_multiplier"):
        assert found[name][2] == "without effect, the network was named (--encoder)"
    for name in ("batch_norm_decay", "global_bn"):
        assert found[name][2] == "without effect, the network has no batch norms"
    assert not any("without effect" in found[name][2] for name in ("momentum", "num_nlh_layers", "train_epochs"))
    given = {"optimizer": "adamw", "head_proj_mode": "v2", "train_steps": 313}
    folder = run_folder(tmp_path / "other", given=given)
    whole = json.loads((folder / "run.json").read_text())
    whole["job"]["network"] = "resnet50x1"
    (folder / "run.json").write_text(json.dumps(whole))
    found = sources(values(folder))
    assert {name for name, (_, _, reason) in found.items() if reason} == {"momentum", "num_nlh_layers", "train_epochs"}


@pytest.mark.parametrize(
    "given",
    [
        {}, {"recipe": "cxr", "encoder": "bit-r50x1", "use_blur": True, "flip": False, "knn_epochs": 0, "label": ""},
        {"where": ["site=a", "cell_type!=basophil"], "cache_dataset": True, "seed": 3, "precision": "fp32"},
        {"multi_instance": True, "global_bn": False, "learning_rate": 1e-4, "splits": "all", "device": "cpu"},
    ],
    ids=["plain", "recipe", "rows", "patients"],
)  # fmt: skip
def test_the_command_can_be_typed_again(tmp_path: Path, given: dict[str, Any]) -> None:
    folder = run_folder(tmp_path / "run", given=given)
    (typed,) = values(folder)["made"]["commands"]
    words = shlex.split(typed)
    assert words[:2] == ["remedis", "pretrain"]
    options = parse(Pretrain, "pretrain", words[2:])
    wanted = json.loads((folder / "run.json").read_text())["options"]
    for name, value in wanted.items():
        found = getattr(options, name)
        assert (list(found) if isinstance(found, tuple) else str(found) if isinstance(found, Path) else found) == value


def test_the_command_that_made_the_page_stands_last(pages: dict[str, Any]) -> None:
    words = shlex.split(pages["finished"][1]["made"]["commands"][-1])
    made = parse(Report, words[1], words[2:])
    assert (made.folder, made.out) == (Path("run"), Path("page.html"))


def test_several_processes_are_started_by_torchrun(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", facts={"processes": 4})
    command = values(folder)["made"]["commands"][0]
    assert command.startswith("torchrun --nproc-per-node 4 -m remedis pretrain cells.parquet ")


def test_no_name_leaves_by_the_page_unless_it_is_asked_for(tmp_path: Path) -> None:
    home = "/home/Mueller/Ludwig"
    given = {
        "manifest": f"{home}/m.parquet", "out": f"{home}/run", "root": f"{home}/images", "encoder": f"{home}/enc",
        "where": ["patient_id!=PAT0007"],
    }  # fmt: skip
    folder = run_folder(tmp_path / "Mueller" / "run", given=given, facts={"command": ["pretrain", f"{home}/m.parquet"]})
    (folder / "_rejected.csv").write_text("image,reason\nMueller.png,gone\n")
    html, data = reported(folder, tmp_path / "p.html")
    for secret in ("Mueller", "Ludwig", "PAT0007", str(tmp_path)):
        assert secret not in html + json.dumps(data, ensure_ascii=False)
    assert "patient_id!=…" in html
    html, data = reported(folder, tmp_path / "p.html", names=True)
    for shown in (f"{home}/m.parquet", f"{home}/enc", "PAT0007"):
        assert shown in html
        assert shown in json.dumps(data)


HOSTILE = ("<script>alert(1)</script>", '"><img src=x>', "</style>", "{{ 7*7 }}", "$\\frac", "a\x00b", "]]>&amp;")


@pytest.mark.parametrize("turn", [0, 3, 5])
def test_no_word_of_the_folder_becomes_markup(tmp_path: Path, turn: int) -> None:
    def page(words: tuple[str, ...], name: str) -> Strict:
        label, seen, note, source, work, own, version = (*words[turn:], *words[:turn])
        lines = [{"step": 1, "loss": 4.0}, look(1, 0.5, label=label)]
        card = {"extra": {"seen": [seen]}, "notes": [note], "source": source, "citation": [work], "name": own}
        folder = run_folder(tmp_path / name, lines, card=card, facts={"versions": {version: version}})
        return Strict(reported(folder, tmp_path / f"{name}.html")[0])

    found = page(HOSTILE, "hostile")
    assert found.problems == []
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in page(("x",) * 7, "harmless").elements]


def test_simulated_images_are_called_so_above_and_below(tmp_path: Path, pages: dict[str, Any]) -> None:
    folder = run_folder(tmp_path / "run", card={"notes": ["Pretrained on simulated images."]})
    html, data = reported(folder, tmp_path / "page.html")
    assert data["simulated"] is True
    assert html.count("Simulated data") == 2
    assert "The images are simulated; the encoder has learnt nothing of patients." in html
    assert "imulated data" not in pages["finished"][0]


def test_a_methods_paragraph_tells_what_was_done(pages: dict[str, Any], tmp_path: Path) -> None:
    said = pages["finished"][1]["made"]["methods"]
    for words in (
        "A bit-r26x1 was pretrained without labels on 1,000 images of white-cells",
        "starting from random weights (seed 0)",
        "random crops resized to 224 × 224 pixels, changes of brightness",
        "(strength 0.5), rotation by up to 45 degrees",
        "elastic deformation and histogram equalisation",
        "temperature of 0.1, multiplied by 2, on a projection head of 2 layers to 128 values",
        "LARS with a learning rate of 0.3 × batch / 256",
        "warm-up of 10 epochs",
        "Training took 313 steps of 64 images.",
        "by the 20 nearest neighbours was watched on 200 images of the validation part",
    ):  # fmt: skip
        assert words in said
    assert "flips" not in said
    folder = run_folder(tmp_path / "run", [line(1), look(1, 0.3)], given={"multi_instance": True}, facts=UNFINISHED)
    other = values(folder)["made"]["methods"]
    assert "Two images of one patient made a positive pair" in other
    assert "Training took 20 epochs of 64 patients; 1 had been done when this was written." in other
    assert "of other patients than those whose labels were known" in other


def test_what_it_rests_on_is_cited(pages: dict[str, Any]) -> None:
    dois = [work["doi"] for work in pages["finished"][1]["made"]["citations"]]
    assert dois[:2] == ["10.1038/s41551-023-01049-7", "10.48550/arXiv.2002.05709"]
    assert {"10.48550/arXiv.2101.05224", "10.48550/arXiv.1912.11370", "10.48550/arXiv.1708.03888"} <= set(dois)
    assert "10.48550/arXiv.2101.05224" not in [w["doi"] for w in pages["unlabelled"][1]["made"]["citations"]]


def test_the_command_line_makes_it_and_makes_it_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = run_folder(tmp_path / "run"), tmp_path / "page.html"
    assert run(["report", str(folder), "--out", str(out)]) == 0
    assert "kNN accuracy 0.70" in capsys.readouterr().out
    first = out.read_bytes()
    assert run(["report", str(folder), "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("replaced ")
    assert out.read_bytes() == first
    (folder / "run.json").write_text("{}")
    assert run(["report", str(folder), "--out", str(tmp_path / "other.html")]) == 2
    assert "'job' was expected" in capsys.readouterr().err
    assert not (tmp_path / "other.html").exists()
    assert run(["report", str(tmp_path / "rum"), "--out", str(tmp_path / "other.html")]) == 2
    assert "did you mean run?" in capsys.readouterr().err
