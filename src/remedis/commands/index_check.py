"""`remedis index check`: what makes results wrong, one line a finding."""

from __future__ import annotations

from dataclasses import asdict

from remedis.console import QUIET, Console, Result
from remedis.data.indexers.words import counted
from remedis.data.inputs import open_any
from remedis.evaluate.targets import check_excluded
from remedis.models.learnt import learnt_by
from remedis.options.index import IndexCheck
from remedis.study.audit import audit_all


def run(options: IndexCheck, console: Console = QUIET) -> Result:
    """Return what is wrong with `options.manifest`.

    Returns:
        The findings; exit status 1 where one is an error.

    Raises:
        RemedisError: The manifest cannot be read, or has no such label; there is no such encoder.
    """
    rows = open_any(options.manifest, root=options.root, where=options.where)
    if options.exclude_class:
        check_excluded(rows.table, options.label, options.exclude_class)
        rows = rows.where([f"{label}!={name}" for label in options.label for name in options.exclude_class])
    found = audit_all(
        rows,
        options.label,
        encoders=[learnt_by(name) for name in options.encoder],
        others=[open_any(path) for path in options.pretrained_on],
        decode=not options.headers_only,
        console=console,
    )
    errors = sum(finding.severity == "error" for finding in found)
    console.say(
        f"{counted(len(rows), 'row')} checked: {counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}"
    )
    data = {
        "manifest": str(options.manifest),
        "rows": len(rows),
        "errors": errors,
        "findings": [asdict(finding) for finding in found],
    }
    text = "\n".join(finding.line for finding in found) or "no findings"
    return Result(text=text, data=data, exit_status=1 if errors else 0)
