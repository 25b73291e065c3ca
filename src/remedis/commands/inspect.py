"""`remedis inspect`: what is in an image file, and what profiles make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.console import QUIET, Console, Result
from remedis.data.files import write_atomic
from remedis.data.frame import to_8_bits
from remedis.data.image import Image
from remedis.data.profiles import PROFILES
from remedis.data.profiles import profile as find_profile
from remedis.data.readers import read
from remedis.errors import UsageError
from remedis.options.inspect import Inspect

_ORDER = (
    "format", "sop_class", "modality", "body_part", "view", "laterality", "manufacturer", "preamble",
    "transfer_syntax", "lossy", "photometric", "stored_colours", "palette_bits", "bits", "bits_allocated",
    "signed", "spacing_mm", "spacing_from", "exif_orientation", "rescale", "modality_luts", "windows",
    "voi_function", "voi_luts", "window_used", "lut_used", "padding_value", "presentation_intent",
    "presentation_lut_shape", "inverted", "burned_in_annotation", "overlays", "icc_profile",
    "pages_left_out", "warnings",
)  # fmt: skip
_DARK = 1 / 16  # a picture that fills less of its range than this looks black


def run(options: Inspect, console: Console = QUIET) -> Result:
    """Return what was found in `options.file`, as text and as data.

    Raises:
        ReadError: The file cannot be read.
        UsageError: There is no such profile, or not two of them are compared.
    """
    names = _names(options)
    if options.out is not None and options.out.is_dir():
        raise UsageError("is a folder, the name of a PNG file was expected for --out", where=options.out)
    images = [read(options.file, name, frame=options.frame) for name in names]
    lines = [*_heading(images[0]), *_facts(images[0])]
    for image in images:
        lines += ["", *_steps(image)]
    data: dict[str, Any] = {
        "source": images[0].source,
        "facts": _plain(images[0].facts),
        "frames": images[0].frames,
    }
    data["profiles"] = {image.profile: _as_data(image) for image in images}
    if len(images) == 2:
        apart = distance(images[0].pixels, images[1].pixels)
        data["distance"] = apart
        lines += ["", *_distance(names, apart)]
    if options.out is not None:
        _write(options.out, [image.pixels for image in images])
        lines += ["", f"wrote {options.out}"]
        data["out"] = str(options.out)
    return Result(text="\n".join(lines), data=data)


def _names(options: Inspect) -> tuple[str, ...]:
    if options.profiles and options.profile is not None:
        raise UsageError("--profile and --profiles were both given; one of them is needed")
    if options.profiles and len(options.profiles) != 2:
        raise UsageError(f"--profiles names {len(options.profiles)}, two were expected: {','.join(list(PROFILES)[:2])}")
    return tuple(find_profile(name).name for name in options.profiles or (options.profile,))


def distance(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> dict[str, Any]:
    """Return how far two pictures of the same size are apart, both on the scale from 0 (black) to 1 (white).

    Returns:
        `largest` and `mean` absolute difference; `correlation` over all samples (None where a picture is constant);
        `inverted`, whether one is rather the negative of the other (a correlation below 0).
    """
    one, other = _shares(first), _shares(second)
    apart = np.abs(one - other)
    spread = float(one.std()), float(other.std())
    correlation = float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if min(spread) > 0 else None
    return {
        "largest": float(apart.max()),
        "mean": float(apart.mean()),
        "correlation": correlation,
        "inverted": correlation is not None and correlation < 0,
    }


def _shares(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return pixels / np.float64(np.iinfo(pixels.dtype).max)


def _heading(image: Image) -> list[str]:
    frames = f"{image.frames} frames of " if image.frames > 1 else ""
    facts = image.facts
    return [f"{image.source}: {facts['format']}, {frames}{facts['width']} × {facts['height']} pixels"]


def _facts(image: Image) -> list[str]:
    found = [name for name in _ORDER if name in image.facts and name != "format"]
    width = max((len(name) for name in found), default=0)
    return [f"  {name.replace('_', ' '):<{width}}  {_words(image.facts[name])}" for name in found]


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        nested = any(isinstance(item, (list, tuple, str)) for item in value)
        return ("; " if nested else ", ").join(_words(item) for item in value)
    return str(value)


def _steps(image: Image) -> list[str]:
    head = f"{image.profile} version {image.facts['profile_version']} gives {image.pixels.dtype}"
    width = max(len(step.name) for step in image.steps)
    lines = [f"{head:<{width + 2}}", f"  {'step':<{width}}  {'lowest':>10}  {'highest':>10}"]
    lines += [f"  {step.name:<{width}}  {step.low:>10g}  {step.high:>10g}  {step.detail}" for step in image.steps]
    top = np.iinfo(image.pixels.dtype).max
    brightest = image.pixels.max() / top
    if brightest < _DARK:
        lines.append(f"caution: the brightest pixel is {brightest:.1%} of white: the picture is nearly black")
    return lines


def _distance(names: tuple[str, ...], apart: dict[str, Any]) -> list[str]:
    correlation = "undefined, one is constant" if apart["correlation"] is None else f"{apart['correlation']:.4f}"
    lines = [
        f"{names[0]} against {names[1]}, from 0 black to 1 white",
        f"  largest difference  {apart['largest']:.4f}",
        f"  mean difference     {apart['mean']:.4f}",
        f"  correlation         {correlation}",
    ]
    if apart["inverted"]:
        lines.append("caution: one is the negative of the other")
    return lines


def _as_data(image: Image) -> dict[str, Any]:
    return {
        "version": image.facts["profile_version"],
        "dtype": str(image.pixels.dtype),
        "shape": list(image.pixels.shape),
        "steps": [{"name": s.name, "low": s.low, "high": s.high, "detail": s.detail} for s in image.steps],
    }


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}


def _write(path: Path, pictures: list[npt.NDArray[Any]]) -> None:
    """Write the pictures side by side as one 8-bit PNG; of several frames the first."""
    from PIL import Image as Pillow

    shown = [to_8_bits(picture[0] if picture.ndim == 4 else picture) for picture in pictures]
    with write_atomic(path) as temporary:
        Pillow.fromarray(np.concatenate(shown, axis=1)).save(temporary, format="PNG")
