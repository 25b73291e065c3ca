"""Named settings of fine-tuning, each number with its reason.

An option on the command line beats the recipe, and the recipe beats the defaults: the fields of `FineTuning`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from remedis.errors import UsageError
from remedis.recipes.choices import Choice, Limits, Recipe, find, resolved

HYPER_RULE = "bit-hyperrule"


@dataclass(frozen=True)
class FineTuning:
    """What decides the result of a fine-tuning.

    The names are those of the official program's flags where it has them; its own defaults are of pretraining
    (LARS, 0.3 a batch of 256, 100 epochs), which few labels do not bear. Ours are said where they differ.

    Attributes:
        learning_rate: For 256 images a batch (`linear`), or for one (`sqrt`). Ours: 0.1, as SimCLR's README has it for
            learning from few labels with `momentum`.
        learning_rate_scaling: `linear`: times batch / 256; `sqrt`: times the root of the batch; `none`: as it is.
        schedule: `cosine`: a linear warm-up, then a cosine to 0; `steps`: then a tenth at each of `decay_at` (BiT).
        decay_at: Shares of all steps at which the rate falls to a tenth.
        warmup_share: Share of all steps in which the rate rises.
        weight_decay: λ of the L2 penalty.
        optimizer: `lars`, `momentum` (Nesterov), `sgd` (plain momentum), `adam`, or `adamw`; the last two are ours.
        momentum: Of `lars`, `momentum` and `sgd`.
        train_batch_size: Images a step, over all processes.
        train_epochs: Times that each image is seen on average.
        train_steps: Steps instead of epochs where above 0.
        fine_tune_after_block: -1 trains all; 0 freezes the stem, 1 to 3 also so many stages, 4 all but the head.
        zero_init_logits_layer: The head starts at 0, not at small random weights.
        batch_norm_decay: Share of the old running statistics that a step keeps.
        image_size: S, side of the square in pixels; 0 takes the encoder's own.
        crop_area: Least share of the image's area that a view shows; 1 shows the whole image, squashed to the square.
        flip: Half of the views are mirrored left to right.
        rotation_range: Degrees to either side.
        use_elastic_deform: Views are deformed elastically.
        equalize_histogram: Half of the views are equalised.
        mixup: α of the Beta distribution that mixes pairs of images and labels; 0 mixes nothing.
        class_weights: `none`, or `balanced`: each class weighs as much as the others in sum.
        aside: Classes that are learnt and not scored, of the labels that have them.
        patience: Evaluations without improvement on validation that end the run; 0 never ends it early.
        exclude: What has no weight decay and no trust ratio, see `Pretraining`.
    """

    learning_rate: float = 0.1
    learning_rate_scaling: Literal["linear", "sqrt", "none"] = "linear"
    schedule: Literal["cosine", "steps"] = "cosine"
    decay_at: tuple[float, ...] = (0.3, 0.6, 0.9)
    warmup_share: float = 0.0
    weight_decay: float = 0.0
    optimizer: Literal["lars", "momentum", "sgd", "adam", "adamw"] = "momentum"
    momentum: float = 0.9
    train_batch_size: int = 64
    train_epochs: int = 30
    train_steps: int = 0
    fine_tune_after_block: int = -1
    zero_init_logits_layer: bool = False
    batch_norm_decay: float = 0.9
    image_size: int = 0
    crop_area: float = 0.08
    flip: bool = True
    rotation_range: float = 0.0
    use_elastic_deform: bool = False
    equalize_histogram: bool = False
    mixup: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    aside: tuple[str, ...] = ()
    patience: int = 10
    exclude: Literal["norms-and-biases", "official"] = "norms-and-biases"


_LARGE_CROP = "ours: a finding at the border must not be cut away from its label"

RECIPES: Mapping[str, Recipe] = {
    "chexpert": {
        "image_size": Choice(448, "the official README: chest X-ray models take 448 x 448"),
        "flip": Choice(False, "ours: a mirrored chest shows the heart on the wrong side (dextrocardia)"),
        "crop_area": Choice(0.5, _LARGE_CROP),
        "rotation_range": Choice(10.0, "ours: about what patients stand askew"),
        "optimizer": Choice("adam", "the CheXpert paper (arXiv:1901.07031)"),
        "learning_rate": Choice(1e-4, "the CheXpert paper"),
        "learning_rate_scaling": Choice("none", "the CheXpert paper gives the rate of its own batch"),
        "train_batch_size": Choice(16, "the CheXpert paper"),
        "train_epochs": Choice(3, "the CheXpert paper"),
        "aside": Choice(("uncertain",), "the CheXpert paper's U-MultiClass: scored among positive and negative alone"),
    },
    "camelyon": {
        "image_size": Choice(224, "the official notebook enlarges 96 px patches to 224"),
        "crop_area": Choice(0.5, "ours: the label is of the patch's centre, which a small crop can miss"),
        "rotation_range": Choice(180.0, "ours: a slide has no upright side"),
        "optimizer": Choice("lars", "the official notebook"),
        "learning_rate": Choice(0.1, "the official notebook"),
        "learning_rate_scaling": Choice("none", "the official notebook"),
        "train_batch_size": Choice(64, "the official notebook"),
        "train_epochs": Choice(3, "ours; the official notebook does five steps"),
        "warmup_share": Choice(0.1, "ours: LARS from a new head needs a slow start"),
    },
    HYPER_RULE: {
        "optimizer": Choice("sgd", "BiT-HyperRule (arXiv:1912.11370): SGD with plain momentum 0.9"),
        "learning_rate": Choice(0.003, "BiT-HyperRule, at its batch of 512"),
        "learning_rate_scaling": Choice("none", "BiT-HyperRule gives the rate of its own batch"),
        "train_batch_size": Choice(512, "BiT-HyperRule"),
        "schedule": Choice("steps", "BiT-HyperRule: three falls to a tenth"),
        "zero_init_logits_layer": Choice(True, "big_transfer's models start the head at 0"),
        "crop_area": Choice(0.64, "BiT-HyperRule: crops of 128 from 160 (at 480: from 512, which is 0.88)"),
        "patience": Choice(0, "BiT-HyperRule has no early stop"),
    },
}
"""`bit-hyperrule` is completed by `hyper_rule`, which looks at the data."""

LIMITS = Limits(
    at_least={
        "train_batch_size": 1, "image_size": 0, "train_epochs": 1, "train_steps": 0, "warmup_share": 0,
        "weight_decay": 0, "rotation_range": 0, "momentum": 0, "batch_norm_decay": 0, "fine_tune_after_block": -1,
        "mixup": 0, "patience": 0, "crop_area": 0.01,
    },
    at_most={
        "momentum": 1, "batch_norm_decay": 1, "rotation_range": 180, "warmup_share": 1, "fine_tune_after_block": 4,
        "crop_area": 1,
    },
    above_zero=("learning_rate",),
)  # fmt: skip


def hyper_rule(images: int, pixels: float) -> Recipe:
    """Return what BiT-HyperRule takes from the data.

    Args:
        images: Training images.
        pixels: Area of a typical image.

    Source: Big Transfer, arXiv:1912.11370, section 3.3; google-research/big_transfer bit_hyperrule.py.
    """
    small = pixels < 96**2
    size = 128 if small else 480
    rule = {
        "image_size": Choice(size, "BiT-HyperRule: 128 px for images of less than 96 x 96, else 480"),
        "crop_area": Choice((128 / 160 if small else 480 / 512) ** 2, "BiT-HyperRule: cut from 160, or from 512"),
    }
    if images < 20_000:
        steps, warmup, reason = 500, 100, "fewer than 20,000 images"
        rule["decay_at"] = Choice((0.4, 0.6, 0.8), "BiT-HyperRule: after 200, 300 and 400 of 500 steps")
    elif images < 500_000:
        steps, warmup, reason = 10_000, 500, "fewer than 500,000 images"
    else:
        steps, warmup, reason = 20_000, 500, "500,000 images or more"
    return {
        **rule,
        "train_steps": Choice(steps, f"BiT-HyperRule: {reason}"),
        "warmup_share": Choice(warmup / steps, f"BiT-HyperRule: {warmup} steps"),
        "mixup": Choice(0.1 if images >= 20_000 else 0.0, "BiT-HyperRule: 0.1 from 20,000 images on"),
    }


def resolve(name: str | None, given: Mapping[str, Any], *, images: int = 0, pixels: float = 0.0) -> FineTuning:
    """Return the settings: what was given beats the recipe, the recipe beats the default.

    Args:
        name: The recipe's name, or None.
        given: Options by their field's name; None is not given. Names that are no setting are passed over.
        images: Training images, for `bit-hyperrule`.
        pixels: Area of a typical image, for `bit-hyperrule`.

    Raises:
        UsageError: There is no such recipe, or a value is impossible.
    """
    recipe = find(name, RECIPES)
    if name == HYPER_RULE:
        if not pixels and not given.get("image_size"):
            message = f"the recipe {HYPER_RULE} needs the images' sizes, which the manifest lacks; --image-size 480"
            raise UsageError(message)
        recipe = {**recipe, **hyper_rule(images, pixels)}
    return resolved(FineTuning, recipe, given, LIMITS)
