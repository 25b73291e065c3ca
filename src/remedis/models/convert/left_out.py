"""What stands in a file of weights beside the network: heads, an optimiser's memory, averages, counters.

What is known to be no part of a network is left out and said; a name that is not known is a reason to refuse, for a
network of another kind must not be read by half.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from remedis.errors import ConvertError
from remedis.models.convert.bare import Shape

# What the first part of a name says that differs from the network's own prefix.
_FIRST = (
    (
        "head",
        r"heads?(_\w+)?|\w+_heads?|fc\d*|(\w+_)?classifier|linear|linear_layer|logits|(\w+_)?projector|projection|"
        r"projection_\w+|proj|(\w+_)?predictor|prediction|prototypes|mlp",
    ),
    ("optimiser", r"optim\w*|opt|\w*scheduler|\w*scaler|amp|larc|lars"),
    ("moving average", r"(\w+_)?ema(_\w+)?"),
    ("queue of negatives", r"queue\w*|memory_bank"),
    ("number of the loss or the training", r"center|temperature|logit_scale|iterations?|epoch|\w*step|\w+_power"),
)
# What the last part of a name says about the parameter whose name comes before it.
_LAST = (
    ("optimiser", r"Momentum|Adam(_\d+)?|RMSProp(_\d+)?|Adagrad|Adadelta(_\d+)?|Ftrl(_\d+)?|LARS\w*"),
    ("moving average", r"ExponentialMovingAverage"),
)
_COUNTER = "num_batches_tracked"
_CUT = re.compile(r"[./]")


def sort_out(
    shapes: Mapping[str, Shape], prefix: str, used: Collection[str], others: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    """Return the names that are no part of the network, by why.

    Args:
        shapes: Of all tensors, by their names.
        prefix: What comes before the network's names.
        used: The names of its parameters.
        others: Prefixes of other networks in the file, of which this one was chosen.

    Raises:
        ConvertError: Names the tensors that nothing explains.
    """
    found: dict[str, list[str]] = {}
    unknown = []
    for name in shapes:
        if name in used:
            continue
        reason = _reason(name, prefix, used, shapes, others)
        if reason is None:
            unknown.append(name)
        else:
            found.setdefault(reason, []).append(name)
    if unknown:
        listed = ", ".join(sorted(unknown)[:3]) + (f" and {len(unknown) - 3} more" if len(unknown) > 3 else "")
        raise ConvertError(
            f"also holds {listed}, which is neither a layer of the network found in it nor the name of a head, an "
            "optimiser or a counter; it is another network"
        )
    return {reason: tuple(names) for reason, names in found.items()}


def _reason(
    name: str, prefix: str, used: Collection[str], shapes: Mapping[str, Shape], others: tuple[str, ...]
) -> str | None:
    base, last = _rsplit(name)
    if last == _COUNTER and f"{base}.running_mean" in used:
        return "counter"
    for reason, pattern in _LAST:
        if re.fullmatch(pattern, last) and base in shapes:
            return reason
    first = _first_part(name, prefix)
    for reason, pattern in _FIRST:
        if re.fullmatch(pattern, first, re.IGNORECASE):
            return reason
    return "other network" if _of_other(name, prefix, others) else None


def _of_other(name: str, prefix: str, others: tuple[str, ...]) -> bool:
    """Return whether a name begins as another network's names do, and not as this one's."""
    return any(name.startswith(other) and (len(other) > len(prefix) or not name.startswith(prefix)) for other in others)


def _first_part(name: str, prefix: str) -> str:
    """Return the first part of a name that the prefix does not have too."""
    parts, before = _CUT.split(name), _CUT.split(prefix)
    shared = 0
    while shared < min(len(parts) - 1, len(before)) and parts[shared] == before[shared]:
        shared += 1
    return parts[shared]


def _rsplit(name: str) -> tuple[str, str]:
    """Return what comes before the last separator and what comes after."""
    at = max(name.rfind("."), name.rfind("/"))
    return (name[:at], name[at + 1 :]) if at >= 0 else ("", name)


def in_words(left_out: Mapping[str, tuple[str, ...]]) -> str:
    """Return a phrase with every reason, how many tensors it explains and the first of their names."""
    parts = []
    for reason, names in sorted(left_out.items()):
        tensors = f"{len(names)} tensor" + "s" * (len(names) > 1)
        parts.append(f"{reason} ({tensors}: {names[0]}{' …' if len(names) > 1 else ''})")
    return ", ".join(parts)
