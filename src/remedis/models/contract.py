"""What an encoder takes and gives: size, range, channels, which map, pooled how. Stored in config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from remedis.errors import CheckpointError, nearest

Map = Literal["after-norm", "before-norm", "tokens", "none"]
Pool = Literal["mean", "timm", "original"]
Padding = Literal["torch", "tf"]
Fit = Literal["squash", "pad", "crop"]
Kernels = Literal["raw", "ready"]
Range = tuple[float, float]

LARGEST_CHANNELS = 1024
LARGEST_SIZE = 16_384  # pixels; a folder from elsewhere shall not make us allocate more than an image of that side

_WORDS: dict[str, tuple[str, ...]] = {
    "map": get_args(Map),
    "pool": get_args(Pool),
    "padding": get_args(Padding),
    "fit": get_args(Fit),
    "kernels": get_args(Kernels),
}


@dataclass(frozen=True)
class Contract:
    """What an encoder takes and gives.

    Attributes:
        size: S, side in pixels of the square that images are resized to. Tensors are never resized.
        range: Smallest and largest value of an input tensor; the blackest and whitest storable pixel become
            these.
        channels: C of the input.
        map: What `features` gives: the output of the last norm and ReLU (`after-norm`), the sum of the last
            block before them (`before-norm`), patch tokens folded into a map (`tokens`), or nothing (`none`).
        pool: How the map becomes the embedding: its spatial mean (`mean`; `original` says that the original
            pools its output so itself), or timm's own `forward_head(pre_logits=True)` (`timm`).
        padding: Where a pool whose input has an even size pads (SimCLR's ResNets only): both sides as torch
            does it, or bottom and right alone as TensorFlow's SAME does it.
        fit: How an image that is not square becomes the square: whole (`squash`), with a border (`pad`), or
            its centre (`crop`).
        profile: Name of the profile that the encoder's images were made with, where one is known.
        range_source: Where the range is known from: `declared`, what a conversion found in the original's graph
            (`graph`), or nothing but custom (`assumed`).
        inside: Range that the first convolution sees; None is the architecture's own: [-1, 1] for BiT, the
            unchanged input for ResNet-v1. timm encoders use timm's mean and standard deviation instead.
        resize: Side that the network itself resizes its input to, before anything else, because its original does:
            bilinear, half-pixel centres, without a filter against aliasing (`tf.image.resize`); None: never.
        kernels: BiT only: whether the kernels are standardised in every pass (`raw`), or were stored ready and
            are used as they are (`ready`).
        kernel_eps: BiT only: added to a kernel's variance. Google's is 1e-10, timm's 1e-8.
        norm_eps: Added to a variance in the norms.
    """

    size: int = 224
    range: Range = (0.0, 1.0)
    channels: int = 3
    map: Map = "after-norm"
    pool: Pool = "mean"
    padding: Padding = "torch"
    fit: Fit = "squash"
    profile: str | None = None
    range_source: str = "declared"
    inside: Range | None = None
    resize: int | None = None
    kernels: Kernels = "raw"
    kernel_eps: float = 1e-10
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        """Refuse what no encoder can hold to.

        Raises:
            CheckpointError: A size that is none, an empty range or an unknown word.
        """
        self._refuse_sides()
        for name in ("range", "inside"):
            low_high = getattr(self, name)
            if low_high is not None and not _is_range(low_high):
                raise CheckpointError(f"the contract's {name} is {low_high!r}, two rising numbers were expected")
        if not isinstance(self.profile, str | None):
            raise CheckpointError(f"the contract's profile is {self.profile!r}, a name was expected")
        for name, words in _WORDS.items():
            found = getattr(self, name)
            if found not in words:
                raise CheckpointError(f"the contract's {name} is {found!r}; known: {', '.join(words)}")

    def _refuse_sides(self) -> None:
        for name, largest in (("size", LARGEST_SIZE), ("channels", LARGEST_CHANNELS), ("resize", LARGEST_SIZE)):
            number = getattr(self, name)
            whole = isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= largest
            if not whole and not (name == "resize" and number is None):
                raise CheckpointError(
                    f"the contract's {name} is {number!r}, a whole number from 1 to {largest:,} was expected"
                )
        for name in ("kernel_eps", "norm_eps"):
            eps = getattr(self, name)
            if not isinstance(eps, float) or not 0 <= eps < 1:
                raise CheckpointError(f"the contract's {name} is {eps!r}, a number from 0 to 1 was expected")

    def to_json(self) -> dict[str, Any]:
        """Return plain values for config.json."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Contract:
        """Return the contract that config.json holds.

        Raises:
            CheckpointError: A key is unknown or a value impossible.
        """
        known = [field.name for field in fields(cls)]
        for name in value:
            if name not in known:
                raise CheckpointError(f"the contract has the unknown key {name!r}, {nearest(name, known)}")
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}
        return cls(**values)

    def scale_and_shift(self, own: Range | None) -> tuple[float, float]:
        """Return (a, b) so that a·x + b takes `range` to what the first convolution sees.

        Args:
            own: The architecture's own range, used where `inside` is None; None leaves x as it is.
        """
        inside = self.inside or own
        if inside is None:
            return 1.0, 0.0
        (low, high), (low_inside, high_inside) = self.range, inside
        scale = (high_inside - low_inside) / (high - low)
        return scale, low_inside - low * scale


def _is_range(value: Any) -> bool:
    if not (isinstance(value, tuple) and len(value) == 2):
        return False
    numbers = all(isinstance(number, int | float) and not isinstance(number, bool) for number in value)
    return numbers and float("-inf") < value[0] < value[1] < float("inf")
