"""docs/guides/use-googles-remedis-weights.md: each of its lines, in order, against a site on this machine."""

from __future__ import annotations

import getpass
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from physionet_server import PASSWORD, ROOT, USER, Site, serve
from small_originals import BIT, CXR, lay, small_entry, small_site, use_small, with_weights

from remedis import cli
from remedis.models import download, zoo
from remedis.models.download import physionet
from remedis.models.store import Store
from remedis.models.zoo.entries import PHYSIONET

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "use-googles-remedis-weights.md"
PATH, LARGE_CXR = "path-50x1-remedis-m", "cxr-152x2-remedis-m"
BIT_FILE = "BiT-M-R50x1.npz"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(kind: str) -> list[str]:
    """Return the guide's lines of one kind, in order."""
    blocks = re.findall(rf"```{kind}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, small_folder: Path) -> Iterator[Site]:
    """Serve the models in small where the zoo says that they are."""
    names = (CXR, PATH, LARGE_CXR)
    use_small(monkeypatch, *names)
    monkeypatch.setattr(download, "_convert", with_weights(small_folder))
    with serve(small_site(*names)) as running, serve(Site({BIT_FILE: b"weights"}, guarded=False)) as bucket:
        for name in names:
            monkeypatch.setitem(zoo.ENTRIES, name, replace(small_entry(name), base=running.base, size=32))
        monkeypatch.setitem(zoo.ENTRIES, BIT, replace(zoo.ENTRIES[BIT], base=bucket.base))
        yield running


def test_each_line_from_the_licence_to_the_first_embedding(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REMEDIS_HOME", str(tmp_path / "home"))
    for name in ("PHYSIONET_USERNAME", "PHYSIONET_PASSWORD", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda *_: PASSWORD)
    ran = []
    for line in lines("sh"):
        words = shlex.split(line.replace("NAME", USER))
        monkeypatch.setattr(sys, "stdin", Terminal("yes\n" if "--user" in words else f"{USER}\n"))
        if words[0] == "wget":
            fetch_with_wget(words, site, tmp_path)
            continue
        assert words[0] == "remedis"
        site.asked.clear()
        added = ["--workers", "0"] if words[1] == "embed" else []  # or else a process would have to be started
        status = cli.run([*words[1:], *added])
        captured = capsys.readouterr()
        assert status == 0, f"{line}: {captured.err}"
        ran.append(words[1:3])
        if words[1] == "embed" or "--from" in words:
            assert not site.asked
    assert ["models", "list"] in ran
    assert ran.count(["models", "download"]) == 4
    assert Store(tmp_path / "home").names() == sorted([BIT, CXR, LARGE_CXR, PATH])
    assert list((tmp_path / "emb").glob("part-*.parquet"))
    names: dict[str, object] = {}
    exec("\n".join(lines("python")), names)  # the guide's own program
    assert getattr(names["embedding"], "shape", None) == (1, 512)


def fetch_with_wget(words: list[str], site: Site, folder: Path) -> None:
    """Leave the tree that wget leaves; by wget itself where it is installed, the password typed as an option."""
    address = words.pop()
    model = address.removeprefix(PHYSIONET).strip("/")
    assert " ".join([*words, address]) == physionet.wget_line(zoo.ENTRIES[model], USER)
    if shutil.which("wget") is None:
        lay(folder / "physionet.org" / ROOT.strip("/") / model, model)
        return
    words[words.index("--ask-password")] = f"--password={PASSWORD}"
    subprocess.run([*words, "-q", f"{site.base}{model}/"], cwd=folder, check=True, env={"LC_ALL": "C.UTF-8"})
    (folder / site.address.partition("://")[2]).rename(folder / "physionet.org")


def test_the_guide_names_every_model_and_the_place_that_errors_name() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for name, entry in zoo.ENTRIES.items():
        if entry.licence.must_accept:
            assert f"`{name}`" in text
            assert entry.page in text
