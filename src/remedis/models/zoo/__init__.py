"""The zoo: published models by name, what they have seen, and what should be said about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from remedis.errors import UsageError, nearest
from remedis.models.card import Facts
from remedis.models.zoo.entries import ALL, TWINS, Entry

ENTRIES: dict[str, Entry] = {entry.name: entry for entry in ALL}

TWINS_CAUTION = (
    f"{TWINS[0]} and {TWINS[1]} are the same bytes in all four published files: one of the two is mislabelled, and "
    "nobody has said which. Do not rest a claim about chest X-rays or about pathology on it alone"
)

_ALIKE: dict[str, tuple[str, ...]] = {
    # Data sets that are, or are made of, images of the one named; letters and digits only, as `_bare` leaves them.
    "MIMIC-CXR": ("mimiccxr", "mscxr", "reflacx", "chestimagenome", "cxrlt"),
    "CheXpert": ("chexpert", "chexphoto", "chexlocalize"),
    "TCGA": ("tcga", "thecancergenomeatlas", "monuseg"),
    "ImageNet-1k": ("imagenet", "ilsvrc", "imagenette", "imagewoof"),
    "ImageNet-21k": ("imagenet", "ilsvrc", "imagenette", "imagewoof"),  # the 1,000 classes are among the 21,841
}


def names() -> list[str]:
    """Return the names of the published models, in the order they are listed."""
    return list(ENTRIES)


def find(name: str) -> Entry | None:
    """Return the published model of this name, or None."""
    return ENTRIES.get(name)


def entry(name: str, *, also: Iterable[str] = ()) -> Entry:
    """Return the published model of this name.

    Args:
        name: What was typed.
        also: Other names that may have been meant.

    Raises:
        UsageError: There is none; gives the nearest.
    """
    found = find(name)
    if found is None:
        raise UsageError(f"there is no model {name!r}, {nearest(name, [*names(), *also])}")
    return found


def caution(name_or_hash: str) -> str | None:
    """Return what nobody should overlook about a model, or None.

    Args:
        name_or_hash: A model's name, or the SHA-256 of one of its published files.
    """
    hashes = {digest for twin in TWINS for digest in ENTRIES[twin].files.values()}
    return TWINS_CAUTION if name_or_hash in TWINS or name_or_hash in hashes else None


def facts(found: Entry, hashes: Mapping[str, str], *, address: str) -> Facts:
    """Return what a checkpoint made of a published model says about itself.

    Args:
        found: The model.
        hashes: Path below its folder to the SHA-256 that was computed here.
        address: Where the files were had from.
    """
    warning = caution(found.name)
    kind = "REMEDIS checkpoint" if found.licence.must_accept else "BiT weights"
    return Facts(
        source=f"{found.name}, {kind} for {found.modality}, published at {found.page}",
        licence=found.licence.name,
        citation=found.citation,
        notes=(warning,) if warning else (),
        extra={
            "zoo": found.name,
            "seen": [data.name for data in found.seen],
            "start": found.start,
            "original": {"address": address, "sha256": dict(hashes)},
        },
    )


def seen_by(encoder: Facts | str) -> tuple[str, ...]:
    """Return the data sets that an encoder has learnt from, as far as is known.

    Args:
        encoder: A loaded encoder's facts, or a published model's name.
    """
    if isinstance(encoder, Facts):
        return seen_in(encoder.extra)
    found = find(encoder)
    return tuple(data.name for data in found.seen) if found else ()


def seen_in(extra: object) -> tuple[str, ...]:
    """Return the data sets that stand under `seen` in a checkpoint's `extra`; none where that is of another form."""
    listed = extra.get("seen") if isinstance(extra, Mapping) else None
    return tuple(str(name) for name in listed) if isinstance(listed, list | tuple) else ()


def contaminated(data_set: str, seen: Iterable[str]) -> str | None:
    """Return why an evaluation on `data_set` is none on unseen data, or None where nothing is known against it.

    Args:
        data_set: The name that a manifest gives its data set (`mimic-cxr-jpg-2.1.0`, `TCGA-BRCA`).
        seen: Data sets that the encoder has learnt from, see `seen_by`.

    Names are compared without case, spaces and punctuation; a data set whose images are taken from another one
    (CheXphoto from CheXpert, MoNuSeg from TCGA) counts as that one.
    """
    bare = _bare(data_set)
    for name in seen:
        if any(alike in bare for alike in (_bare(name), *_ALIKE.get(name, ()))):
            return (
                f"the encoder has learnt from images of {name}, and {data_set!r} looks like images of it: what is "
                "measured here is not what unseen images would give"
            )
    return None


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
