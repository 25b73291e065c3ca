"""What goes along with an export: whose weights they are, under which licence, what goes in, how it was proved."""

from __future__ import annotations

import json

from remedis import __version__
from remedis.models.card import NOT_A_DEVICE, header, sources
from remedis.models.encoder import Encoder
from remedis.models.export.proof import RULE, Difference, largest
from remedis.models.hub import CLOSED_LICENCES


def closed(encoder: Encoder) -> str | None:
    """Return the sentence that forbids to pass the weights on, or None where nothing known forbids it."""
    licence = encoder.facts.licence or ""
    for word, reason in CLOSED_LICENCES.items():
        if word in licence.lower():
            return f"For your own use only, do not pass it on: {reason} ({licence})."
    return None


def notes(encoder: Encoder) -> tuple[str, ...]:
    """Return what a user should not miss: the licence's bar first, then what is known of the weights."""
    forbidden = closed(encoder)
    return (*([forbidden] if forbidden else []), *encoder.facts.notes)


def metadata(encoder: Encoder, held: tuple[Difference, ...], witness: str) -> dict[str, str]:
    """Return the facts as strings by name, for files that keep such pairs."""
    facts = encoder.facts
    return {
        "name": encoder.name,
        "network": encoder.network,
        "source": facts.source,
        "weights_sha256": encoder.hash,
        "licence": facts.licence or "not known",
        "citation": json.dumps(list(facts.citation), ensure_ascii=False),
        "notes": json.dumps(list(notes(encoder)), ensure_ascii=False),
        "contract": json.dumps(encoder.contract.to_json()),
        "remedis_version": __version__,
        "witness": witness,
        "largest_difference": f"{largest(held):.3e}",
        "use": NOT_A_DEVICE,
    }


def card(
    encoder: Encoder, held: tuple[Difference, ...], witness: str, *, use: str, library: str, more: tuple[str, ...] = ()
) -> str:
    """Return the README.md of an exported folder.

    Args:
        encoder: What was exported.
        held: How far the export is from it.
        witness: Program that ran the export.
        use: How to open it, in Markdown.
        library: For the header that the Hugging Face Hub reads.
        more: Sentences on what this format changes.
    """
    facts, contract = encoder.facts, encoder.contract
    state = "" if facts.trained else " The weights are random: it has learnt nothing yet."
    opening = f"An image encoder ({encoder.network}), exported by remedis {__version__}.{state} {NOT_A_DEVICE}"
    said = (*notes(encoder), *more)
    parts = [
        header(facts, library),
        f"# {encoder.name}",
        opening,
        *(["\n".join(f"- {note}" for note in said)] if said else []),
        f"## Use\n\n{use}",
        f"Images are {contract.size} px squares where remedis makes them, fit: {contract.fit}, profile: "
        f"{contract.profile or 'dicom-display unless another is asked for'}.",
        f"## Proof\n\n{proof_table(held, witness)}",
        f"SHA-256 of the weights that were exported: `{encoder.hash}`.",
        sources(facts),
    ]
    return "\n\n".join(parts) + "\n"


def proof_table(held: tuple[Difference, ...], witness: str) -> str:
    """Return in Markdown how far the export is from the encoder in float64."""
    rows = [
        f"| {' × '.join(str(side) for side in one.images)} | {one.output} | {one.found:.1e} | {one.ours:.1e} |"
        for one in held
    ]
    return "\n".join(
        [
            f"Run in {witness} on noise and photographs and held against the encoder in float64: ‖a − b‖₂ / ‖b‖₂ of "
            f"the worst image, {RULE}.",
            "",
            "| images | output | export | our own float32 |",
            "|---|---|---|---|",
            *rows,
        ]
    )
