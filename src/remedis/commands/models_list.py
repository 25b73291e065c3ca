"""`remedis models list`: the published models and a person's own, here or not."""

from __future__ import annotations

from typing import Any

from remedis.console import QUIET, Console, Result
from remedis.models import zoo
from remedis.models.store import Store, home, size_of
from remedis.options.zoo import ModelsList

MIB = 1 << 20
_COLUMNS = ("name", "here", "modality", "network", "has seen", "licence")


def run(options: ModelsList, console: Console = QUIET) -> Result:
    """Return the table."""
    store = Store(home(options.home))
    listed = [_published(store, name) for name in zoo.names()]
    own = [_own(store, name) for name in store.names() if zoo.find(name) is None]
    here = sum(model["here"] for model in (*listed, *own))
    lines = [
        *_table([_row(model) for model in (*listed, *own)]),
        "",
        f"caution: {zoo.TWINS_CAUTION}",
        f"{here} here, kept in {store.home}",
        "next: remedis models show NAME, then remedis models download NAME",
    ]
    return Result(text="\n".join(lines), data={"home": str(store.home), "models": [*listed, *own]})


def _published(store: Store, name: str) -> dict[str, Any]:
    entry = zoo.entry(name)
    return {
        "name": name,
        "kind": "published",
        **_place(store, name),
        "modality": entry.modality,
        "network": entry.network,
        "start": entry.start,
        "seen": [data.name for data in entry.seen],
        "licence": entry.licence.name,
        "caution": zoo.caution(name),
    }


def _own(store: Store, name: str) -> dict[str, Any]:
    facts = store.facts(name)
    return {
        "name": name,
        "kind": "own",
        **_place(store, name),
        "modality": None,
        "network": facts.get("network"),
        "start": None,
        "seen": list(zoo.seen_in(facts.get("extra"))),
        "licence": facts.get("licence"),
        "caution": None,
    }


def _place(store: Store, name: str) -> dict[str, Any]:
    here = store.has(name)
    folder = store.folder(name)
    return {
        "here": here,
        "folder": str(folder) if here else None,
        "bytes": size_of(folder.resolve()) if here else None,
    }


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    here = f"{model['bytes'] / MIB:,.0f} MiB" if model["here"] else "no"
    licence = str(model["licence"] or "not known").replace(" Credentialed Health Data License", "")
    modality = model["modality"] or "own"
    return (model["name"], here, modality, str(model["network"] or "?"), ", ".join(model["seen"]), licence)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in (_COLUMNS, *rows)) for column in range(len(_COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_COLUMNS, *rows)
    ]
