"""What a study asks, opened and checked: data sets with their parts, encoders, labels, fractions and draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from remedis.data.manifest import Manifest, patient_keys
from remedis.errors import LabelError
from remedis.evaluate.fixed_parts import FixedParts, fixed_parts
from remedis.evaluate.parts import Units, units_of
from remedis.evaluate.targets import UNKNOWN, Target, align, target

Integers = npt.NDArray[np.int64]
IN, OUT, ADAPTED = SCENARIOS = ("in_distribution", "out_of_distribution", "adapted")
PROBE, FINETUNE = METHODS = ("probe", "finetune")
METHOD_NAMES = {PROBE: "logistic", FINETUNE: "finetune"}
"""As results name them: the probe is a logistic regression."""


@dataclass(frozen=True)
class DataSet:
    """A manifest of the study.

    Attributes:
        name: As typed.
        manifest: Its rows.
        targets: The labels, all with the same classes in every data set.
        parts: For each repetition its parts.
        units: What is resampled as a whole.
        other_site: Whether it is out of distribution.
    """

    name: str
    manifest: Manifest
    targets: tuple[Target, ...]
    parts: tuple[FixedParts, ...]
    units: Units
    other_site: bool


@dataclass(frozen=True)
class EncoderAsked:
    """An encoder of the study.

    Attributes:
        name: As typed, which is how results name it.
        external: File with embeddings made elsewhere; empty for one of ours.
        hash: Of its weights, or of the file.
        network: What it is, in a word.
        trained: False for random weights.
    """

    name: str
    external: str
    hash: str
    network: str
    trained: bool


@dataclass(frozen=True)
class Question:
    """Everything that decides which fits there are.

    Attributes:
        data_sets: First those in distribution, then the other sites.
        encoders: The baseline is among them.
        baseline: Its name.
        methods: `probe`, `finetune`.
        label_fractions: Ascending, 1 the last.
        target_fractions: Ascending, 1 the last.
        draws: For each fraction below 1.
        scenarios: Which are asked.
        repeats: How often the whole is done, each time with other parts.
        seed: Decides parts, draws and bootstrap.
    """

    data_sets: tuple[DataSet, ...]
    encoders: tuple[EncoderAsked, ...]
    baseline: str
    methods: tuple[str, ...]
    label_fractions: tuple[float, ...]
    target_fractions: tuple[float, ...]
    draws: int
    scenarios: tuple[str, ...]
    repeats: int
    seed: int

    @property
    def here(self) -> list[DataSet]:
        """The data sets in distribution."""
        return [each for each in self.data_sets if not each.other_site]

    @property
    def there(self) -> list[DataSet]:
        """The other sites."""
        return [each for each in self.data_sets if each.other_site]

    def data_set(self, name: str) -> DataSet:
        """Return a data set by its name."""
        return next(each for each in self.data_sets if each.name == name)


def data_sets(
    here: Sequence[tuple[str, Manifest]],
    there: Sequence[tuple[str, Manifest]],
    labels: Sequence[str],
    *,
    positive: str | None,
    exclude: Sequence[str],
    repeats: int,
    seed: int,
) -> tuple[DataSet, ...]:
    """Return the data sets with parts and labels, which have the same classes everywhere.

    A class that some data set lacks is left out in all of them, and counted: what cannot be learnt everywhere would
    make the scenarios different questions.

    Raises:
        LabelError: A label has fewer than two classes that are everywhere, a training part lacks one of them, a test
            part has fewer than two, or no row of a validation part has the label.
        ManifestError: There is no such column.
    """
    named = [*here, *there]
    first = [target(here[0][1].table, label, positive=positive, exclude=exclude, where=here[0][0]) for label in labels]
    targets = [
        [each if place == 0 else align(each, manifest.table, where=name, exclude=exclude) for each in first]
        for place, (name, manifest) in enumerate(named)
    ]
    targets = _with_common_classes(targets, [name for name, _ in named])
    made: list[DataSet] = []
    for (name, manifest), known in zip(named, targets, strict=True):
        parts = tuple(_parts(manifest, known, seed, repeat, repeats) for repeat in range(repeats))
        units = units_of(manifest.table, None, where=name)
        if units.name == "patients":  # a null site is one site, named after the data set
            units = Units(patient_keys(manifest.table, data_set=manifest.data_set), "patients")
        made.append(DataSet(name, manifest, tuple(known), parts, units, len(made) >= len(here)))
    for each in made:
        _refuse_unlearnable(each)
    return tuple(made)


def _parts(manifest: Manifest, targets: Sequence[Target], seed: int, repeat: int, repeats: int) -> FixedParts:
    """Return the given parts; where the study is repeated with other parts, ones that are drawn from all rows."""
    if repeats == 1:
        return fixed_parts(manifest, targets, seed=seed)
    free = Manifest(
        manifest.table.drop_columns([name for name in ("split",) if name in manifest.table.column_names]),
        manifest.root, manifest.facts, manifest.path,
    )  # fmt: skip
    return fixed_parts(free, targets, seed=seed + 1000 * (repeat + 1))


def _with_common_classes(targets: list[list[Target]], names: Sequence[str]) -> list[list[Target]]:
    """Return the labels with the classes that every data set has."""
    for place, label in enumerate(targets[0]):
        common = [
            code for code in range(len(label.classes)) if all((each[place].codes == code).any() for each in targets)
        ]
        if len(common) < 2:
            raise LabelError(
                f"label {label.label!r} has fewer than two classes that all of {', '.join(names)} have; compare them "
                "with remedis index check"
            )
        if len(common) == len(label.classes):
            continue
        number = np.full(len(label.classes) + 1, UNKNOWN)
        number[common] = np.arange(len(common))
        for each in targets:
            lost = {
                f"class {name} is not in every data set": int((each[place].codes == code).sum())
                for code, name in enumerate(label.classes)
                if code not in common
            }
            each[place] = replace(
                each[place],
                classes=tuple(label.classes[code] for code in common),
                codes=number[each[place].codes],
                left_out={**each[place].left_out, **{why: count for why, count in lost.items() if count}},
            )
    return targets


def _refuse_unlearnable(data_set: DataSet) -> None:
    for parts in data_set.parts:
        for label in data_set.targets:
            if not (label.codes[parts.validation] != UNKNOWN).any():
                raise LabelError(
                    f"label {label.label!r}: no row of the validation part has it, so nothing can be chosen; give the "
                    "rows another split",
                    where=data_set.name,
                )
            for name, rows in (("training", parts.train), ("test", parts.test)):
                present = np.unique(label.codes[rows])
                lacking = [label.classes[code] for code in range(len(label.classes)) if code not in present]
                if lacking and (name == "training" or len(label.classes) - len(lacking) < 2):
                    raise LabelError(
                        f"label {label.label!r}: class {lacking[0]} has no row in the {name} part; leave it out with "
                        "--exclude-class, or give the rows another split",
                        where=data_set.name,
                    )
