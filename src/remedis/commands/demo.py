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
IMAGE_SIZE = 64  # what two cores can be trained on in a minute
FINDINGS = "effusion,cardiomegaly"
HOME, ELSEWHERE = "site-a", "site-b"
BEFORE, AFTER = "before", "after"
PRETRAIN = ["--recipe", "cxr", "--image-size", str(IMAGE_SIZE), "--train-batch-size", "64", "--optimizer", "adamw",
            "--learning-rate", "1e-3", "--temperature", "0.2", "--use-elastic-deform", "False",
            "--equalize-histogram", "False"]  # fmt: skip
"""A small batch and few steps: LARS, the recipe's own, is made for larger ones."""

_PAGES = {HOME: "at-home", ELSEWHERE: "elsewhere"}
_FEWEST = 60


class _Verb(NamedTuple):
    options: str
    run: str


_VERBS = {
    "phantoms": _Verb("phantoms:Phantoms", "phantoms"),
    "models init": _Verb("models:ModelsInit", "models_init"),
    "pretrain": _Verb("pretrain:Pretrain", "pretrain"),
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
    console.say("simulated images and a minute of training: this shows how the line works, not how well")
    for verb, words in steps(options):
        console.say(f"\n$ remedis {verb} {shlex.join(words)}")
        result = _run(verb, words, console)
        console.say(result.text)
    pages = {name: str(options.out / f"{name}.html") for name in (*_PAGES.values(), "pretraining")}
    text = (
        f"\nopen {pages['at-home']} (tested at {HOME}, before and after pretraining), {pages['elsewhere']} (the same "
        f"probes, tested at {ELSEWHERE}) and {pages['pretraining']} (the pretraining itself)"
    )
    return Result(text=text, data={"out": str(options.out), "pages": pages})


def steps(options: Demo) -> list[tuple[str, list[str]]]:
    """Return each command's verb and words, in order."""
    out, seed = options.out, str(options.seed)

    def at(name: str) -> str:
        return str(Path(out) / name)

    probes = [(when, place) for when in (BEFORE, AFTER) for place in (HOME, ELSEWHERE)]
    return [
        ("phantoms", ["--out", at("images"), "--number", str(options.number), "--size", "192", "--seed", seed]),
        ("phantoms", ["--out", at("unlabelled"), "--number", str(options.unlabelled), "--size", "96",
                      "--seed", str(options.seed + 1)]),
        ("models init", [ENCODER, "--seed", seed, "--out", at("encoder")]),
        ("pretrain", [at("unlabelled/manifest.parquet"), "--encoder", at("encoder"), *PRETRAIN, "--splits", "all",
                      "--train-steps", str(options.steps), "--label", "", "--seed", seed, "--out", at("run")]),
        *(
            ("embed", [at("images/manifest.parquet"), "--encoder", at("encoder" if when == BEFORE else "run/last"),
                       "--image-size", str(IMAGE_SIZE), "--where", f"site={site}", "--out", at(f"emb-{when}-{site}")])
            for when, site in probes
        ),
        *(
            ("probe", [at(f"emb-{when}-{HOME}"), "--label", FINDINGS, "--seed", seed,
                       *(["--test", at(f"emb-{when}-{ELSEWHERE}")] if site == ELSEWHERE else []),
                       "--out", at(f"probe-{when}-{_PAGES[site]}")])
            for when, site in probes
        ),
        *(
            ("report", [at(f"probe-{AFTER}-{page}"), "--before", at(f"probe-{BEFORE}-{page}"),
                        "--out", at(f"{page}.html")])
            for page in _PAGES.values()
        ),
        ("report", [at("run"), "--out", at("pretraining.html")]),
    ]  # fmt: skip


def _run(verb: str, words: list[str], console: Console) -> Result:
    module, _, name = _VERBS[verb].options.partition(":")
    options = parse(getattr(importlib.import_module(f"remedis.options.{module}"), name), verb, words)
    result: Result = importlib.import_module(f"remedis.commands.{_VERBS[verb].run}").run(options, console)
    return result
