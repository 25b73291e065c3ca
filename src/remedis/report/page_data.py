"""Everything the page shows, as plain values that go unrounded into report.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from remedis import __version__
from remedis.data.embeddings import Embeddings
from remedis.data.manifest import facts_of, says_simulated
from remedis.report import methods
from remedis.report.answer import answer, cautions
from remedis.report.audited import findings
from remedis.report.baseline import baseline
from remedis.report.before import compared
from remedis.report.checklist import checklist
from remedis.report.commands_shown import commands
from remedis.report.flow import flow, source_facts
from remedis.report.label_data import label_data, plain
from remedis.report.numbers import counted, plural
from remedis.report.picture_data import Sources, example_data, map_data, neighbour_data
from remedis.report.probe_folder import ProbeFolder
from remedis.report.tested import Tested

Plain = dict[str, Any]
FORMAT = 1
KIND = "report of a probe"
NOTICE = "Research software, not a diagnostic device."


def page_data(
    probe: ProbeFolder, *, names: bool, report: Sequence[str] = (), other: ProbeFolder | None = None
) -> Plain:
    """Return everything that a probe's page shows.

    Args:
        probe: The opened folder.
        names: Whether paths, patients' numbers and identifying values are shown.
        report: The words of the command that makes the page.
        other: The probe of another encoder that it is compared with.
    """
    before = compared(probe, other) if other else None
    seed = probe.config["seed"]
    sources = Sources.of(probe, names=names)
    labels = [_label(probe, tested, sources, names=names) for tested in probe.tested]
    about = _about(probe)
    encoder, called = methods.encoder_name(probe.config, probe.facts), _called(probe)
    if before and other:
        before |= {"encoder": _called(other), "encoder_after": called}
    earlier = commands(other, names=names, report=()) if other else []
    answers = [answer(data, probe.entry(data["label"]), encoder=called) for data in labels]
    found_map = map_data(probe, sources, seed=seed)
    found: Plain = plain(
        {
            "format": FORMAT, "kind": KIND, "remedis": __version__, "notice": NOTICE,
            "names": names,
            **about,
            "encoder": encoder,
            "dataset": _dataset(probe),
            "answers": answers,
            "before": before,
            "cautions": cautions(answers, labels, about | {"of_probe": _of_probe(probe)}),
            "labels": labels,
            "patients": _patients(probe, labels, about["seen"]),
            "audit": findings(probe),
            "map": found_map,
            "embeddings_gone": probe.gone,
            "made": methods.made(probe, labels, names=names)
            | {"commands": [*earlier, *commands(probe, names=names, report=report)]},
            "checklist": checklist(external=probe.external, absent=() if found_map else ("neighbours",)),
        }
    )  # fmt: skip
    return found


def _label(probe: ProbeFolder, tested: Tested, sources: Sources, *, names: bool) -> Plain:
    draws, seed = probe.config["draws"], probe.config["seed"]
    data = label_data(tested, probe.results, draws=draws, seed=seed, names=names)
    data["flow"] = flow(data, probe.entry(tested.label), *_flow_sources(probe, names=names))
    data["baseline"] = baseline(probe, tested)
    data["examples"] = example_data(probe, tested, sources, labels=len(probe.tested))
    data["neighbours"] = neighbour_data(probe, tested, sources)
    return data


def _about(probe: ProbeFolder) -> Plain:
    everything = probe.predictions["logistic"]
    seen = everything["seen"].to_pylist() if "seen" in everything.column_names else []
    sites = everything["site"].unique().to_pylist() if "site" in everything.column_names else []
    return {
        "simulated": any(says_simulated(table) for table in _tables(probe)),
        "untrained": _untrained(probe),
        "seen": sum(word in ("train", "validation") for word in seen),
        "sites": sorted(str(site) for site in sites if site is not None),
    }


def _untrained(probe: ProbeFolder) -> bool:
    return bool(probe.facts.get("untrained") or probe.card.get("trained") is False)


def _called(probe: ProbeFolder) -> str:
    """Return what the encoder is called in a sentence, and whether it is trained."""
    name = methods.encoder_name(probe.config, probe.facts)
    return f"{name} ({'untrained, ' * _untrained(probe)}frozen)"


def _tables(probe: ProbeFolder) -> list[pa.Table]:
    return [probe.predictions["logistic"], *(found.table for found in (probe.train, probe.test) if found)]


def _dataset(probe: ProbeFolder) -> str:
    train = _data_set(probe.config.get("data_set"), probe.train, probe.config.get("manifest"))
    if not probe.external:
        return train
    return f"{train} → {_data_set(None, probe.test, probe.config.get('test_manifest'))}"


def _data_set(name: Any, found: Embeddings | None, manifest_path: Any) -> str:
    """Return the data set's own name, else the name of its manifest."""
    facts = found.facts if found else {}
    return str(name or facts.get("data_set") or methods.manifest_name(facts, manifest_path))


def _flow_sources(probe: ProbeFolder, *, names: bool) -> tuple[Plain, Plain | None]:
    conditions = tuple(probe.config.get("where", ()))
    found = []
    for embeddings, key in ((probe.train, "manifest"), (probe.test, "test_manifest")):
        facts = embeddings.facts if embeddings else {}
        rows = embeddings.table.num_rows if embeddings and conditions else None
        name = methods.manifest_name(facts, probe.config.get(key))
        before = facts_of(embeddings.table).get("left_out") if embeddings else None
        found.append(source_facts(name, facts, rows, conditions, names=names, before=before))
    return found[0], found[1] if probe.external else None


def _of_probe(probe: ProbeFolder) -> list[str]:
    """Return the probe's own cautions."""
    own = [text for entry in probe.config["labels"] for text in entry.get("cautions", ())]
    return list(dict.fromkeys([*own, *probe.config.get("cautions", ())]))


def _patients(probe: ProbeFolder, labels: list[Plain], seen: int) -> list[str]:
    """Return what can be said of patients: how many images each has, and that none stands on both sides."""
    data, lines = labels[0], []
    unit = data["unit_name"]
    for found in (probe.train, probe.test if probe.external else None):
        if found is not None:
            lines += _unnamed(found.table, clustered=bool(probe.config.get("cluster")))
    if unit != "images":
        lines.append(
            f"Intervals draw whole {plural(unit)}: {data['n']:,} tested images of {counted(data['units'], unit)} "
            f"({data['n'] / data['units']:.1f} images each on average)."
        )
    whole = {"images": "each image in one", "patients": "all images of a patient together"}
    kept = whole.get(unit, f"all images of one value of {unit} together")
    tested = probe.predictions["logistic"].num_rows
    lines.append(
        {
            "split": "A patient who stood in two parts would have been refused, so none does.",
            "nested-cv": f"Folds keep {kept}.",
            "external": "The tested images are another set; rows that the probe had seen are recognised by image and "
            f"patient, {seen:,} of {tested:,} were.",
        }[probe.config["labels"][0]["evaluation"]]
    )
    return list(dict.fromkeys(lines))


def _unnamed(table: pa.Table, *, clustered: bool) -> list[str]:
    unnamed = table["patient_id"].null_count if "patient_id" in table.column_names else table.num_rows
    if not unnamed:
        return []
    if unnamed < table.num_rows:
        return [f"{counted(unnamed, 'images')} have no patient; each counts as its own."]
    if clustered:
        return ["No patient is named; one patient can have images in several of the groups that are kept whole."]
    return ["No patient is named: each image counts as a patient of its own, and the intervals are too narrow where "
            "one patient has several."]  # fmt: skip
