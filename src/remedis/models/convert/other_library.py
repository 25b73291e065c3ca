"""Another library's network as the witness of weights that have no graph.

timm's ResNetV2 computes BiT, torchvision's ResNet computes ResNet-v1. BiT's npz goes through timm's own table of names,
a state dict through the names that the library gives its own parameters, so that our table is not asked; where neither
knows the file's names, ours are used, and the witness says so.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from remedis.errors import ConvertError
from remedis.models import bit, resnet
from remedis.models.architectures import Architecture
from remedis.models.contract import Contract
from remedis.models.convert.bare import Bare
from remedis.models.convert.names import Named
from remedis.models.proof import Witness
from remedis.models.staged import Staged

NOT_TRAINED = "num_batches_tracked"


class OtherLibrary:
    """A network of another library.

    Args:
        name: What it is and how it was filled.
        names_too: Whether it was filled without our table of names.
        network: In float32, its head taken off.
        places: The modules whose outputs are `stem`, `stage1` … `map`.
        prepare: From images in the contract's range to what the network takes.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        places: Mapping[str, str],
        prepare: Callable[[Tensor], Tensor],
        *,
        names_too: bool = True,
    ) -> None:
        self.name, self.network, self.places, self.prepare = name, network.eval(), places, prepare
        self.names_too = names_too

    @torch.inference_mode()
    def outputs(self, images: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return the outputs of the stages, `map` and `embedding` (its own pool's) for (N, 3, H, W)."""
        network = self.network if dtype == torch.float32 else copy.deepcopy(self.network).to(dtype)
        seen: dict[str, Tensor] = {}

        def keep(name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
            seen[name] = output.clone()  # the next layer may work in place

        hooks = [
            network.get_submodule(place).register_forward_hook(partial(keep, name))
            for name, place in self.places.items()
        ]
        try:
            embedding = network(self.prepare(images.to(dtype)))
        finally:
            for hook in hooks:
                hook.remove()
        return {**{name: seen[name] for name in self.places}, "embedding": embedding}


class NoWitness:
    """Our own network where no other library computes it: a proof that shows later changes only."""

    def __init__(self, why: str, network: Staged) -> None:
        self.name = f"none: {why}; the outputs kept are this network's own"
        self.network = network

    @torch.inference_mode()
    def outputs(self, images: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return what our network computes."""
        return copy.deepcopy(self.network).to(dtype).outputs(images.to(dtype))


def caution(witness: Witness) -> str | None:
    """Return what a proof by this witness does not show, or None where it shows all."""
    if isinstance(witness, NoWitness):
        return (
            "Nothing independent computed these outputs: the proof only shows that weights and outputs stay what they "
            f"were at the conversion ({witness.name})"
        )
    if isinstance(witness, OtherLibrary) and not witness.names_too:
        return (
            "The witness was filled by this program's own table of names: the proof shows the arithmetic, and that "
            "all tensors fit, but not that two of equal shape stand where they belong"
        )
    return None


def witness_of(bare: Bare, named: Named, weights: Mapping[str, Tensor], contract: Contract, ours: Staged) -> Witness:
    """Return what computes the original's outputs.

    Args:
        bare: The file.
        named: The network in it.
        weights: Its weights by our names, in float32.
        contract: What images are.
        ours: Our network, for where there is no other.

    Raises:
        ConvertError: The other library does not take the weights.
    """
    library = "timm" if named.architecture.family == "bit" else "torchvision"
    try:
        made = _timms(bare, named, weights, contract) if library == "timm" else _torchvisions(bare, named)
    except ImportError:
        why = f"{library} is not installed (pip install 'remedis[timm]')"
        return NoWitness(why, ours)
    except (ValueError, KeyError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise ConvertError(f"{library} does not take these weights: {said}", where=bare.path) from error
    return made


def _timms(bare: Bare, named: Named, weights: Mapping[str, Tensor], contract: Contract) -> OtherLibrary:
    import timm
    from timm.layers import StdConv2d
    from timm.models.resnetv2 import ResNetV2

    wanted, place, names_too = named.architecture, named.place, True
    with torch.device("meta"):
        network = ResNetV2(
            layers=list(bit.UNITS[wanted.depth]),
            width_factor=wanted.factor,
            num_classes=0,
            stem_type="fixed",
            conv_layer=partial(StdConv2d, eps=contract.kernel_eps),
        )
        if not named.final_norm:
            network.norm = nn.Identity()
    if bare.kind == "npz" and place.style.key == "tensorflow" and named.final_norm and _as_in_file(bare, named):
        network.to_empty(device="cpu")
        network.load_pretrained(str(bare.path), prefix=place.prefix)
        how = "filled by its own reader of npz"
    elif place.style.key == "timm":
        _fill(network, bare, place.prefix)
        how = "filled by its own names"
    else:
        network.load_state_dict(dict(weights), assign=True)
        how, names_too = "filled by this program's table of names", False
    places = {"stem": "stem", **{f"stage{n}": f"stages.{n - 1}" for n in range(1, 5)}, "map": "norm"}
    low, high = contract.range
    name = f"timm {timm.__version__}, ResNetV2 with eps {contract.kernel_eps:g}, {how}"
    return OtherLibrary(name, network, places, lambda x: 2 * (x - low) / (high - low) - 1, names_too=names_too)


def _as_in_file(bare: Bare, named: Named) -> bool:
    """Return whether the names are the file's own letter by letter, without TensorFlow's `:0`."""
    import numpy as np

    with np.load(bare.path, allow_pickle=False) as arrays:
        return set(named.theirs.values()) <= set(arrays.files)


def _fill(network: nn.Module, bare: Bare, prefix: str) -> None:
    """Load the tensors that a library's network asks for by its own names."""
    names = [name for name in network.state_dict() if not name.endswith(NOT_TRAINED)]
    values = {name: bare.read(prefix + name, own=False) for name in names}
    missing = network.load_state_dict(values, strict=False, assign=True).missing_keys
    assert all(name.endswith(NOT_TRAINED) for name in missing)


def _torchvisions(bare: Bare, named: Named) -> OtherLibrary:
    import torchvision

    with torch.device("meta"):
        network = _wide(named.architecture)
    _fill(network, bare, named.place.prefix)
    places = {"stem": "maxpool", **{f"stage{n}": f"layer{n}" for n in range(1, 5)}, "map": "layer4"}
    name = f"torchvision {torchvision.__version__}, ResNet, filled by its own names"
    return OtherLibrary(name, network, places, lambda x: x)


def _wide(wanted: Architecture) -> nn.Module:
    """Return torchvision's network with the widths, the projections and the stem that SimCLR's has."""
    from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

    factor, basic = wanted.factor, wanted.depth in resnet.BASIC

    class Wide(ResNet):  # type: ignore[misc]
        def _make_layer(self, block: Any, planes: int, *arguments: Any, **options: Any) -> Any:
            if planes == 64:
                self.inplanes = 64 * factor
            return super()._make_layer(block, planes * factor, *arguments, **options)

    network = Wide(BasicBlock if basic else Bottleneck, list(resnet.UNITS[wanted.depth]))
    channels = 64 * factor
    stem = {"kernel_size": 3, "padding": 1} if wanted.small_stem else {"kernel_size": 7, "stride": 2, "padding": 3}
    network.conv1 = nn.Conv2d(3, channels, bias=False, **stem)  # type: ignore[arg-type]
    network.bn1 = nn.BatchNorm2d(channels)
    network.fc = nn.Identity()
    if wanted.small_stem:
        network.maxpool = nn.Identity()
    if basic:
        network.layer1[0].downsample = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )
    return network
