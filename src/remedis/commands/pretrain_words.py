"""What `remedis pretrain` says at its beginning and at its end."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from remedis.console import Result
from remedis.models.encoder import Encoder
from remedis.options.pretrain import Pretrain
from remedis.recipes.pretraining import Pretraining
from remedis.train.distributed import world
from remedis.train.folder import LAST
from remedis.train.rows import TrainingRows
from remedis.train.run import Pace


def understood(encoder: Encoder, settings: Pretraining, pace: Pace, device: str, precision: str) -> str:
    """Return the line that says what is trained, how long, and how it is computed."""
    numbers = {"fp32": "float32", "bf16": "bfloat16"}[precision]
    processes = f" · {world()} processes" if world() > 1 else ""
    return (
        f"{encoder.network} · {encoder.parameters_count / 1e6:.1f} M parameters · {settings.image_size} px · batch "
        f"{settings.train_batch_size:,} · {pace.total:,} steps · {settings.optimizer} · "
        f"{numbers} · {device}{processes} · {torch.get_num_threads()} threads"
    )


def rows_said(data: TrainingRows) -> str:
    """Return the line that says what is trained on, and what is not."""
    line = f"{len(data.rows):,} images to train on"
    if data.left_out:
        line += f"; {data.left_out:,} of other parts are left out (--splits all)"
    if data.labels is not None:
        line += f"; watched with {data.labels.name}, {len(data.labels.classes)} classes"
    return line


def written(options: Pretrain, encoder: Encoder, pace: Pace, rejected: Sequence[tuple[str, str]]) -> Result:
    """Return what the run made."""
    last = options.out / LAST
    lines = [f"wrote {last}: {encoder.name}, {pace.total:,} steps, {len(rejected):,} images rejected"]
    if rejected:
        image, reason = rejected[0]
        lines.append(f"first rejected: {image}: {reason}      all: {options.out / '_rejected.csv'}")
    images = options.manifest if options.manifest.is_file() else "IMAGES"
    lines.append(f"next: remedis embed {images} --encoder {last} --out emb")
    data = {"out": str(options.out), "checkpoint": str(last), "steps": pace.total, "rejected": len(rejected)}
    return Result(text="\n".join(lines), data=data, exit_status=1 if len(rejected) > options.allow_rejected else 0)
