"""The settings of the augmentations, each number with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from remedis.errors import UsageError, nearest

CropLaw = Literal["tensorflow", "torchvision"]
Interpolation = Literal["bilinear", "bicubic"]
_CROP_LAWS, _INTERPOLATIONS = ("tensorflow", "torchvision"), ("bilinear", "bicubic")
_HALF_TURN_DEGREES = 180
_STEEPEST = 0.25  # four standard deviations of a displacement reach the next knot: above, the field may fold


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for a view, and from which range.

    The defaults are those of REMEDIS (`run.py` and `data_util.py` of google-research/medical-ai-research-foundations),
    save where it is said otherwise.

    Args:
        size: S, side of the view in pixels.
        crop_law: `tensorflow` draws as `tf.image.sample_distorted_bounding_box` does (SimCLR, REMEDIS), `torchvision`
            as `RandomResizedCrop` does. TensorFlow's crops are smaller: mean area 0.42 of a square image against 0.48.
        area: Least and greatest area of the crop as a share of the image's.
        aspect: Least and greatest width over height of the crop.
        flip: Whether a view is flipped left to right with probability 0.5.
        rotation_range: Rotations are uniform in ± this many degrees. The official pretraining never rotates, whatever
            the flag says. MICLe (Azizi et al., arXiv:2101.05224) rotates chest films by up to 45 degrees.
        use_elastic_deform: Whether every view is bent by a smooth random field.
        elastic_strength: Standard deviation of the displacement as a fraction of the side. No source gives REMEDIS's;
            this is U-Net's (Ronneberger et al., arXiv:1505.04597, section 3.1: 10 pixels, here of 512).
        elastic_smoothness: Distance of the field's knots as a fraction of the side. Ours; U-Net's 3 × 3 knots are 1/2.
        equalize_histogram: Whether the histogram is equalised with probability 0.5; the view is then grey.
        color_distort: Whether colours are jittered and greyed. Off in the official fine-tuning.
        color_jitter_strength: Factor on the four greatest distortions. MICLe uses 0.5 for chest films.
        max_brightness_distort: Brightness is multiplied by a factor uniform in 1 ± strength times this, at least 0.
        max_contrast_distort: The same for contrast.
        max_saturation_distort: The same for saturation.
        max_hue_distort: Hue is shifted uniformly within ± strength times this; 1 is a full turn.
        jitter_probability: How often a view's colours are jittered.
        grey_probability: How often a view is made grey.
        use_blur: Whether a view is blurred with probability 0.5. Off in the official fine-tuning.
        interpolation: Of the one resampling, where the view is not smaller than its crop.

    Raises:
        UsageError: A number is out of its range, or would turn contrast or saturation into its negative, or the hue by
            more than half a turn.
    """

    size: int
    crop_law: CropLaw = "tensorflow"
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = True
    rotation_range: float = 0.0
    use_elastic_deform: bool = False
    elastic_strength: float = 0.02
    elastic_smoothness: float = 0.25
    equalize_histogram: bool = False
    color_distort: bool = True
    color_jitter_strength: float = 1.0
    max_brightness_distort: float = 0.8
    max_contrast_distort: float = 0.8
    max_saturation_distort: float = 0.8
    max_hue_distort: float = 0.2
    jitter_probability: float = 0.8
    grey_probability: float = 0.2
    use_blur: bool = True
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _known("crop_law", self.crop_law, _CROP_LAWS)
        _known("interpolation", self.interpolation, _INTERPOLATIONS)
        _within("size", self.size, 1, None)
        _within("area", self.area[0], 0, self.area[1])
        _within("area", self.area[1], 0, 1)
        _within("aspect", self.aspect[0], 0, self.aspect[1])
        if not (self.area[1] > 0 and self.aspect[0] > 0):
            raise UsageError(f"area {self.area} and aspect {self.aspect} leave no crop; both must be positive")
        _within("rotation_range", self.rotation_range, 0, _HALF_TURN_DEGREES)
        _within("elastic_smoothness", self.elastic_smoothness, 0.01, 1)
        _within("elastic_strength", self.elastic_strength, 0, _STEEPEST * self.elastic_smoothness)
        _within("jitter_probability", self.jitter_probability, 0, 1)
        _within("grey_probability", self.grey_probability, 0, 1)
        strength = self.color_jitter_strength
        _within("color_jitter_strength × max_brightness_distort", strength * self.max_brightness_distort, 0, None)
        _within("color_jitter_strength × max_contrast_distort", strength * self.max_contrast_distort, 0, 1)
        _within("color_jitter_strength × max_saturation_distort", strength * self.max_saturation_distort, 0, 1)
        _within("color_jitter_strength × max_hue_distort", strength * self.max_hue_distort, 0, 0.5)


def _known(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise UsageError(f"there is no {given!r}; {nearest(given, known)}", where=name)


def _within(name: str, number: float, low: float, high: float | None) -> None:
    if not (low <= number and (high is None or number <= high)):  # so that a NaN is refused too
        expected = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
        raise UsageError(f"found {number:g}, expected {expected}; change it", where=name)
