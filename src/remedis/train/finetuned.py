"""A fine-tuned model on disk: an ordinary checkpoint, and beside it the head and what its numbers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from remedis.data.files import read_json, write_json
from remedis.errors import CheckpointError, InputError
from remedis.models import checkpoint
from remedis.models.encoder import Encoder
from remedis.models.load import open_encoder
from remedis.train.heads import Classifier
from remedis.train.labels import Learnt, widths

HEAD, FACTS, BEST, LAST = "head.safetensors", "head.json", "best", "last"
GRID, CELLS = "grid.json", "grid"
FORMAT = 1


class Classified(nn.Module):
    """A backbone with its head: images (n, 3, S, S) to logits (n, W).

    Args:
        backbone: Images to embeddings (n, D).
        head: Embeddings to logits.
    """

    def __init__(self, backbone: nn.Module, head: Classifier) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits; the head multiplies in float32."""
        embeddings = self.backbone(x)
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = self.head(embeddings.to(self.head.weight.dtype))
        return logits


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model.

    Attributes:
        encoder: With the contract that it was trained for.
        network: Backbone and head, in evaluation mode.
        labels: What the logits mean.
        folder: Where it lies.
    """

    encoder: Encoder
    network: Classified
    labels: tuple[Learnt, ...]
    folder: Path


def write(folder: Path, encoder: Encoder, head: Classifier, labels: Sequence[Learnt], facts: dict[str, Any]) -> None:
    """Write a model into an empty folder, which every verb that takes an encoder opens too."""
    checkpoint.write(encoder, folder)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in head.state_dict().items()}, folder / HEAD)
    write_json(folder / FACTS, {"format": FORMAT, "labels": [label.to_json() for label in labels], **facts})


def is_finetuned(folder: Path) -> bool:
    """Return whether a folder is a fine-tuned model, or a run that left one."""
    return any((place / FACTS).is_file() for place in _places(folder))


def _places(folder: Path) -> list[Path]:
    """Return where a model may lie: in the folder itself, in a run's, in the chosen cell's of a grid."""
    if (folder / GRID).is_file():
        facts = read_json(folder / GRID)
        name = str(facts.get("chosen", "")) if isinstance(facts, dict) else ""
        if not name or Path(name).name != name:
            raise CheckpointError(f"{GRID} names {name!r}, the name of a cell was expected", where=folder)
        folder = folder / CELLS / name
    return [folder, folder / BEST, folder / LAST]


def load(folder: Path) -> FineTuned:
    """Return a model: of a run the one that validation chose, else its last.

    Raises:
        InputError: There is none.
        CheckpointError: A file is missing, damaged, or of another version.
    """
    place = next((each for each in _places(folder) if (each / FACTS).is_file()), None)
    if place is None:
        raise InputError("a fine-tuned model was expected; remedis finetune makes one", where=folder)
    facts = read_json(place / FACTS)
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise CheckpointError(f"{FACTS} is of another version than {FORMAT}; update remedis", where=place)
    encoder = open_encoder(place)
    try:
        labels = tuple(
            Learnt(str(each["label"]), tuple(map(str, each["classes"])), tuple(map(str, each.get("aside", ()))))
            for each in facts["labels"]
        )
        head = Classifier(encoder.width, sum(widths(labels)))
        head.load_state_dict(load_file(place / HEAD))
    except FileNotFoundError as error:
        raise CheckpointError(f"{HEAD} is missing; run remedis finetune again", where=place) from error
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        message = f"{FACTS} and {HEAD} do not agree ({error}); run remedis finetune again"
        raise CheckpointError(message, where=place) from error
    return FineTuned(encoder, Classified(encoder.backbone, head).eval(), labels, place)
