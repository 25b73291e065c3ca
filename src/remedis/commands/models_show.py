"""`remedis models show`: a model's card."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from remedis.console import QUIET, Console, Result
from remedis.errors import UsageError, nearest
from remedis.models import zoo
from remedis.models.store import Store, home
from remedis.models.zoo import card
from remedis.options.zoo import ModelsShow


def run(options: ModelsShow, console: Console = QUIET) -> Result:
    """Return what is known of the model, and of the checkpoint where it is here.

    Raises:
        UsageError: There is no model of this name; gives the nearest.
    """
    store = Store(home(options.home))
    entry, here = zoo.find(options.name), store.has(options.name)
    if entry is None and not here:
        hint = nearest(options.name, [*zoo.names(), *store.names()])
        raise UsageError(f"there is no model {options.name!r}, {hint}")
    facts = store.facts(options.name) if here else {}
    parts = [card.text(entry) if entry else options.name]
    parts += [_checkpoint(store, options.name, facts, brief=entry is not None)] if here else []
    parts += [f"next: {_next(options.name, here=here)}"]
    data = {
        "name": options.name,
        "here": here,
        "folder": str(store.folder(options.name)) if here else None,
        "published": asdict(entry) if entry else None,
        "caution": zoo.caution(options.name),
        "checkpoint": facts or None,
    }
    return Result(text="\n".join(parts), data=data)


def _checkpoint(store: Store, name: str, facts: dict[str, Any], *, brief: bool) -> str:
    """Return the lines on the checkpoint that is here; `brief` where the card above says the rest."""
    contract = facts.get("contract") or {}
    rows = [
        ("here", str(store.folder(name))),
        ("weights", f"SHA-256 {facts.get('weights_sha256') or 'not known'}"),
        (
            "contract",
            ", ".join(f"{key} {contract[key]}" for key in ("size", "range", "map", "pool") if key in contract),
        ),
    ]
    if not brief:
        rows += [
            ("network", str(facts.get("network") or "not known")),
            ("source", str(facts.get("source") or "not known")),
            ("licence", str(facts.get("licence") or "not known")),
            ("has seen", ", ".join(zoo.seen_in(facts.get("extra"))) or "not known"),
            *(("note", str(note)) for note in facts.get("notes") or ()),
        ]
    return "\n".join(f"  {label:<13}{value}" for label, value in rows if value)


def _next(name: str, *, here: bool) -> str:
    return f"remedis embed IMAGES --encoder {name} --out emb" if here else f"remedis models download {name}"
