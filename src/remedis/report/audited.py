"""What an audit of the tables finds without reading a file: patients in two parts, scarce classes, odd paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from remedis.data import audit, audit_labels, manifest
from remedis.data.embeddings import Embeddings
from remedis.data.finding import Finding
from remedis.data.manifest import Manifest
from remedis.report.part_rows import class_codes
from remedis.report.probe_folder import ProbeFolder

Plain = dict[str, Any]


def findings(probe: ProbeFolder) -> list[Plain] | None:
    """Return the findings, errors first, without the rows that they name; None where the embeddings are gone."""
    if probe.train is None:
        return None
    found = [("", each) for each in _of_learnt(probe, probe.train)]
    if probe.external and probe.test is not None:
        rows = _rows(probe.test)
        found += [("of the tested rows: ", each) for each in (*audit.of_paths(rows), *audit.of_patients(rows))]
    lines = [
        {"kind": each.kind, "severity": each.severity, "words": prefix + each.message, "count": each.count}
        for prefix, each in found
    ]
    unique = {line["words"]: line for line in lines}
    return sorted(unique.values(), key=lambda line: str(line["severity"]))


def _of_learnt(probe: ProbeFolder, found: Embeddings) -> Iterator[Finding]:
    rows = _rows(found)
    yield from audit.of_paths(rows)
    yield from audit.of_patients(rows)
    yield from audit.of_split(rows.table)
    for tested in probe.tested:  # classes that were excluded are none of this probe's
        known = class_codes(rows.table, tested.label, tested.classes) >= 0
        yield from audit_labels.of_labels(rows.table.filter(pa.array(known)), [tested.label])


def _rows(found: Embeddings) -> Manifest:
    return Manifest(table=found.table, root=Path(), facts=manifest.facts_of(found.table), path=None)
