"""Named settings of contrastive pretraining, each number with its reason.

An option on the command line beats the recipe, and the recipe beats the official program's default
(google-research/medical-ai-research-foundations run.py), which the fields of `Pretraining` have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from remedis.recipes.choices import Choice, Limits, Recipe, find, resolved


@dataclass(frozen=True)
class Pretraining:
    """What decides the result of a contrastive pretraining; the defaults are the official program's.

    The names are those of its flags. What it has no flag for stands at the end.

    Attributes:
        learning_rate: For 256 images a batch (`linear`), or for one (`sqrt`); see `learning_rate_scaling`.
        learning_rate_scaling: `linear`: times batch / 256; `sqrt`: times the root of the batch.
        warmup_epochs: The rate rises from 0 for so many epochs, then falls along a cosine to 0.
        weight_decay: λ of the L2 penalty.
        optimizer: `lars`, `momentum` (Nesterov), `adam`, or `adamw` (ours).
        momentum: Of `lars` and `momentum`.
        train_batch_size: Images (patients, where several images make a pair) a step, over all processes.
        train_epochs: Times that each image is seen on average.
        train_steps: Steps instead of epochs where above 0.
        batch_norm_decay: Share of the old running statistics that a step keeps.
        global_bn: Batch norms see the batch of all processes.
        temperature: τ of the loss.
        hidden_norm: Projections are scaled to length 1 before they are compared.
        head_proj_mode: `none`, `linear`, `nonlinear` (SimCLR v1) or `v2` (three layers).
        head_proj_dim: Numbers in a projection.
        num_nlh_layers: Layers after a nonlinear head's first one.
        use_bit: BiT ResNet-v2 rather than SimCLR's ResNet-v1, where no encoder is named.
        resnet_depth: Of the network, where no encoder is named.
        width_multiplier: Of the network's channels, where no encoder is named.
        image_size: S, side of a view in pixels; up to 32 a ResNet-v1 gets the CIFAR stem.
        color_jitter_strength: Multiplies brightness, contrast, saturation and hue.
        max_brightness_distort: Largest change of brightness at strength 1.
        max_contrast_distort: Largest change of contrast at strength 1.
        use_blur: Half of the views are blurred.
        use_elastic_deform: Views are deformed elastically.
        equalize_histogram: Half of the views are equalised.
        rotation_range: Degrees to either side.
        multi_instance: Two images of one patient make a pair (MICLe).
        flip: Half of the views are mirrored left to right.
        crop_law: How crops are drawn: as `tensorflow` or as `torchvision` does it.
        interpolation: How views are resampled.
        loss_scale: 1 is SimCLR's Algorithm 1, the official program's loss is twice that.
        exclude: What has no weight decay and no trust ratio: `norms-and-biases`, or what the `official` program's
            patterns match, which miss group norms.
    """

    learning_rate: float = 0.3
    learning_rate_scaling: Literal["linear", "sqrt"] = "linear"
    warmup_epochs: float = 10.0
    weight_decay: float = 1e-6
    optimizer: Literal["lars", "momentum", "adam", "adamw"] = "lars"
    momentum: float = 0.9
    train_batch_size: int = 512
    train_epochs: int = 100
    train_steps: int = 0
    batch_norm_decay: float = 0.9
    global_bn: bool = True
    temperature: float = 0.1
    hidden_norm: bool = True
    head_proj_mode: Literal["none", "linear", "nonlinear", "v2"] = "nonlinear"
    head_proj_dim: int = 128
    num_nlh_layers: int = 1
    use_bit: bool = False
    resnet_depth: int = 50
    width_multiplier: int = 1
    image_size: int = 224
    color_jitter_strength: float = 1.0
    max_brightness_distort: float = 0.8
    max_contrast_distort: float = 0.8
    use_blur: bool = True
    use_elastic_deform: bool = False
    equalize_histogram: bool = False
    rotation_range: float = 0.0
    multi_instance: bool = False
    flip: bool = True
    crop_law: Literal["tensorflow", "torchvision"] = "tensorflow"
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    loss_scale: float = 1.0
    exclude: Literal["norms-and-biases", "official"] = "norms-and-biases"


_AS_PROGRAM = Choice(2.0, "the official program's loss, twice SimCLR's Algorithm 1")
_FROM_BIT = Choice(True, "REMEDIS pretrains BiT networks (arXiv:2205.09723)")

RECIPES: Mapping[str, Recipe] = {
    "cxr": {
        "use_bit": _FROM_BIT,
        "loss_scale": _AS_PROGRAM,
        "color_jitter_strength": Choice(0.5, "MICLe's chest X-rays (arXiv:2101.05224): grey values carry the finding"),
        "rotation_range": Choice(45.0, "MICLe's chest X-rays: up to 45 degrees"),
        "use_blur": Choice(False, "MICLe's chest X-rays: a blurred lung has lost the texture that is looked for"),
        "flip": Choice(False, "ours: a mirrored chest shows the heart on the wrong side (dextrocardia)"),
        "equalize_histogram": Choice(True, "the official README: histogram equalisation for chest X-rays"),
        "use_elastic_deform": Choice(True, "the official README: elastic deformation for chest X-rays"),
    },
    "path": {
        "use_bit": _FROM_BIT,
        "loss_scale": _AS_PROGRAM,
        "rotation_range": Choice(180.0, "ours: a slide has no upright side"),
        "use_blur": Choice(True, "the official README's default: scanners differ in focus"),
    },
    "derm": {
        "use_bit": _FROM_BIT,
        "loss_scale": _AS_PROGRAM,
        "rotation_range": Choice(45.0, "the official README has rotation, no source says how far; 45 is MICLe's"),
        "multi_instance": Choice(True, "MICLe: several photographs of one case make a pair"),
    },
    "cifar10": {
        "loss_scale": _AS_PROGRAM,
        "resnet_depth": Choice(18, "the official README's example"),
        "image_size": Choice(32, "the images' own size; brings the CIFAR stem"),
        "train_epochs": Choice(1000, "the official README's example"),
        "learning_rate": Choice(1.0, "the official README's example"),
        "weight_decay": Choice(1e-4, "the official README's example"),
        "temperature": Choice(0.5, "the official README's example"),
        "use_blur": Choice(False, "the official README's example: 32 pixels leave nothing to blur"),
        "color_jitter_strength": Choice(0.5, "the official README's example"),
    },
}


LIMITS = Limits(
    at_least={
        "train_batch_size": 2, "image_size": 8, "train_epochs": 1, "train_steps": 0, "head_proj_dim": 1,
        "num_nlh_layers": 0, "warmup_epochs": 0, "weight_decay": 0, "color_jitter_strength": 0, "rotation_range": 0,
        "max_brightness_distort": 0, "max_contrast_distort": 0, "momentum": 0, "batch_norm_decay": 0,
    },
    at_most={"momentum": 1, "batch_norm_decay": 1, "rotation_range": 180},
    above_zero=("learning_rate", "temperature", "loss_scale"),
)  # fmt: skip


def recipe(name: str | None) -> Recipe:
    """Return the recipe of that name; an empty one for None.

    Raises:
        UsageError: There is none; names those there are.
    """
    return find(name, RECIPES)


def resolve(name: str | None, given: Mapping[str, Any]) -> Pretraining:
    """Return the settings: what was given beats the recipe, the recipe beats the official default.

    Args:
        name: The recipe's name, or None.
        given: Options by their field's name; None is not given. Names that are no setting are passed over.

    Raises:
        UsageError: There is no such recipe, or a value is impossible.
    """
    return resolved(Pretraining, recipe(name), given, LIMITS)
