"""A published model's card: all that is known of it, in rows for a terminal and for the documentation."""

from __future__ import annotations

import textwrap

from remedis.models import zoo
from remedis.models.zoo.entries import Entry

WIDTH = 112


def rows(entry: Entry) -> list[tuple[str, tuple[str, ...]]]:
    """Return the card's lines as (label, sentences), in the order they are read."""
    low, high = entry.range
    warning = zoo.caution(entry.name)
    return [
        *([("caution", (warning,))] if warning else []),
        ("modality", (entry.modality,)),
        ("network", (entry.network,)),
        ("starts from", (entry.start,)),
        ("has seen", tuple(f"{data.name}: {data.how} [{data.source}]" for data in entry.seen)),
        ("input", (f"RGB floats in [{low:g}, {high:g}], {entry.size} px ({entry.range_source})", entry.sizes)),
        ("licence", (f"{entry.licence.name} [{entry.licence.address}]",)),
        ("terms", tuple(entry.licence.terms)),
        ("cite", entry.citation),
        ("had from", (entry.page, entry.base + entry.folder)),
        ("files", tuple(f"{path}  {digest or 'no hash was published'}" for path, digest in entry.files.items())),
        ("checked", entry.checked),
        ("not known", entry.unknown),
    ]


def text(entry: Entry) -> str:
    """Return the card for a terminal."""
    label_width = 13
    lines = [entry.name]
    for label, sentences in rows(entry):
        for number, sentence in enumerate(sentences):
            first = f"  {label if number == 0 else '':<{label_width}}"
            lines += textwrap.wrap(
                sentence, WIDTH, initial_indent=first, subsequent_indent=" " * len(first),
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
    return "\n".join(lines)


def page() -> str:
    """Return docs/models/zoo.md."""
    parts = [
        "# The published models\n\nMade by `docs/make_zoo.py` from the code; `remedis models show NAME` says the same. "
        "How to get them: [Using Google's REMEDIS weights](../guides/use-googles-remedis-weights.md).\n\n"
        "remedis is not affiliated with Google. It passes none of these files on: each comes from where it was "
        "published, under its own terms.",
        _overview(),
        f"**Caution.** {zoo.TWINS_CAUTION}.",
    ]
    parts += [_section(entry) for entry in zoo.ENTRIES.values() if entry.licence.must_accept]
    parts += ["## BiT's starting points", "They differ in network, start and file only; `bit-m-r50x1` stands for all."]
    parts += [_section(zoo.ENTRIES["bit-m-r50x1"])]
    return "\n\n".join(parts) + "\n"


def _overview() -> str:
    lines = ["| name | modality | network | starts from | has seen |", "|---|---|---|---|---|"]
    for entry in zoo.ENTRIES.values():
        seen = ", ".join(data.name for data in entry.seen)
        lines.append(f"| `{entry.name}` | {entry.modality} | {entry.network} | {entry.start} | {seen} |")
    return "\n".join(lines)


def _section(entry: Entry) -> str:
    lines = [f"## {entry.name}", "", "| | |", "|---|---|"]
    for label, sentences in rows(entry):
        cell = "<br>".join(f"`{sentence}`" if label == "files" else sentence for sentence in sentences)
        lines.append(f"| {label} | {cell.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)
