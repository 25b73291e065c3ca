"""Embeddings opened for a probe: rows, features, what is kept whole, and what must agree with other embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from remedis.data import embeddings, manifest, splits
from remedis.errors import InputError
from remedis.evaluate.logistic import Features
from remedis.evaluate.parts import Units, notes_on_units, refuse_leak, split_words, units_of

_MUST_AGREE = ("encoder_hash", "width", "contract", "profile", "profile_version", "fit", "image_size")
_SHOULD_AGREE = ("precision", "engine")


@dataclass(frozen=True)
class Source:
    """Embeddings with what a probe needs to know of their rows.

    Attributes:
        table: The manifest's columns.
        features: (N, D) float32.
        units: What is kept whole.
        split: Each row's part, or None where there is no split.
        where: The folder, for messages.
        facts: What `_embeddings.json` says.
        notes: What a person should know of the rows.
    """

    table: pa.Table
    features: Features
    units: Units
    split: list[str | None] | None
    where: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def job(self) -> Mapping[str, Any]:
        """What decided the embeddings: encoder, manifest, profile, precision …"""
        job: Mapping[str, Any] = self.facts.get("job", {})
        return job

    @property
    def data_set(self) -> str:
        """The data set's name, which stands for the site where a row has none."""
        known = self.facts.get("data_set") or manifest.facts_of(self.table).get("data_set")
        return str(known or Path(str(self.job.get("manifest", ""))).stem)

    @property
    def root(self) -> Path | None:
        """Folder that relative image paths start from, where that is known."""
        return Path(str(self.facts["root"])) if self.facts.get("root") else None


def open_source(
    folder: Path, *, where: Sequence[str] = (), cluster: str | None = None, tested_whole: bool = False
) -> Source:
    """Return the embeddings of a folder.

    Args:
        folder: What `remedis embed` wrote.
        where: Conditions that all rows must meet.
        cluster: Column whose values are kept whole instead of patients.
        tested_whole: All rows are tested, so that a column `split` has no say.

    Raises:
        InputError: The folder holds no finished embeddings.
        ManifestError: A column is missing.
        LeakError: A patient stands in two parts.
    """
    found = embeddings.read(folder, where=where)
    split = None if tested_whole else split_words(found.table)
    if split is not None:
        refuse_leak(found.table, str(folder))
    units = units_of(found.table, cluster, where=str(folder))
    notes = (*_notes_on_units(found.table, units), *(() if tested_whole else _notes_on_split(found.table, split)))
    return Source(found.table, found.matrix, units, split, str(folder), found.facts, notes)


def _notes_on_units(table: pa.Table, units: Units) -> list[str]:
    hint = "; --cluster COLUMN names what belongs together" if units.name == "images" else ""
    return [f"{note}{hint}" for note in notes_on_units(table, units)]


def _notes_on_split(table: pa.Table, split: list[str | None] | None) -> list[str]:
    other = splits.split_column(table).other
    if not other:
        return []
    words = ", ".join(f"{word} {count:,}" for word, count in other.items())
    if split is None:
        return [f"no row's split says train ({words}), so the column counts as absent"]
    return [f"rows whose split is none of {', '.join(splits.SPLITS)} are left out: {words}"]


def settings_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what embeddings must have in common to be scored by one probe, and what they should."""
    job = facts.get("job", {})
    return {name: job.get(name, facts.get(name)) for name in (*_MUST_AGREE, *_SHOULD_AGREE)}


def refuse_other_encoder(settings: Mapping[str, Any], expected: Mapping[str, Any], *, where: str | Path) -> list[str]:
    """Refuse embeddings that a probe cannot score, because another encoder or another way to it made them.

    Args:
        settings: Theirs, from `settings_of`.
        expected: Those of the embeddings that the probe learnt from.
        where: Their folder, or the encoder.

    Returns:
        What differs and does no harm but should be known, in words.

    Raises:
        InputError: Names what differs.
    """
    differing = [
        f"{name.replace('_', ' ')} {_short(settings.get(name))}, not {_short(expected.get(name))}"
        for name in _MUST_AGREE
        if settings.get(name) != expected.get(name)
    ]
    if differing:
        raise InputError(
            f"not made as the embeddings were that the probe learnt from ({'; '.join(differing)}); embed them with the "
            "same encoder and options",
            where=where,
        )
    return [
        f"{name} is {settings.get(name)} in {where} and was {expected.get(name)} in the embeddings learnt from"
        for name in _SHOULD_AGREE
        if settings.get(name) != expected.get(name)
    ]


def _short(value: Any) -> str:
    """Return a value in words, of a hash its first twelve digits."""
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {part}" for key, part in value.items()) + ")"
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
