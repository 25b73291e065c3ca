"""A study's methods paragraph with its numbers, what the REMEDIS article reported, and the works to cite."""

from __future__ import annotations

from typing import Any

from remedis import __version__
from remedis.evaluate.efficiency import MARGIN
from remedis.evaluate.fixed_parts import SHARES
from remedis.report import methods, study_tuning
from remedis.report.numbers import counted
from remedis.report.study_answer import share
from remedis.report.study_folder import ADAPTED, IN, OUT, StudyFolder
from remedis.report.study_names import Names, listed
from remedis.report.study_people import nameless, part_words

Plain = dict[str, Any]
STRENGTHS = (45, -6, 5)
"""How many values of C the probe chooses from, and the powers of ten that they lie between."""

REPORTED = (
    "The REMEDIS article reported, for its own encoders and images, an improvement in diagnostic accuracy of up to "
    "11.5% relative to a strong supervised baseline in distribution, and out of distribution that 1% to 33% of the "
    "data for retraining matched the supervised model retrained on all of them. These are reported figures; nothing "
    "on this page repeats them."
)
_VARIANCE = {
    "text": "Sun X, Xu W. Fast implementation of DeLong’s algorithm for comparing the areas under correlated receiver "
    "operating characteristic curves. IEEE Signal Processing Letters 21(11):1389–1393 (2014).",
    "doi": "",
}


def citations(study: StudyFolder) -> list[Plain]:
    """Return the works that the study rests on."""
    delong = any(row["p_delong"] is not None for row in study.tables["differences"])
    return [*methods.CITATIONS[:2], *([_VARIANCE] if delong else []), methods.CITATIONS[-1]]


def paragraph(study: StudyFolder, names: Names) -> str:
    """Return a methods paragraph in the past tense."""
    job = study.job
    version = (study.facts.get("versions") or {}).get("remedis", __version__)
    sentences = [_compared(study, names), *_data(study, names), _shares(study)]
    sentences += [_probe(study, names)] * ("probe" in job["methods"])
    sentences += [_tuning(study, names)] * ("finetune" in job["methods"])
    sentences += [_figures(study), _tests(study, names)]
    sentences.append(f"Analyses were done with remedis {version}, seed {job['seed']}.")
    return " ".join(sentence for sentence in sentences if sentence)


def _compared(study: StudyFolder, names: Names) -> str:
    encoders = listed(names.encoder(each) for each in study.present)
    labels = listed(f"{label} ({counted(len(classes), 'classes')})" for label, classes in study.job["labels"].items())
    if len(study.present) == 1:
        return f"The encoder {encoders} was studied on {labels}."
    if study.baseline not in study.present:
        return f"The encoders {encoders} were studied on {labels}."
    return f"The encoders {encoders} were compared on {labels}; {names.baseline} was the baseline."


def _data(study: StudyFolder, names: Names) -> list[str]:
    found = []
    for data_set in study.job["data_sets"]:
        words = [f"{name} {said}" for name, said in part_words(study, data_set).items()]
        where = "another site" if data_set in study.job["other_sites"] else "in distribution"
        found += [f"{names.data_set(data_set)} ({where}): {', '.join(words)}."] * bool(words)
    unknown = nameless(study, names)
    found += [f"{unknown}; the images were drawn and resampled one by one."] * bool(unknown)
    times = f"The whole was done {study.repeats} times, each time with parts " if study.repeats > 1 else "Parts were "
    return [*found, f"{times}{parts_words(study)}."]


def parts_words(study: StudyFolder) -> str:
    """Return where the parts come from: `those of the manifests`, or how they were drawn.

    A missing part is drawn from the training part: first that of validation, then that of test from what is left.
    """
    unit = study.unit
    shares = (
        f"{share(SHARES['validation'])} of the {unit}s for validation, then {share(SHARES['test'])} of those left for "
        "test"
    )
    by = f"by {unit} and stratified by label"
    if study.repeats > 1:
        return f"drawn anew from all rows {by} ({shares})"
    flow = [study.flow.get(data_set, {}) for data_set in study.job["data_sets"]]
    if all("drawn" in said and not said["drawn"] for said in flow):
        return "those of the manifests"
    if all(said.get("given") == [] for said in flow):
        return f"drawn from all rows {by} ({shares})"
    return f"those of the manifests; a missing one was drawn from the training part {by} ({shares})"


def scenario_words(study: StudyFolder) -> dict[str, str]:
    """Return what each scenario of the study means."""
    words = {
        IN: "learnt and tested on the same data set",
        OUT: "learnt in distribution, tested on the other site’s test part without any label of it",
        ADAPTED: "learnt on a share of the other site’s labels, tested on its test part",
    }
    return {name: words[name] for name in words if name in study.job["scenarios"]}


def _shares(study: StudyFolder) -> str:
    job = study.job
    shares = listed(share(each) for each in job["label_fractions"])
    target = listed(share(each) for each in job["target_fractions"])
    adapted = f" ({target} when adapted)" if target != shares and ADAPTED in job["scenarios"] else ""
    drawn = ""
    if min(job["label_fractions"]) < 1:
        drawn = (
            f" Each share below 100% was drawn {counted_times(job['draws'])} by {study.unit}, nested (a smaller share "
            f"lies within a larger one of the same draw) and stratified by class, with at least one {study.unit} of "
            "each class, the same for every encoder and method."
        )
    return (
        f"Models learnt from {shares} of the training part’s {study.unit}s{adapted}.{drawn} Labels of the validation "
        "part, which chose settings, are not counted among the shares."
    )


def counted_times(count: int) -> str:
    """Return `once` or `3 times`."""
    return "once" if count == 1 else f"{count:,} times"


def _probe(study: StudyFolder, names: Names) -> str:
    count, low, high = STRENGTHS
    return (
        f"Probe: logistic regression on {_embeddings(study, names)}, standardised by mean and standard deviation "
        "of the whole training part, labelled or not, with an L2 penalty whose C was chosen from "
        f"{count} values between 10^{low} and 10^{high} by the log loss on the validation part, from the strongest "
        "penalty on until the loss had risen."
    )


def _embeddings(study: StudyFolder, names: Names) -> str:
    """Return what a probe learns from: images that an encoder saw, or vectors that others made."""
    size = study.job.get("image_size")
    external = [names.encoder(each) for each in study.external]
    if len(external) == len(study.job["encoders"]):
        return "embeddings (float32) from files made elsewhere"
    own = f"frozen embeddings (float32){f' of {size} × {size} px images' if size else ''}"
    return f"{own} (for {listed(external)} embeddings from files made elsewhere)" if external else own


def _tuning(study: StudyFolder, names: Names) -> str:
    networks = [names.encoder(each) for each in study.job["encoders"] if each not in study.external]
    alone = listed(networks) if study.external else ""
    return study_tuning.sentences(study.job["finetuning"], alone)


def _figures(study: StudyFolder) -> str:
    words = (
        f"Intervals are 95% percentile intervals of {study.job['bootstrap']:,} bootstrap draws that resample "
        f"{_whole(study)} and, at each share, the draws of the labels, the same for all encoders."
    )
    if all(row["encoder"] == study.baseline for row in study.tables["matches"]):
        return words
    return (
        f"{words} The share that reaches the baseline was read, linearly in its logarithm, off the isotonic regression "
        "of the mean AUROC, and again in every bootstrap draw."
    )


def _whole(study: StudyFolder) -> str:
    return "images" if study.unit == "image" else "whole patients"


def _tests(study: StudyFolder, names: Names) -> str:
    if not study.tables["differences"]:
        return ""
    return (
        f"Differences from {names.baseline} are paired. With all labels they were tested by permutation of "
        f"{_whole(study)}’ scores ({study.job['bootstrap']:,} rounds), with p adjusted by Holm over encoders and "
        f"labels of a scenario, tested data set and method. Non-inferior means a lower limit above −{MARGIN:g}."
    )
