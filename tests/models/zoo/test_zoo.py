"""The zoo: every hash against the published list, what was seen, what is said of the two that are one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from remedis.errors import UsageError
from remedis.models import zoo
from remedis.models.architectures import parse
from remedis.models.card import Facts
from remedis.models.contract import Contract
from remedis.models.zoo import card as zoo_card
from remedis.models.zoo.entries import TWINS

HERE = Path(__file__).parent
DOCS = HERE.parents[2] / "docs"
REMEDIS = [name for name, entry in zoo.ENTRIES.items() if entry.licence.must_accept]
BIT = [name for name in zoo.ENTRIES if name not in REMEDIS]


def published() -> dict[str, dict[str, str]]:
    """The list that the site publishes, read with nothing of ours: folder to path to hash."""
    found: dict[str, dict[str, str]] = {}
    for line in (HERE / "physionet_sha256sums.txt").read_text().splitlines():
        digest, place = line.split()
        folder, _, path = place.partition("/")
        if path:
            found.setdefault(folder, {})[path] = digest
    return found


def test_every_hash_is_the_published_one() -> None:
    assert {name: dict(zoo.ENTRIES[name].files) for name in REMEDIS} == published()


def test_only_seven_distinct_models_were_published() -> None:
    same = {frozenset(files.values()) for files in published().values()}
    assert len(same) == 7
    assert published()[TWINS[0]] == published()[TWINS[1]]
    cautioned = {name for name in zoo.names() if zoo.caution(name)}
    assert cautioned == set(TWINS)


def test_a_hash_of_the_two_that_are_one_is_known_whatever_the_file_is_called() -> None:
    for name, files in published().items():
        for digest in files.values():
            assert (zoo.caution(digest) is not None) == (name in TWINS)


def test_the_names_are_the_authors_and_say_what_the_entry_says() -> None:
    assert sorted(REMEDIS) == sorted(
        f"{kind}-{size}-remedis-{start}" for kind in ("cxr", "path") for size in ("50x1", "152x2") for start in "ms"
    )
    for name in REMEDIS:
        kind, size, _, start = name.split("-")
        entry = zoo.ENTRIES[name]
        assert entry.network == f"bit-r{size}"
        assert entry.start.startswith(f"BiT-{start.upper()} ")
        assert entry.size == (448 if kind == "cxr" else 224)
        assert entry.base + entry.folder == f"https://physionet.org/files/medical-ai-research-foundation/1.0.0/{name}"
    sizes = ("r50x1", "r50x3", "r101x1", "r101x3", "r152x2", "r152x4")
    assert sorted(BIT) == sorted(f"bit-{start}-{size}" for start in "sm" for size in sizes)
    places = {zoo.ENTRIES[name].base + path for name in BIT for path in zoo.ENTRIES[name].files}
    assert "https://storage.googleapis.com/bit_models/BiT-M-R152x2.npz" in places
    assert len(places) == 12


@pytest.mark.parametrize("name", zoo.names())
def test_an_entry_says_all_that_it_must_and_our_networks_can_hold_to_it(name: str) -> None:
    entry = zoo.ENTRIES[name]
    assert parse(entry.network) is not None
    assert Contract(size=entry.size, range=entry.range).range == (0.0, 1.0)
    text = zoo_card.text(entry)
    known = ("modality", "network", "has seen", "input", "licence", "terms", "cite", "had from", "files", "checked")
    for label in (*known, "not known"):
        assert f"\n  {label}" in text
    assert entry.licence.address in text
    assert "no hash was published" in text or name in REMEDIS
    assert max(map(len, text.splitlines())) <= 130


def test_what_a_model_has_seen_follows_from_its_name() -> None:
    assert zoo.seen_by("cxr-152x2-remedis-m") == ("ImageNet-21k", "MIMIC-CXR", "CheXpert")
    assert zoo.seen_by("path-152x2-remedis-s") == ("ImageNet-1k", "TCGA")
    assert zoo.seen_by("bit-m-r50x1") == ("ImageNet-21k",)
    for name in TWINS:  # one of them is mislabelled: either list may be the true one
        assert zoo.seen_by(name) == ("ImageNet-1k", "MIMIC-CXR", "CheXpert", "TCGA")
    assert zoo.seen_by("timm:resnet50") == ()


@pytest.mark.parametrize(
    ("model", "data_set", "expected"),
    [
        ("cxr-50x1-remedis-m", "MIMIC-CXR", True),
        ("cxr-50x1-remedis-m", "mimic_cxr_jpg-2.1.0", True),
        ("cxr-50x1-remedis-m", "CheXpert-v1.0-small", True),
        ("cxr-50x1-remedis-m", "CheXphoto", True),
        ("cxr-50x1-remedis-m", "MIMIC-IV-ECG", False),
        ("cxr-50x1-remedis-m", "nih", False),
        ("cxr-50x1-remedis-m", "TCGA-BRCA", False),
        ("path-50x1-remedis-m", "TCGA-BRCA", True),
        ("path-50x1-remedis-m", "camelyon16", False),
        ("path-50x1-remedis-m", "patch_camelyon", False),
        ("path-50x1-remedis-s", "chexpert", True),
        ("bit-s-r50x1", "ImageNet", True),
        ("bit-m-r50x1", "ILSVRC2012", True),
        ("bit-m-r50x1", "cifar10", False),
    ],
)
def test_an_evaluation_on_what_was_seen_is_called_contaminated(model: str, data_set: str, expected: bool) -> None:
    reason = zoo.contaminated(data_set, zoo.seen_by(model))
    assert (reason is not None) == expected
    if reason:
        assert repr(data_set) in reason


def test_the_facts_of_a_checkpoint_carry_it_all_on() -> None:
    entry = zoo.ENTRIES["path-50x1-remedis-s"]
    hashes = {path: str(digest) for path, digest in entry.files.items()}
    facts = Facts.from_json(zoo.facts(entry, hashes, address="https://mirror/").to_json())
    assert zoo.seen_by(facts) == zoo.seen_by("path-50x1-remedis-s")
    assert facts.notes == (zoo.TWINS_CAUTION,)
    assert facts.licence is not None
    assert "physionet" in facts.licence.lower()  # models push refuses by this word
    assert len(facts.citation) == 2
    assert facts.extra["original"] == {"address": "https://mirror/", "sha256": hashes}
    assert zoo.seen_by(Facts(extra={"seen": "TCGA"})) == ()
    assert not zoo.facts(zoo.ENTRIES["bit-s-r50x1"], {}, address="").notes


def test_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"did you mean cxr-50x1-remedis-[ms]"):
        zoo.entry("cxr-50x1-remedis")
    with pytest.raises(UsageError, match="did you mean our-encoder"):
        zoo.entry("our-encodr", also=["our-encoder"])


def test_the_page_of_the_zoo_is_the_codes() -> None:
    spec = importlib.util.spec_from_file_location("make_zoo", DOCS / "make_zoo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == zoo_card.page(), "run python docs/make_zoo.py"
