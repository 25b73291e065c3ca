"""`remedis demo`: the whole line on simulated images, each command shown before it runs."""

from __future__ import annotations

import importlib
import shlex
from pathlib import Path
from typing import NamedTuple

from remedis.arguments import parse
from remedis.console import QUIET, Console, Result
from remedis.errors import UsageError
from remedis.options.demo import Demo

ENCODER = "bit-r26x1"
IMAGE_SIZE = 128
FINDINGS = "effusion,cardiomegaly"
HOME, ELSEWHERE = "site-a", "site-b"
_FEWEST = 60


class _Verb(NamedTuple):
    options: str
    run: str


_VERBS = {
    "phantoms": _Verb("phantoms:Phantoms", "phantoms"),
    "models init": _Verb("models:ModelsInit", "models_init"),
    "embed": _Verb("embed:Embed", "embed"),
    "probe": _Verb("probe:Probe", "probe"),
    "report": _Verb("report:Report", "report"),
}


def run(options: Demo, console: Console = QUIET) -> Result:
    """Run the line and return where its pages lie.

    Raises:
        UsageError: Too few images for two parts and two sites.
        RemedisError: As the verbs do; what was finished is kept.
    """
    if options.number < _FEWEST:
        raise UsageError(f"--number is {options.number}, at least {_FEWEST} was expected")
    console.say("simulated images and an untrained encoder: this shows how the line works, not how well")
    for verb, words in steps(options):
        console.say(f"\n$ remedis {verb} {shlex.join(words)}")
        result = _run(verb, words, console)
        console.say(result.text)
    pages = {name: str(options.out / f"{name}.html") for name in ("at-home", "elsewhere")}
    text = (
        f"\nopen {pages['at-home']} (tested at {HOME}) and {pages['elsewhere']} (the same probe, tested at {ELSEWHERE})"
    )
    return Result(text=text, data={"out": str(options.out), "pages": pages})


def steps(options: Demo) -> list[tuple[str, list[str]]]:
    """Return each command's verb and words, in order."""
    out, seed = options.out, str(options.seed)

    def at(name: str) -> str:
        return str(Path(out) / name)

    embed = ["--encoder", at("encoder"), "--image-size", str(IMAGE_SIZE)]
    return [
        ("phantoms", ["--out", at("images"), "--number", str(options.number), "--size", "192", "--seed", seed]),
        ("models init", [ENCODER, "--seed", seed, "--out", at("encoder")]),
        *(
            ("embed", [at("images/manifest.parquet"), *embed, "--where", f"site={site}", "--out", at(f"emb-{site}")])
            for site in (HOME, ELSEWHERE)
        ),
        ("probe", [at(f"emb-{HOME}"), "--label", FINDINGS, "--seed", seed, "--out", at("probe-at-home")]),
        (
            "probe",
            [at(f"emb-{HOME}"), "--label", FINDINGS, "--test", at(f"emb-{ELSEWHERE}"), "--seed", seed,
             "--out", at("probe-elsewhere")],
        ),
        ("report", [at("probe-at-home"), "--out", at("at-home.html")]),
        ("report", [at("probe-elsewhere"), "--out", at("elsewhere.html")]),
    ]  # fmt: skip


def _run(verb: str, words: list[str], console: Console) -> Result:
    module, _, name = _VERBS[verb].options.partition(":")
    options = parse(getattr(importlib.import_module(f"remedis.options.{module}"), name), verb, words)
    result: Result = importlib.import_module(f"remedis.commands.{_VERBS[verb].run}").run(options, console)
    return result
