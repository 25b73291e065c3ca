"""`remedis phantoms`: a folder of simulated chest radiographs."""

from __future__ import annotations

import shlex
from dataclasses import asdict

from threadpoolctl import threadpool_limits

from remedis.console import QUIET, Console, Result
from remedis.data.files import claim_folder, remove_orphans
from remedis.data.phantoms.population import FINDINGS, Exam, Population
from remedis.data.phantoms.render import check_size
from remedis.data.phantoms.write import MANIFEST, SUFFIXES, TABLES, table, write_image, write_tables
from remedis.errors import UsageError
from remedis.options.phantoms import Phantoms

FACTS = "_phantoms.json"
PICTURES_VERSION = 1  # rises when the same seed would give other pictures


def run(options: Phantoms, console: Console = QUIET) -> Result:
    """Write the images that are missing, then labels, manifest and README.

    Returns:
        What was made: `manifest`, `images`, `patients`, and `findings` with the number of images that show each.

    Raises:
        UsageError: An option is out of its range.
        FolderError: The folder holds something else.
        StoppedError: The disk is full; what was finished is kept, and the same command goes on.
    """
    population = _population(options)
    job = {**asdict(options), "pictures_version": PICTURES_VERSION, "findings": list(population.findings)}
    del job["out"]
    again = claim_folder(options.out, job, facts_name=FACTS) is not None
    exams = list(population.exams(options.number))
    made = _write_images(exams, options, console, again=again)
    rows = table(exams, population.findings, options.size, options.format)
    if not all((options.out / name).exists() for name in TABLES):
        write_tables(rows, options.out, command=_command(options), seed=options.seed)
    return _result(options, exams, population.findings, made)


def _population(options: Phantoms) -> Population:
    if options.number < 1:
        raise UsageError(f"--number is {options.number}, 1 or more was expected")
    if options.format not in SUFFIXES:
        raise UsageError(f"--format is {options.format}, png or dicom was expected")
    check_size(options.size)
    return Population(
        seed=options.seed,
        sites=options.sites,
        findings=tuple(dict.fromkeys(options.findings)) or FINDINGS,
        prevalence=options.prevalence,
        severity=options.severity,
        views_per_patient=options.views_per_patient,
    )


def _write_images(exams: list[Exam], options: Phantoms, console: Console, *, again: bool) -> int:
    """Write what is missing and return how many images that were."""
    (options.out / "images").mkdir(exist_ok=True)
    remove_orphans(options.out / "images")
    made = 0
    if again:
        console.say(f"{options.out} was begun by the same command: goes on")
    # The matrices are small: several threads would wait for each other, the more the busier the machine is.
    with threadpool_limits(1), console.track(len(exams), "images", "simulating") as track:
        for exam in exams:
            made += write_image(exam, options.out, options.size, options.format)
            track.advance()
    return made


def _command(options: Phantoms) -> str:
    """Return the command that makes this folder, with what differs from the defaults."""
    default = asdict(Phantoms(out=options.out))
    words = ["remedis", "phantoms"]
    for name, value in asdict(options).items():
        if name == "out" or value != default[name]:
            text = ",".join(value) if isinstance(value, tuple) else value
            words += [f"--{name.replace('_', '-')}", shlex.quote(str(options.out.name if name == "out" else text))]
    return " ".join(words)


def _result(options: Phantoms, exams: list[Exam], findings: tuple[str, ...], made: int) -> Result:
    counts = {name: sum(exam.patient.severities[name] > 0 for exam in exams) for name in findings}
    patients = len({exam.patient.number for exam in exams})
    path = options.out / MANIFEST
    listed = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    done = f"wrote {options.out}" if made else f"{options.out} is there already"
    text = (
        f"{done}: {len(exams):,} simulated chest radiographs of {patients:,} patients who do not exist\n"
        f"with {listed}\n"
        f"next: remedis embed {path} --encoder ENCODER --out emb"
    )
    data = {
        "out": str(options.out),
        "manifest": str(path),
        "images": len(exams),
        "patients": patients,
        "findings": counts,
        "simulated": True,
    }
    return Result(text=text, data=data)
