"""An encoder as a folder that `timm.create_model("local-dir:DIR", pretrained=True)` opens, and computes the same.

timm adds 1e-8 to a kernel's variance, BiT 1e-10. Kernels times √(1e-8 / 1e-10) = 10 offset that exactly:
10 w / √(100 v + 1e-8) = w / √(v + 1e-10).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from remedis.data.files import write_json, write_text
from remedis.errors import CheckFailedError, UsageError
from remedis.models.architectures import TIMM_BIT, TIMM_RESNET, parse
from remedis.models.bit import BiT, StdConv2d
from remedis.models.checkpoint import CARD, CONFIG, new_folder, timm_keys
from remedis.models.contract import Contract
from remedis.models.difference import relative
from remedis.models.encoder import Encoder
from remedis.models.export.exported import Exported
from remedis.models.export.facts import card, metadata, notes
from remedis.models.export.proof import Expected, Outputs, differences, expected, refuse_far
from remedis.models.timm_difference import TIMM_KERNEL_EPS
from remedis.models.timm_encoder import PREFIX, TimmBackbone, require_timm
from remedis.models.weights import WEIGHTS

EXACT = 1e-9  # relative, in float64: two programs that add in another order differ by 1e-13
ROUNDED = 1e-6  # where a norm's eps is float32's 1e-5, as graphs hold it: 2.5e-8 less than timm's
READY = 1e-5  # kernels stored standardised have a variance of 1 to seven digits only, and timm standardises again
LARGE = 2.0**20  # times such a factor, an exact one, timm's eps no longer counts


def export(encoder: Encoder, out: Path) -> Exported:
    """Write the folder: config.json, model.safetensors and a card.

    Raises:
        UsageError: timm has no network that computes the same; names the other formats.
        CheckFailedError: timm's network computes something else.
    """
    timm = require_timm()
    name = _timm_name(encoder)
    witness = f"timm {timm.__version__}"
    with new_folder(out) as scratch:
        save_file(_weights(encoder, encoder.weights()), scratch / WEIGHTS, metadata={"format": "pt"})
        config = {"architecture": name, "num_classes": 0, "num_features": encoder.width, **_keys(encoder)}
        write_json(scratch / CONFIG, config)
        network = timm.create_model(f"local-dir:{scratch}", pretrained=True).eval()
        wanted = expected(encoder)
        exact = _refuse_inexact(encoder, network, wanted)
        held = differences(_run(encoder, network), wanted)
        refuse_far("the folder in timm", held)
        facts = {**metadata(encoder, held, witness), "largest_difference_float64": f"{exact:.1e}"}
        write_json(scratch / CONFIG, {**config, "exported": facts})
        said = _words(encoder, exact)
        text = card(encoder, held, witness, use=_use(encoder, name), library="timm", more=said)
        write_text(scratch / CARD, text)
    return Exported(
        out, "timm", tuple(out / file for file in (CONFIG, WEIGHTS, CARD)),
        takes=f"images (N, {encoder.contract.channels}, H, W) as pretrained_cfg's mean and std make them of [0, 1]",
        gives=_gives(encoder), witness=witness, held=held, notes=(*notes(encoder), *said),
        use=f"import timm; model = timm.create_model({f'local-dir:{out}'!r}, pretrained=True)",
    )  # fmt: skip


def _before_norm(encoder: Encoder) -> bool:
    return encoder.contract.map == "before-norm"


def _gives(encoder: Encoder) -> str:
    if _before_norm(encoder):
        return f"forward_intermediates(x, norm=False): its last map (N, {encoder.width}, h, w)"
    return f"embedding (N, {encoder.width})"


def _timm_name(encoder: Encoder) -> str:
    """Return what timm calls the network.

    Raises:
        UsageError: It has none like it.
    """
    if isinstance(encoder.backbone, TimmBackbone):
        return encoder.network.removeprefix(PREFIX)
    network = parse(encoder.network)
    contract = replace(encoder.contract, map="after-norm", kernels="raw")
    found = network.timm_name(contract) if network and contract.resize is None else None
    if found is None:
        raise UsageError(
            f"timm has no network that computes what {encoder.network} does{_why(encoder)}, "
            f"only {_known()}; choose --format onnx, openvino or savedmodel"
        )
    return found


def _why(encoder: Encoder) -> str:
    contract = encoder.contract
    if contract.padding == "tf":
        return " with padding tf"
    if contract.resize is not None:
        return f" (it resizes its images to {contract.resize} px inside)"
    if encoder.network.startswith("bit-") and not isclose(contract.norm_eps, Contract.norm_eps, rel_tol=1e-6):
        return f" with a norm's eps of {contract.norm_eps:g}"
    return ""


def _known() -> str:
    bits = ", ".join(f"r{depth}x{factor}" for depth, factor in sorted(TIMM_BIT))
    return f"BiT {bits} and resnet{', resnet'.join(str(depth) for depth in sorted(TIMM_RESNET))} with padding torch"


def _factor(encoder: Encoder) -> float:
    """Return what kernels are multiplied by so that timm's eps gives the contract's."""
    contract = encoder.contract
    if contract.kernels == "ready" or contract.kernel_eps == 0:
        return LARGE
    return float((TIMM_KERNEL_EPS / contract.kernel_eps) ** 0.5)


def _weights(encoder: Encoder, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights as timm shall read them, in their own precision."""
    made = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    if not isinstance(encoder.backbone, BiT):
        return made
    factor = _factor(encoder)
    for name, module in encoder.backbone.named_modules():
        if isinstance(module, StdConv2d):
            key = f"{name}.weight"
            made[key] = (made[key].double() * factor).to(made[key].dtype)
    if _before_norm(encoder):  # timm's network has the norm all the same
        width, dtype = encoder.width, made["stem.conv.weight"].dtype
        made |= {"norm.weight": torch.ones(width, dtype=dtype), "norm.bias": torch.zeros(width, dtype=dtype)}
    return made


def _keys(encoder: Encoder) -> dict[str, Any]:
    """Return timm's keys of config.json; the mean and std are for images in [0, 1] whatever the contract's range."""
    keys = timm_keys(encoder)
    backbone = encoder.backbone
    if isinstance(backbone, TimmBackbone):
        size = getattr(getattr(backbone.model, "patch_embed", None), "img_size", None)
        if size is not None:  # else timm resamples position embeddings to the size of its own default
            keys["model_args"] = {"img_size": list(size)}
    else:
        low, high = encoder.contract.range
        scale, shift = backbone.scale * (high - low), backbone.scale * low + backbone.shift
        channels = encoder.contract.channels
        keys["pretrained_cfg"] |= {"mean": [-shift / scale] * channels, "std": [1 / scale] * channels}
    return keys


def _run(encoder: Encoder, network: Any) -> Callable[[Tensor], Outputs]:
    """Return a function from images in [0, 1] to what timm's network makes of them, normalised as its config says."""
    config = network.pretrained_cfg
    mean, std = (torch.tensor(config[key], dtype=torch.float64).view(1, -1, 1, 1) for key in ("mean", "std"))

    @torch.no_grad()
    def run(images: Tensor) -> Outputs:
        dtype = next(network.parameters()).dtype
        x = ((images.double() - mean) / std).to(dtype)
        if isinstance(encoder.backbone, TimmBackbone):
            backbone = TimmBackbone(network, (0.0,) * x.shape[1], (1.0,) * x.shape[1]).to(dtype)
            found = backbone.outputs(x)
            return {"embedding": found["embedding"], **({"features": found["map"]} if "map" in found else {})}
        if _before_norm(encoder):
            features = network.forward_intermediates(x, norm=False, intermediates_only=True)[-1]
            return {"features": features, "embedding": features.mean(dim=(2, 3))}
        features = network.forward_features(x)
        return {"features": features, "embedding": network.forward_head(features, pre_logits=True)}

    return run


def _refuse_inexact(encoder: Encoder, network: nn.Module, wanted: list[Expected]) -> float:
    """Return how far timm's network is from ours in float64, with kernels that were not rounded after the product.

    Raises:
        CheckFailedError: It is another network, or kernels stored ready are not of mean 0 and variance 1.
    """
    precise = copy.deepcopy(network).double()
    weights = {name: w.double() if w.is_floating_point() else w for name, w in encoder.weights().items()}
    if not isinstance(encoder.backbone, TimmBackbone):
        precise.load_state_dict(_weights(encoder, weights))
    run = _run(encoder, precise)
    apart = [relative(run(batch.images)[name], batch.outputs[name]) for batch in wanted for name in batch.outputs]
    ready = encoder.contract.kernels == "ready" and isinstance(encoder.backbone, BiT)
    same_eps = isinstance(encoder.backbone, TimmBackbone) or encoder.contract.norm_eps == Contract.norm_eps
    limit, largest = READY if ready else EXACT if same_eps else ROUNDED, max(apart)
    if not largest <= limit:
        reason = "; the kernels are stored ready and are not of mean 0 and variance 1" if ready else ""
        raise CheckFailedError(
            f"timm's network is {largest:.1e} (relative) from the encoder in float64, at most {limit:g} was "
            f"expected{reason}; nothing was written, choose --format onnx, openvino or savedmodel"
        )
    return largest


def _words(encoder: Encoder, exact: float) -> tuple[str, ...]:
    """Return what the folder changes, and what it does not."""
    said = []
    if isinstance(encoder.backbone, BiT):
        factor = _factor(encoder)
        if encoder.contract.kernels == "ready":
            said.append(
                f"Kernels were stored standardised and timm standardises them again: in float64 that moves the outputs "
                f"by {exact:.1e}. They are multiplied by {factor:,.6g} so that timm's eps of 1e-8 does not count."
            )
        elif factor != 1:
            said.append(
                f"Kernels are multiplied by {factor:.6g}: timm adds 1e-8 to a kernel's variance, this network "
                f"{encoder.contract.kernel_eps:g}, and the factor offsets that exactly ({exact:.1e} in float64). To "
                "fine-tune them on the scale that they were trained with, divide them by it."
            )
    if _before_norm(encoder):
        said.append(
            "The encoder's map lies before the last norm, whose weight and bias are 1 and 0 here. timm's own pooled "
            "output (model(x), forward_features) is normalised and is another thing; use forward_intermediates(x, "
            "norm=False)."
        )
    return tuple(said)


def _use(encoder: Encoder, name: str) -> str:
    """Return the lines that open the folder, in Markdown."""
    if _before_norm(encoder):
        call = [
            "features = model.forward_intermediates(x, norm=False, intermediates_only=True)[-1]  # (N, C, h, w)",
            f"embedding = features.mean((2, 3))  # (N, {encoder.width})",
        ]
    else:
        call = [f"embedding = model(x)  # (N, {encoder.width})"]
    code = [
        "```python",
        "import timm",
        "",
        f'model = timm.create_model("local-dir:DIR", pretrained=True).eval()  # this folder; {name}',
        'mean, std = model.pretrained_cfg["mean"], model.pretrained_cfg["std"]  # for images in [0, 1]',
        *call,
        "```",
    ]
    return "\n".join(code)
