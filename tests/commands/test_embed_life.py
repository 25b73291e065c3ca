"""`remedis embed` started again, stopped at any instant, and shared by several processes."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from embed_runs import embed, environment, make_pictures, rows_of, started

from remedis import cli
from remedis.data import embeddings, manifest


def test_the_same_command_again_does_nothing(
    tmp_path: Path, small_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_pictures(tmp_path, 4)
    words = [path, "--encoder", small_encoder, "--out", tmp_path / "emb", "--workers", 0]
    assert embed(*words) == 0
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in (tmp_path / "emb").iterdir()}
    assert embed(*words) == 0
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in (tmp_path / "emb").iterdir()} == before
    assert "wrote" in capsys.readouterr().out


def test_another_job_is_refused_and_named(
    tmp_path: Path, small_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_pictures(tmp_path, 4)
    words = [path, "--encoder", small_encoder, "--out", tmp_path / "emb", "--workers", 0]
    assert embed(*words) == 0
    capsys.readouterr()
    assert embed(*words, "--image-size", 64) == 2
    assert "image_size is 32 there, 64 here" in capsys.readouterr().err
    table = pq.read_table(path)
    manifest.write(table.slice(0, 3), path, {"root": "pictures", "data_set": "random"})
    assert embed(*words) == 2
    assert "rows is 4 there, 3 here" in capsys.readouterr().err


def test_a_foreign_folder_is_left_alone(
    tmp_path: Path, small_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_pictures(tmp_path, 1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    assert embed(path, "--encoder", small_encoder, "--out", tmp_path / "mine", "--workers", 0) == 2
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    assert "was not made by this command" in capsys.readouterr().err


def test_a_full_disk_keeps_what_was_finished_and_the_next_start_goes_on(
    tmp_path: Path, small_encoder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_pictures(tmp_path, 24)
    words = [path, "--encoder", small_encoder, "--batch-size", 2, "--workers", 0]
    write_bytes, written = Path.write_bytes, []

    def on_a_small_disk(self: Path, data: bytes) -> int:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        written.append(self)
        return write_bytes(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", on_a_small_disk)
        assert embed(*words, "--out", tmp_path / "emb") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("remedis: error: ")
    assert "no space is left on the disk" in error
    assert [file.name for file in embeddings.part_paths(tmp_path / "emb")] == [
        "part-000000.parquet",
        "part-000001.parquet",
    ]
    assert not list((tmp_path / "emb").glob("*.tmp"))
    assert embed(*words, "--out", tmp_path / "emb") == 0
    assert "goes on at image 16 of 24" in capsys.readouterr().err
    assert embed(*words, "--out", tmp_path / "whole") == 0
    assert rows_of(tmp_path / "emb")[1].tobytes() == rows_of(tmp_path / "whole")[1].tobytes()


def _kill_until_done(words: list[object], kills: int, *, seed: int, seconds: float) -> int:
    """Start again and again, kill -9 at a random instant each time; return how many kills met a working process.

    Args:
        words: The command.
        kills: How often.
        seed: Decides the instants.
        seconds: That the command takes when nobody kills it.
    """
    draw, met = random.Random(seed), 0
    for _ in range(kills):
        process = started(*words)
        time.sleep(seconds * draw.uniform(0.2, 0.8))
        if process.poll() is None:
            met += 1
            process.send_signal(signal.SIGKILL)
        process.communicate()
    last = started(*words)
    assert last.communicate()[1].count("error") == 0
    assert last.returncode == 0
    return met


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_instants_it_ends_with_the_same_bytes(tmp_path: Path, small_encoder: Path, kills: int) -> None:
    path = make_pictures(tmp_path, 60 * kills)
    words: list[object] = ["embed", path, "--encoder", small_encoder, "--batch-size", 2, "--image-size", 160, "--out"]
    begun = time.monotonic()
    process = started(*words, tmp_path / "whole")
    process.communicate()
    assert process.returncode == 0
    seconds = time.monotonic() - begun
    assert _kill_until_done([*words, tmp_path / "killed"], kills, seed=kills, seconds=seconds) > 0
    assert rows_of(tmp_path / "killed")[0] == rows_of(tmp_path / "whole")[0]
    assert rows_of(tmp_path / "killed")[1].tobytes() == rows_of(tmp_path / "whole")[1].tobytes()
    assert not list((tmp_path / "killed").glob("*.tmp"))


def test_sigterm_ends_with_143_and_keeps_what_was_finished(tmp_path: Path, small_encoder: Path) -> None:
    path = make_pictures(tmp_path, 400)
    words = ["embed", path, "--encoder", small_encoder, "--batch-size", 2, "--image-size", 160, "--workers", 0,
             "--out", tmp_path / "emb"]  # fmt: skip
    process = started(*words)
    end = time.monotonic() + 60
    while not embeddings.part_paths(tmp_path / "emb") and time.monotonic() < end:
        time.sleep(0.1)
    process.terminate()
    error = process.communicate()[1]
    assert process.returncode == 143
    assert error.splitlines()[-1].startswith("remedis: error: ended by SIGTERM")
    assert embeddings.part_paths(tmp_path / "emb")
    assert not list((tmp_path / "emb").glob("*.tmp"))


def test_two_processes_give_what_one_gives(tmp_path: Path, small_encoder: Path) -> None:
    path = make_pictures(tmp_path, 30)
    words = ["embed", path, "--encoder", small_encoder, "--batch-size", 2, "--workers", 0, "--out"]
    pair = [started(*words, tmp_path / "two", RANK=str(rank), WORLD_SIZE="2") for rank in range(2)]
    outputs = [process.communicate() for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert [bool(out) for out, _ in outputs] == [True, False]
    assert cli.run([str(word) for word in [*words, tmp_path / "one"]]) == 0
    (names, two), (expected, one) = rows_of(tmp_path / "two"), rows_of(tmp_path / "one")
    assert names == expected
    assert np.linalg.norm(two - one) <= 1e-5 * np.linalg.norm(one)


@pytest.mark.slow
def test_torchrun_shares_the_work_and_a_later_start_takes_up_what_a_killed_one_left(
    tmp_path: Path, small_encoder: Path
) -> None:
    path = make_pictures(tmp_path, 200)
    words = ["embed", path, "--encoder", small_encoder, "--batch-size", 2, "--image-size", 160, "--workers", 1, "--out"]
    assert cli.run([str(word) for word in [*words, tmp_path / "one"]]) == 0
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "remedis"]
    line += [str(word) for word in [*words, tmp_path / "two"]]
    first = subprocess.Popen(line, env=environment(), start_new_session=True)
    end = time.monotonic() + 120
    while len(embeddings.part_paths(tmp_path / "two")) < 4 and time.monotonic() < end:
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)  # what it started may go on beside the next start: parts come whole or not
    first.communicate()
    assert len(embeddings.part_paths(tmp_path / "two")) >= 4
    assert subprocess.run(line, env=environment(), check=False).returncode == 0
    (names, two), (expected, one) = rows_of(tmp_path / "two"), rows_of(tmp_path / "one")
    assert names == expected
    assert np.linalg.norm(two - one) <= 1e-5 * np.linalg.norm(one)
