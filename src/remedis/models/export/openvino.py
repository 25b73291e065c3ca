"""An encoder for OpenVINO: the ONNX graph as .xml and .bin, in float32, proved in OpenVINO itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from remedis.data.files import write_text
from remedis.errors import MissingExtraError
from remedis.models.checkpoint import CARD, new_folder
from remedis.models.encoder import Encoder
from remedis.models.export import onnx
from remedis.models.export.exported import Exported, files_beside, refuse_there
from remedis.models.export.facts import card, metadata, notes
from remedis.models.export.proof import Difference, Outputs, differences, expected, refuse_far

MODEL = "model.xml"
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}  # else processors with bfloat16 use that


def export(encoder: Encoder, out: Path) -> Exported:
    """Write `NAME.xml` and `NAME.bin` where `out` ends with .xml, else a folder of model.xml, model.bin and a card.

    Raises:
        MissingExtraError: openvino, or what ONNX needs, is not installed.
        CheckFailedError: OpenVINO computes something else.
    """
    openvino = _require()
    onnx.require()
    witness = f"openvino {openvino.__version__.partition('-')[0]}"
    files: tuple[Path, ...]
    if out.suffix == ".xml":
        refuse_there(out.with_suffix(".bin"))
        with files_beside(out) as scratch:
            held = _write(encoder, scratch / out.name, witness)
        files, path = (out, out.with_suffix(".bin")), out
    else:
        with new_folder(out) as scratch:
            held = _write(encoder, scratch / MODEL, witness)
            write_text(scratch / CARD, card(encoder, held, witness, use=_use("DIR/" + MODEL), library="openvino"))
        files, path = (out / MODEL, (out / MODEL).with_suffix(".bin"), out / CARD), out / MODEL
    return Exported(
        out, "openvino", files, takes=onnx.takes(encoder), gives=onnx.gives(encoder), witness=witness, held=held,
        notes=notes(encoder), use=f"import openvino; openvino.Core().compile_model({str(path)!r}, 'CPU', {PRECISION})",
    )  # fmt: skip


def _require() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("openvino", "openvino", needed_for="an export to OpenVINO") from error
    return openvino


def _write(encoder: Encoder, path: Path, witness: str) -> tuple[Difference, ...]:
    """Write and prove the two files; what was needed on the way is removed."""
    import openvino

    steps = path.with_name("steps")
    steps.mkdir()
    onnx.write(encoder, steps / "model.onnx")
    # The Core reads ONNX as openvino.convert_model does, and reports to nobody.
    model = openvino.Core().read_model(steps / "model.onnx")
    openvino.save_model(model, steps / path.name, compress_to_fp16=False)
    held = differences(_run(steps / path.name), expected(encoder))
    refuse_far("the OpenVINO model", held)
    for name, value in metadata(encoder, held, witness).items():
        model.set_rt_info(value, ["remedis", name])
    openvino.save_model(model, path, compress_to_fp16=False)
    del model
    shutil.rmtree(steps)
    return held


def _run(path: Path) -> Any:
    """Return a function from images (N, C, H, W) to the outputs by name, computed by OpenVINO on the processor."""
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", PRECISION)

    def run(images: Tensor) -> Outputs:
        found = compiled({onnx.INPUT: images.numpy()})
        return {output.any_name: torch.from_numpy(found[output].copy()) for output in compiled.outputs}

    return run


def _use(path: str) -> str:
    return "\n".join(
        [
            "```python",
            "import openvino",
            "",
            f'model = openvino.Core().compile_model("{path}", "CPU", {PRECISION})',
            'embedding, features = model({"images": images}).values()  # images: (N, C, H, W) float32 in [0, 1]',
            "```",
            "",
            "Without the hint, processors with bfloat16 instructions compute in bfloat16: faster, and no longer what "
            "is proved here.",
        ]
    )
