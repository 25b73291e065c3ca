"""`remedis models export`: a checkpoint for timm, ONNX, OpenVINO or TensorFlow, proved there."""

from __future__ import annotations

from remedis.console import QUIET, Console, Result
from remedis.models.export import export
from remedis.models.export.exported import Exported
from remedis.models.export.proof import RULE
from remedis.options.export import ModelsExport


def run(options: ModelsExport, console: Console = QUIET) -> Result:
    """Write and prove the export.

    Raises:
        RemedisError: The checkpoint cannot be opened, the format has no such network, its program is not installed,
            or the proof fails; nothing is left.
    """
    made = export(options.checkpoint, options.format, options.out, console)
    return Result(text=_text(made), data=_data(made))


def _text(made: Exported) -> str:
    return "\n".join(
        [
            f"wrote {made.path}: {made.bytes / 2**20:.1f} MiB · {made.takes} → {made.gives}",
            f"run in {made.witness}; distance from float64 (relative), {RULE}:",
            *_table(made),
            *made.notes,
            f'next: python -c "{made.use}"',
        ]
    )


def _table(made: Exported) -> list[str]:
    rows = [
        (" × ".join(str(side) for side in one.images), one.output, f"{one.found:.1e}", f"{one.ours:.1e}")
        for one in made.held
    ]
    wide = max(len(images) for images, *_ in rows)
    return [f"  {'images':<{wide}}  {'output':<9}  {'export':>7}  {'ours':>7}"] + [
        f"  {images:<{wide}}  {output:<9}  {found:>7}  {ours:>7}" for images, output, found, ours in rows
    ]


def _data(made: Exported) -> dict[str, object]:
    return {
        "out": str(made.path),
        "format": made.format,
        "files": [str(path) for path in made.files],
        "bytes": made.bytes,
        "takes": made.takes,
        "gives": made.gives,
        "witness": made.witness,
        "rule": RULE,
        "proof": [one.to_json() for one in made.held],
        "notes": list(made.notes),
    }
