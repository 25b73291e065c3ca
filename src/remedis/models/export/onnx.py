"""An encoder as an ONNX file: any batch, any size, kernels folded, proved in onnxruntime."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from remedis.errors import ConvertError, MissingExtraError
from remedis.models.accelerate import folded_copy
from remedis.models.encoder import Encoder
from remedis.models.export.exported import Exported, files_beside
from remedis.models.export.facts import metadata, notes
from remedis.models.export.proof import Outputs, differences, expected, one_size, refuse_far
from remedis.models.resnet import StemPool
from remedis.models.timm_encoder import TimmBackbone

INPUT, OUTPUTS = "images", ("embedding", "features")
LARGEST_FILE = (1 << 31) - (1 << 24)  # bytes of weights; a protobuf message holds less than 2 GiB


def export(encoder: Encoder, out: Path) -> Exported:
    """Write the file; weights beyond 2 GiB go into `OUT.data` beside it.

    Raises:
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
        ConvertError: torch cannot write the network as ONNX.
        CheckFailedError: onnxruntime computes something else.
    """
    require()
    with files_beside(out) as scratch:
        path = scratch / out.name
        write(encoder, path)
        witness = f"onnxruntime {_runtime().__version__}"
        held = differences(session(path), expected(encoder))
        refuse_far("the ONNX file", held)
        _add_metadata(path, metadata(encoder, held, witness))
        names = [file.name for file in scratch.iterdir()]
    files = tuple(out.parent / name for name in sorted(names))
    return Exported(
        out, "onnx", files, takes=takes(encoder), gives=gives(encoder), witness=witness, held=held,
        notes=(*notes(encoder), *_words(encoder, files)),
        use=f"import onnxruntime; print(onnxruntime.InferenceSession({str(out)!r}).get_outputs())",
    )  # fmt: skip


def takes(encoder: Encoder) -> str:
    """Return what goes in, in words."""
    fixed = one_size(encoder)
    sides = f"{fixed}, {fixed}" if fixed else "H, W"
    return f"images (N, {encoder.contract.channels}, {sides}) float32 in [0, 1]"


def gives(encoder: Encoder) -> str:
    """Return what comes out, in words."""
    features = f", features (N, {encoder.width}, h, w)" if has_map(encoder) else ""
    return f"embedding (N, {encoder.width}){features}"


def _words(encoder: Encoder, files: tuple[Path, ...]) -> list[str]:
    """Return what is particular to this file."""
    low, high = encoder.contract.range
    said = []
    if (low, high) != (0.0, 1.0):
        said.append(f"The file takes [0, 1] and maps it to [{low:g}, {high:g}], the encoder's range, inside.")
    if len(files) > 1:
        said.append("The weights are more than 2 GiB and lie in the .data file; keep both together.")
    return said


def require() -> None:
    """Raise if a package that ONNX needs is not installed.

    Raises:
        MissingExtraError: Says the pip line.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingExtraError(package, "onnx", needed_for="an export to ONNX") from error


def has_map(encoder: Encoder) -> bool:
    """Return whether there is a map to give beside the embedding."""
    return encoder.contract.map != "none"


class _PoolFromTheEnd(nn.Module):
    """TensorFlow's SAME max pool of 3x3 and stride 2 in a form that does not ask whether a side is even.

    SAME ends its windows one past the last row and column of even and odd sides alike; seen from there, torch's own
    border of one is it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return half the sides, rounded up."""
        return F.max_pool2d(x.flip(2, 3), 3, stride=2, padding=1).flip(2, 3)


class _Program(nn.Module):
    """Images (N, C, H, W) in [0, 1] to the embedding and the map."""

    def __init__(self, backbone: nn.Module, low_high: tuple[float, float], *, has_map: bool) -> None:
        super().__init__()
        self.backbone: Any = backbone
        self.low, self.high = low_high
        self.has_map = has_map

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return (N, D) and, where there is one, (N, C, h, w)."""
        x = images if (self.low, self.high) == (0.0, 1.0) else images * (self.high - self.low) + self.low
        found = self.backbone.outputs(x)
        return (found["embedding"], found["map"]) if self.has_map else (found["embedding"],)


def write(encoder: Encoder, path: Path) -> None:
    """Write the ONNX file, unproved; its folder may get `NAME.data` beside it.

    Raises:
        ConvertError: torch cannot write the network as ONNX, or ONNX's checker refuses it.
    """
    import onnx

    names = OUTPUTS if has_map(encoder) else OUTPUTS[:1]
    program = _Program(_rounded(encoder), encoder.contract.range, has_map=has_map(encoder)).eval()
    try:
        made: Any = torch.onnx.export(
            program, (_example(encoder),), dynamo=True, dynamic_shapes=_free(encoder), verbose=False,
            input_names=[INPUT], output_names=list(names),
        )  # fmt: skip
        made.save(str(path), external_data=_bytes(program) > LARGEST_FILE)
    except OSError:
        raise
    except Exception as error:  # torch's exporter raises a dozen kinds
        message = (str(error).strip().splitlines() or [""])[0][:300]
        raise ConvertError(
            f"torch cannot write {encoder.network} as ONNX ({type(error).__name__}: {message}); choose another format"
        ) from error
    model = onnx.load(str(path), load_external_data=False)
    _tidy(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(str(path), full_check=False)


def _rounded(encoder: Encoder) -> nn.Module:
    """Return the network in float32 with plain convolutions: standardised in float64, then rounded once."""
    precise = copy.deepcopy(encoder.backbone).to("cpu")
    if isinstance(precise, TimmBackbone):
        return precise.float().requires_grad_(False)
    network = folded_copy(precise.double(), torch.float32).float()
    for name, module in list(network.named_children()):
        if isinstance(module, StemPool) and module.padding == "tf":
            setattr(network, name, _PoolFromTheEnd())
    return network


def _example(encoder: Encoder) -> Tensor:
    """Return images to trace with; where sizes are free, three unequal numbers that stand for any."""
    fixed = one_size(encoder)
    return torch.rand(2, encoder.contract.channels, fixed or 65, fixed or 72)


def _free(encoder: Encoder) -> dict[str, dict[int, Any]]:
    """Return which dimensions of the images may be anything."""
    any_size: Any = torch.export.Dim.DYNAMIC
    sides = {} if one_size(encoder) else {2: any_size, 3: any_size}
    return {INPUT: {0: any_size, **sides}}


def _bytes(program: nn.Module) -> int:
    return sum(weight.numel() * weight.element_size() for weight in program.state_dict().values())


def _tidy(model: Any) -> None:
    """Name the free dimensions and take out torch's notes on its own source files."""
    graph = model.graph
    for owner in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *model.functions):
        owner.ClearField("metadata_props")
        owner.doc_string = ""
    graph.ClearField("value_info")
    for value, names in (
        (graph.input[0], "N C H W"),
        (graph.output[0], "N D"),
        *((one, "N C h w") for one in graph.output[1:]),
    ):
        for dimension, name in zip(value.type.tensor_type.shape.dim, names.split(), strict=True):
            if dimension.dim_param:
                dimension.dim_param = name


def _add_metadata(path: Path, facts: dict[str, str]) -> None:
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    onnx.helper.set_model_props(model, {f"remedis.{name}": value for name, value in facts.items()})
    path.write_bytes(model.SerializeToString(deterministic=True))


def _runtime() -> Any:
    import onnxruntime

    return onnxruntime


def session(path: Path) -> Any:
    """Return a function from images (N, C, H, W) to the outputs by name, computed by onnxruntime on the processor."""
    runtime = _runtime()
    made = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in made.get_outputs()]

    def run(images: Tensor) -> Outputs:
        found = made.run(None, {INPUT: images.numpy()})
        return {name: torch.from_numpy(value) for name, value in zip(names, found, strict=True)}

    return run
