"""What is known about weights, and the model card that says it to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from remedis.errors import CheckpointError
from remedis.models.contract import Contract

NOT_A_DEVICE = "Research software, not a diagnostic device."
SHOWS_IN_TIMM = 1e-4  # relative difference of the embedding from which the card speaks of timm's larger eps


@dataclass(frozen=True)
class Facts:
    """What is known about an encoder's weights.

    Attributes:
        source: Where the weights come from, one sentence.
        licence: Name of the licence of the weights; None where it is not known.
        citation: Works to cite.
        trained: False for random weights.
        notes: Sentences that a user should not miss.
        extra: Further plain values for `remedis` in config.json (hashes of the original, a seed, a run).
    """

    source: str = "not known"
    licence: str | None = None
    citation: tuple[str, ...] = ()
    trained: bool = True
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for config.json."""
        return {
            "source": self.source,
            "licence": self.licence,
            "citation": list(self.citation),
            "trained": self.trained,
            "notes": list(self.notes),
            "extra": dict(self.extra),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Facts:
        """Return the facts that config.json holds; what is missing there is not known.

        Raises:
            CheckpointError: A value is of another kind than `to_json` writes.
        """
        kinds = {"source": str, "licence": str, "citation": list, "trained": bool, "notes": list, "extra": dict}
        for key, kind in kinds.items():
            if value.get(key) is not None and not isinstance(value[key], kind):
                raise CheckpointError(f"remedis.{key} is {value[key]!r}, a {kind.__name__} was expected")
        return cls(
            source=value.get("source") or "not known",
            licence=value.get("licence"),
            citation=tuple(str(work) for work in value.get("citation") or ()),
            trained=value.get("trained") is not False,
            notes=tuple(str(note) for note in value.get("notes") or ()),
            extra=value.get("extra") or {},
        )


@dataclass(frozen=True)
class Subject:
    """What a card is about.

    Attributes:
        name: The encoder's name.
        network: The network's name.
        contract: What it takes and gives.
        width: D.
        parameters: How many numbers were trained.
        weights_sha256: Hash of the weights.
        timm_name: timm's name of the network, where it has one.
        timm_difference: Relative difference of timm's embedding, from its eps of 1e-8 in place of 1e-10.
    """

    name: str
    network: str
    contract: Contract
    width: int
    parameters: int
    weights_sha256: str
    timm_name: str | None
    timm_difference: float | None


def card(subject: Subject, facts: Facts) -> str:
    """Return the model card, in Markdown with the header that the Hugging Face Hub reads."""
    parts = [header(facts), f"# {subject.name}", _opening(subject, facts)]
    if facts.notes:
        parts.append("\n".join(f"- {note}" for note in facts.notes))
    parts += [_what(subject), _how(subject), sources(facts)]
    return "\n\n".join(parts) + "\n"


def header(facts: Facts, library: str = "remedis") -> str:
    """Return the lines that the Hugging Face Hub reads on top of a card; `library` is what opens the folder."""
    known = {"apache-2.0": "apache-2.0", "mit": "mit", "cc-by-4.0": "cc-by-4.0"}
    licence = known.get((facts.licence or "").lower())
    lines = ["---", f"library_name: {library}", "pipeline_tag: image-feature-extraction"]
    lines += [f"license: {licence}"] if licence else ["license: other"]
    return "\n".join([*lines, "tags:", "- medical-imaging", "- remedis", "---"])


def _opening(subject: Subject, facts: Facts) -> str:
    state = "" if facts.trained else " The weights are random: it has learnt nothing yet."
    return f"An image encoder for `remedis` ({subject.network}).{state} {NOT_A_DEVICE}"


def _what(subject: Subject) -> str:
    contract = subject.contract
    low, high = contract.range
    maps = {
        "after-norm": "the output of the last norm and ReLU",
        "before-norm": "the sum of the last block, before the last norm",
        "tokens": "patch tokens folded into a map",
        "none": "none",
    }
    rows = [
        ("network", subject.network),
        ("parameters", f"{subject.parameters:,}"),
        ("input", f"(N, {contract.channels}, H, W), floats in [{low:g}, {high:g}] ({contract.range_source})"),
        ("image size", f"{contract.size} px, fit: {contract.fit}"),
        ("profile", contract.profile or "dicom-display unless another is asked for"),
        ("padding", contract.padding),
        ("embedding", f"{subject.width} numbers, pool: {contract.pool}"),
        ("map", f"{contract.map}: {maps[contract.map]}"),
        ("weights, SHA-256", f"`{subject.weights_sha256}`"),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _how(subject: Subject) -> str:
    code = [
        "```python",
        "import remedis",
        "",
        'encoder = remedis.load("DIR")                  # this folder; in evaluation mode',
        'embedding = encoder(remedis.read("image.png"))  # (1, D)',
        "```",
    ]
    text = "\n".join(["## Use", "", *code])
    return text + "\n\n" + _timm(subject)


def _timm(subject: Subject) -> str:
    if subject.timm_name is None:
        return "timm has no network that computes the same."
    opening = (
        f'`timm.create_model("local-dir:DIR", pretrained=True)` opens the folder as `{subject.timm_name}`; '
        "the mean and standard deviation to normalise with stand in `pretrained_cfg`."
    )
    if subject.timm_difference is None:
        return opening
    if subject.timm_difference <= SHOWS_IN_TIMM:
        return f"{opening} Its embedding differs by {subject.timm_difference:.1e} (relative), from another eps."
    return (
        f"{opening}\n\n**timm's output differs by {subject.timm_difference:.1e} (relative).** "
        "timm standardises kernels with eps 1e-8, this network with 1e-10, and some kernels here have so "
        "small a variance that it shows. `remedis models export DIR --format timm --out OTHER` writes a folder whose "
        "kernels offset it: use that one there. (Or set `eps = 1e-10` on every `StdConv2d` of timm's network.)"
    )


def sources(facts: Facts) -> str:
    """Return the card's part on where the weights come from, their licence and what to cite."""
    lines = [
        "## Source",
        "",
        f"{facts.source}.",
        "",
        f"Licence of the weights: {facts.licence or 'not known'}.",
    ]
    if facts.citation:
        lines += ["", "Cite:", "", *(f"- {work}" for work in facts.citation)]
    return "\n".join(lines)
