"""Everything the page shows, as plain values that go unrounded into report.json."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from remedis import __version__
from remedis.report import methods
from remedis.report.answer import answer, cautions
from remedis.report.flow import flow, source_facts
from remedis.report.label_data import label_data, plain
from remedis.report.numbers import counted, plural
from remedis.report.picture_data import Sources, example_data, map_data, neighbour_data
from remedis.report.probe_folder import ProbeFolder
from remedis.report.trivial import size_alone

Plain = dict[str, Any]
FORMAT = 1
NOTICE = "Research software, not a diagnostic device."


def page_data(probe: ProbeFolder, *, names: bool) -> Plain:
    """Return everything that a probe's page shows.

    Args:
        probe: The opened folder.
        names: Whether paths, patients' numbers and identifying values are shown.
    """
    config, facts = probe.config, (probe.train.facts if probe.train else {})
    draws, seed = config["draws"], config["seed"]
    sources = Sources.of(probe, names=names)
    labels = []
    for tested in probe.tested:
        data = label_data(tested, probe.results, draws=draws, seed=seed)
        data["flow"] = flow(data, probe.entry(tested.label), *_flow_sources(probe, names=names))
        data["examples"] = example_data(probe, tested, sources, labels=len(probe.tested))
        data["neighbours"] = neighbour_data(probe, tested, sources)
        labels.append(data)
    answers = [
        answer(
            data, probe.entry(data["label"]), encoder=methods.encoder_name(config, facts),
            size_alone=size_alone(probe, tested),
        )
        for data, tested in zip(labels, probe.tested, strict=True)
    ]  # fmt: skip
    about = _about(probe)
    return plain(
        {
            "format": FORMAT, "kind": "report of a probe", "remedis": __version__, "notice": NOTICE,
            "names": names,
            **about,
            "encoder": methods.encoder_name(config, facts),
            "dataset": _dataset(probe),
            "answers": answers,
            "cautions": cautions(answers, labels, about | {"of_probe": _of_probe(probe)}),
            "labels": labels,
            "patients": _patients(probe, labels),
            "map": map_data(probe, sources, seed=seed),
            "embeddings_gone": probe.gone,
            "made": methods.made(config, facts, labels, names=names),
        }
    )  # fmt: skip


def _about(probe: ProbeFolder) -> Plain:
    everything = probe.predictions["logistic"]
    seen = everything["seen"].to_pylist() if "seen" in everything.column_names else []
    sites = everything["site"].unique().to_pylist() if "site" in everything.column_names else []
    facts = probe.train.facts if probe.train else {}
    return {
        "simulated": _simulated(probe),
        "untrained": "untrained" in methods.encoder_name(probe.config, facts) or bool(facts.get("untrained")),
        "seen": sum(word in ("train", "validation") for word in seen),
        "sites": sorted(str(site) for site in sites if site is not None),
    }


def _simulated(probe: ProbeFolder) -> bool:
    tables = [probe.predictions["logistic"], *(found.table for found in (probe.train, probe.test) if found)]
    return any(_says_simulated(table) for table in tables)


def _says_simulated(table: pa.Table) -> bool:
    if "simulated" in table.column_names:
        return any(value in (True, 1, "1", "true", "True", "yes") for value in table["simulated"].unique().to_pylist())
    try:
        facts = json.loads((table.schema.metadata or {}).get(b"remedis", b"{}"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        return False
    return isinstance(facts, dict) and bool(facts.get("simulated"))


def _dataset(probe: ProbeFolder) -> str:
    train = methods.dataset_name(probe.config, probe.train.facts if probe.train else {})
    if not probe.external:
        return train
    return f"{train} → {methods.dataset_name({}, probe.test.facts if probe.test else {})}"


def _flow_sources(probe: ProbeFolder, *, names: bool) -> tuple[Plain, Plain | None]:
    conditions = tuple(probe.config.get("where", ()))
    found = []
    for embeddings in (probe.train, probe.test if probe.external else None):
        facts = embeddings.facts if embeddings else {}
        rows = embeddings.table.num_rows if embeddings and conditions else None
        found.append(source_facts(methods.dataset_name(probe.config, facts), facts, rows, conditions, names=names))
    return found[0], found[1] if probe.external else None


def _of_probe(probe: ProbeFolder) -> list[str]:
    """Return the probe's own cautions."""
    own = [text for entry in probe.config["labels"] for text in entry.get("cautions", ())]
    return list(dict.fromkeys([*own, *probe.config.get("cautions", ())]))


def _patients(probe: ProbeFolder, labels: list[Plain]) -> list[str]:
    """Return what can be said of patients: how many images each has, and that none stands on both sides."""
    data, lines = labels[0], []
    for found in (probe.train, probe.test if probe.external else None):
        if found is None:
            continue
        table = found.table
        if "patient_id" not in table.column_names or table["patient_id"].null_count == table.num_rows:
            lines.append("No patient is named: each image counts as a patient of its own, and the intervals are too narrow "
                         "where one patient has several.")  # fmt: skip
        elif table["patient_id"].null_count:
            lines.append(
                f"{counted(table['patient_id'].null_count, 'images')} have no patient; each counts as its own."
            )
    unit = data["unit_name"]
    if unit != "images":
        lines.append(
            f"Intervals draw whole {plural(unit)}: {data['n']:,} tested images of {counted(data['units'], unit)} "
            f"({data['n'] / data['units']:.1f} images each on average)."
        )
    evaluation = probe.config["labels"][0]["evaluation"]
    if evaluation == "split":
        lines.append("A patient who stood in two parts would have been refused, so none does.")
    if evaluation == "nested-cv":
        lines.append("Folds keep all images of one unit together.")
    return list(dict.fromkeys(lines))
