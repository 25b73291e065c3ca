"""`remedis study`: files and the command line, errors in words, full disks, and a second start: the same results."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from study_runs import Given, two_sites

import planted_studies as planting
from remedis import cli
from remedis.commands import study
from remedis.commands.study_question import question_of, with_file
from remedis.errors import FolderError, InputError, RemedisError, StoppedError, UsageError
from remedis.models.load import open_or_random
from remedis.options.study import Study


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return two_sites(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def whole(given: Given) -> Path:
    """That study, done in one go."""
    study.run(given.options(given.folder / "whole"))
    return given.folder / "whole"


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Options: a file and the command line.


def toml(folder: Path, text: str) -> Path:
    path = folder / "conf" / "study.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_says_what_the_command_line_does_not(tmp_path: Path) -> None:
    file = toml(
        tmp_path,
        """
        manifest = "a.parquet"
        ood = ["../b.parquet", "/c.parquet"]
        encoders = ["resnet18"]
        external = "x=vectors/x.npz"
        label = ["sick", "old"]
        label-fractions = [0.1, 1]
        draws = 3
        bootstrap = 50
        repeat_splits = 2
        learning-rate = 1
        methods = "finetune"
        seed = 4
        keep-models = true
        """,
    )
    conf = file.parent
    found = with_file(Study(file=file, out=Path("o"), draws=10, label=("other",), seed=0, keep_models=False))
    assert found.manifest == (conf / "a.parquet",)
    assert found.ood == (conf / "../b.parquet", Path("/c.parquet"))
    assert found.encoders == ("resnet18",)
    assert found.external == (f"x={conf}/vectors/x.npz",)
    assert found.label_fractions == (0.1, 1.0)
    assert found.learning_rate == 1.0
    assert isinstance(found.learning_rate, float)
    assert (found.repeat_splits, found.methods, found.bootstrap) == (2, ("finetune",), 50)
    # the command line beats the file, also where it says what is the default without either
    assert (found.label, found.draws, found.seed, found.keep_models) == (("other",), 10, 0, False)


def test_an_encoders_folder_in_a_file_starts_from_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "conf" / "enc").mkdir(parents=True)
    file = toml(tmp_path, 'encoders = ["enc", "elsewhere"]')
    assert with_file(Study(file=file, out=Path("o"))).encoders == (str(file.parent / "enc"), "elsewhere")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lable = 'sick'", "there is no option 'lable', did you mean label"),
        ("out = 'o'", "there is no option 'out'"),
        ("plan-only = true", "there is no option 'plan-only'"),
        ("draws = 'ten'", "draws is 'ten', a whole number was expected"),
        ("draws = 1.5", "draws is 1.5, a whole number was expected"),
        ("draws = true", "draws is True, a whole number was expected"),
        ("image_size = 'big'", "image_size is 'big', a whole number was expected"),
        ("label_fractions = ['a']", "label_fractions is 'a', a number was expected"),
        ("label = 3", "label is 3, text was expected"),
        ("manifest = 3", "manifest is 3, a path was expected"),
        ("methods = ['prob']", "methods is 'prob', one of probe, finetune was expected"),
        ("scenarios = 'ood'", "scenarios is 'ood', one of in_distribution, out_of_distribution, adapted was expected"),
        ("keep_models = 1", "keep_models is 1, true or false was expected"),
        ("[study]\ndraws = 1", "there is no option 'study'"),
        ("draws = ", "TOML was expected"),
    ],
    ids=[
        "name", "out", "plan", "word", "broken", "truth", "size", "fraction", "label", "path", "method", "scenario",
        "keep", "table", "no-toml",
    ],
)  # fmt: skip
def test_wrong_names_and_values_in_a_file_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = toml(tmp_path, text)
    with pytest.raises((UsageError, InputError), match=re.escape(words)) as caught:
        with_file(Study(file=file, out=Path("o")))
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file; a study's TOML file was expected"):
        with_file(Study(file=tmp_path / "s.toml", out=Path("o")))


def test_a_study_from_a_file_is_the_same_study(given: Given, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it comes from the file, the number of bootstrap draws too: the finished folder is taken as it is."""
    file = given.folder / "s.toml"
    file.write_text(
        "manifest = 'here.parquet'\nood = 'there.parquet'\nexternal = ['one=one.npz', 'two=two.npz']\nlabel = 'sick'\n"
        "label_fractions = 0.5\ndraws = 2\nbootstrap = 20\nworkers = 0\ndevice = 'cpu'\n"
    )
    before = (whole / "results.csv").read_bytes()
    assert cli.run(["study", str(file), "--out", str(whole), "--quiet"]) == 0
    assert (whole / "results.csv").read_bytes() == before
    assert cli.run(["study", str(file), "--out", str(whole), "--draws", "3"]) == 2
    assert "the folder holds another job (draws is 2 there, 3 here)" in capsys.readouterr().err


# Errors in words, before anything is written.


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ood": (), "scenarios": ("adapted",)}, "out_of_distribution and adapted need another site; name its"),
        ({"baseline": "tow"}, "--baseline tow is none of the encoders, did you mean two?"),
        ({"ood": ("HERE",)}, "is named twice; each manifest stands once, in --manifest or in --ood"),
        ({"label_fractions": (0.0, 0.5)}, "--label-fractions has 0, shares above 0 and at most 1 were expected"),
        ({"target_fractions": (1.5,)}, "--target-fractions has 1.5, shares above 0 and at most 1 were expected"),
        ({"label_fractions": (float("nan"),)}, "--label-fractions has nan"),
        ({"label": ("sicc",)}, "there is no column 'sicc', did you mean sick?"),
        ({"label": ()}, "--label is missing"),
        ({"manifest": ()}, "--manifest is missing"),
        ({"external": ()}, "--encoders is missing"),
        ({"external": ("one",)}, "--external one: NAME=FILE with a file that is there was expected"),
        ({"external": ("one=none.npz",)}, "NAME=FILE with a file that is there was expected"),
        ({"external": ("ONE", "ONE")}, "two encoders are called one; give the external one another name"),
        ({"encoders": ("no-such-net",)}, "no-such-net"),
        ({"draws": 0}, "--draws is 0, at least 1 was expected"),
        ({"repeat_splits": 0}, "--repeat-splits is 0, at least 1 was expected"),
        ({"bootstrap": 0}, "--bootstrap is 0, at least 1 was expected"),
        ({"exclude_class": ("2",)}, "--exclude-class 2: no label has this class"),
        ({"positive": "yes"}, "--positive yes: label 'sick' has no such class"),
        ({"manifest": (Path("none.parquet"),)}, "there is no such file or folder"),
    ],
    ids=[
        "no-other-site", "baseline", "twice", "fraction-0", "fraction-above-1", "fraction-nan",
        "label", "no-label", "no-manifest", "no-encoder", "external-without-file", "external-absent", "external-twice",
        "encoder", "draws", "repeats", "bootstrap", "class", "positive", "manifest-absent",
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said_and_nothing_is_written(
    given: Given, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    if changes.get("ood"):
        changes = {**changes, "ood": (given.here,)}
    if "external" in changes:
        changes = {**changes, "external": tuple(each.replace("ONE", given.one) for each in changes["external"])}
    with pytest.raises(RemedisError, match=re.escape(words)) as caught:
        study.run(given.options(tmp_path / "out", **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_same_manifest_by_another_path_is_named_twice(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(given.folder)
    with pytest.raises(UsageError, match=r"here\.parquet is named twice"):
        question_of(given.options(tmp_path, ood=(Path("here.parquet"),)))


def test_an_external_file_of_other_images_is_refused_before_any_work(given: Given, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.array(["q1", "q2"]), embedding=np.zeros((2, 3), np.float32))
    with pytest.raises(InputError, match="none of the manifest's images is in it; it has 'q1'"):
        study.run(given.options(tmp_path / "out", external=(given.one, f"x={tmp_path}/x.npz")))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (("finetune",), "--external one: embeddings cannot be fine-tuned, and --methods asks for nothing else"),
        (("probe", "finetune"), "the baseline one is embeddings from elsewhere, which cannot be fine-tuned"),
    ],
    ids=["alone", "as the baseline"],
)
def test_external_embeddings_are_not_fine_tuned(
    given: Given, tmp_path: Path, methods: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        study.run(given.options(tmp_path / "out", encoders=("resnet18-cifar",), baseline="one", methods=methods))
    assert not (tmp_path / "out").exists()


def test_the_plan_alone_writes_nothing(given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([str(word) for word in [*given.words(tmp_path / "out"), "--plan-only"]]) == 0
    said = capsys.readouterr()
    assert "the plan only; nothing was done" in said.out
    assert "plan: 12 probes" in said.err
    assert "estimate: about" in said.err
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_another_study_is_refused_naming_what_differs(given: Given, whole: Path) -> None:
    before = files_in(whole)
    for changes, words in (
        ({"seed": 1}, "seed is 0 there, 1 here"),
        ({"bootstrap": 21}, "bootstrap is 20 there, 21 here"),
        ({"label_fractions": (0.25,)}, r"label_fractions is \[0.5, 1.0\] there, \[0.25, 1.0\] here"),
        ({"external": (given.one,)}, "encoders is"),
        ({"baseline": "two"}, "baseline is 'one' there, 'two' here"),
        ({"repeat_splits": 2}, "repeat_splits is 1 there, 2 here"),
        ({"image_size": 64}, "image_size is None there, 64 here"),
    ):
        with pytest.raises(FolderError, match=words):
            study.run(given.options(whole, **changes))
    assert files_in(whole) == before


def test_a_folder_of_something_else_is_refused(given: Given, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FolderError, match="exists and was not made by this command"):
        study.run(given.options(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


# What goes on, and what stays the same.


def test_a_finished_study_does_nothing_again_and_a_lost_cell_is_made_again(
    given: Given, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_in(whole)
    worked = []
    scores = study.probes.scores

    def counted(*arguments: Any) -> Any:
        worked.append(arguments[1])
        return scores(*arguments)

    monkeypatch.setattr(study.probes, "scores", counted)
    study.run(given.options(whole))
    assert worked == []
    assert {name for name, data in files_in(whole).items() if before[name] != data} <= {"study.json"}
    lost = next(iter(sorted((whole / "cells").glob("probe-*.parquet"))))
    lost.unlink()
    (whole / "cells" / f"_{lost.name}.elsewhere-1-00000000.tmp").write_bytes(b"half")
    study.run(given.options(whole))
    assert [cell.name for cell in worked] == [lost.stem]
    after = files_in(whole)
    assert after["results.csv"] == before["results.csv"]
    assert after[f"cells/{lost.name}"] == before[f"cells/{lost.name}"]
    next((whole / "cells").glob("_*elsewhere*")).unlink()


def test_a_damaged_cell_is_named(given: Given, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    cell = next(iter(sorted((tmp_path / "copy" / "cells").glob("probe-*.parquet"))))
    cell.write_bytes(cell.read_bytes()[:200])
    with pytest.raises(InputError, match=r"a cell of the study cannot be read .*; remove it and start again") as caught:
        study.run(given.options(tmp_path / "copy"))
    assert str(cell) in str(caught.value)


def test_a_full_disk_stops_in_words_and_the_next_start_ends_the_same(
    given: Given, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second cell, then in the first predictions, then in the table: what was finished stays."""
    really, out, left = pq.write_table, tmp_path / "out", 0

    def write_table(*arguments: Any, **more: Any) -> None:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left -= 1
        really(*arguments, **more)

    monkeypatch.setattr(pq, "write_table", write_table)
    for left, where, cells in ((1, "cells", 1), (3, "predictions", 4), (6, "results.parquet", 4)):  # noqa: B007
        with pytest.raises(StoppedError, match="no space is left on the disk, what was finished is kept") as caught:
            study.run(given.options(out))
        assert where in str(caught.value)
        assert len(list((out / "cells").glob("probe-*.parquet"))) == cells
        assert not list(out.rglob("*.tmp"))
    monkeypatch.undo()
    study.run(given.options(out))
    assert (out / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()


def test_repetitions_are_reported_as_such(given: Given, tmp_path: Path) -> None:
    study.run(given.options(tmp_path / "out", repeat_splits=2, scenarios=("in_distribution",), ood=()))
    rows = planting.table_of(tmp_path / "out" / "results.csv")
    assert (tmp_path / "out" / "results.csv").read_text().splitlines()[0] == planting.HEADER + ",repeat"
    values = {repeat: [row["value"] for row in planting.chosen(rows, repeat=repeat)] for repeat in ("0", "1")}
    assert len(values["0"]) == len(values["1"]) == 2 * 3 * 5
    assert values["0"] != values["1"]
    curves = planting.table_of(tmp_path / "out" / "curves.csv")
    assert {row["repeat"] for row in curves} == {"0", "1"}


def test_random_networks_are_said_and_their_seed_is_the_studys(given: Given, tmp_path: Path) -> None:
    options = given.options(tmp_path, encoders=("resnet18-cifar",), external=(), image_size=8, seed=5)
    (encoder,) = question_of(options).encoders
    assert not encoder.trained
    assert encoder.hash == open_or_random("resnet18-cifar", size=8, seed=5).hash
    assert encoder.hash != open_or_random("resnet18-cifar", size=8, seed=6).hash
