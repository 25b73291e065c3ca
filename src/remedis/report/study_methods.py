"""A study's methods paragraph with its numbers, what the REMEDIS article reported, and the works to cite."""

from __future__ import annotations

from typing import Any

from remedis import __version__
from remedis.evaluate.efficiency import MARGIN
from remedis.evaluate.fixed_parts import SHARES
from remedis.report import methods
from remedis.report.numbers import counted
from remedis.report.study_answer import share
from remedis.report.study_folder import ADAPTED, IN, OUT, StudyFolder
from remedis.report.study_names import Names, listed

Plain = dict[str, Any]
STRENGTHS = (45, -6, 5)
"""How many values of C the probe chooses from, and the powers of ten that they lie between."""

REPORTED = (
    "The REMEDIS article reported, for its own encoders and images, an improvement in diagnostic accuracy of up to "
    "11.5% relative to a strong supervised baseline in distribution, and out of distribution that 1% to 33% of the "
    "data for retraining matched the supervised model retrained on all of them. These are reported figures; nothing "
    "on this page repeats them."
)
_OPTIMIZERS = {"lars": "LARS", "momentum": "SGD with Nesterov momentum", "adam": "Adam", "adamw": "AdamW"}
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
    sentences += [_probe(study)] * ("probe" in job["methods"])
    sentences += [_tuning(job["finetuning"])] * ("finetune" in job["methods"])
    sentences += [_figures(study), _tests(study, names)]
    sentences.append(f"Analyses were done with remedis {version}, seed {job['seed']}.")
    return " ".join(sentence for sentence in sentences if sentence)


def _compared(study: StudyFolder, names: Names) -> str:
    encoders = [names.encoder(each) for each in study.job["encoders"]]
    labels = listed(f"{label} ({counted(len(classes), 'classes')})" for label, classes in study.job["labels"].items())
    if not study.others:
        return f"The encoder {encoders[0]} was studied on {labels}."
    return f"The encoders {listed(encoders)} were compared on {labels}; {names.baseline} was the baseline."


def sizes(study: StudyFolder, data_set: str) -> dict[str, tuple[int, int]]:
    """Return images and patients of a data set's parts, as far as its tables tell.

    `train`: with all labels; `test`. Of a repeated study those of the first repetition.
    """
    found: dict[str, tuple[int, int]] = {}
    for row in study.tables["curves"]:
        if row["dataset"] == data_set:
            found.setdefault("test", (row["n"], row["n_patients"]))
        if row["train_dataset"] == data_set and row["fraction"] == 1:
            found.setdefault("train", (round(row["labelled_images"]), round(row["labelled_patients"])))
    for part, said in study.flow.get(data_set, {}).get("parts", {}).items():
        found.setdefault(part, (said["images"], said["patients"]))
    return {part: found[part] for part in ("train", "validation", "test") if part in found}


def _data(study: StudyFolder, names: Names) -> list[str]:
    found = []
    for data_set in study.job["data_sets"]:
        words = [
            f"{name} {counted(images, 'images')} of {counted(patients, 'patients')}"
            for name, (images, patients) in sizes(study, data_set).items()
        ]
        where = "another site" if data_set in study.job["other_sites"] else "in distribution"
        found.append(f"{names.data_set(data_set)} ({where}): {', '.join(words)}.")
    drawn = [f"{share(SHARES[part])} for {part}" for part in ("validation", "test")]
    if study.repeats > 1:
        found.append(f"The whole was done {study.repeats} times, each time with parts drawn anew from all rows by "
                     f"patient and stratified by label ({listed(drawn)} of what was left to learn from).")  # fmt: skip
    else:
        found.append(f"Parts were those of the manifests; a missing one was drawn by patient and stratified by label "
                     f"({listed(drawn)} of the training part’s patients).")  # fmt: skip
    return found


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
            f" Each share below 100% was drawn {counted_times(job['draws'])} by patient, nested (a smaller share lies "
            "within a larger one of the same draw) and stratified by class, with at least one patient of each class, "
            "the same for every encoder and method."
        )
    return (
        f"Models learnt from {shares} of the training part’s patients{adapted}.{drawn} Labels of the validation part, "
        "which chose settings, are not counted among the shares."
    )


def counted_times(count: int) -> str:
    """Return `once` or `3 times`."""
    return "once" if count == 1 else f"{count:,} times"


def _probe(study: StudyFolder) -> str:
    count, low, high = STRENGTHS
    size = study.job.get("image_size")
    at = f" of {size} × {size} px images" if size else ""
    return (
        f"Probe: logistic regression on frozen embeddings (float32){at}, standardised by mean and standard deviation "
        "of the whole training part, labelled or not, with an L2 penalty whose C was chosen from "
        f"{count} values between 10^{low} and 10^{high} by the log loss on the validation part, from the strongest "
        "penalty on until the loss had risen."
    )


def _tuning(settings: Plain) -> str:
    long = f"{settings['train_steps']:,} steps" if settings["train_steps"] else f"{settings['train_epochs']:,} epochs"
    scaling = {"linear": " × batch / 256", "sqrt": " × √batch"}.get(str(settings["learning_rate_scaling"]), "")
    frozen = int(settings["fine_tune_after_block"])
    layers = "all layers" if frozen < 0 else "the head alone" if frozen >= 4 else f"what follows block {frozen}"
    return (
        f"Fine-tuning: {layers}, {_OPTIMIZERS.get(settings['optimizer'], settings['optimizer'])}, learning rate "
        f"{settings['learning_rate']:g}{scaling}, weight decay {settings['weight_decay']:g}, {long} of "
        f"{settings['train_batch_size']:,} images; the step with the best AUROC on the validation part was kept."
    )


def _figures(study: StudyFolder) -> str:
    return (
        f"Intervals are 95% percentile intervals of {study.job['bootstrap']:,} bootstrap draws that resample whole "
        "patients and, at each share, the draws of the labels, the same for all encoders. The share that reaches the "
        "baseline was read, linearly in its logarithm, off the isotonic regression of the mean AUROC, and again in "
        "every bootstrap draw."
    )


def _tests(study: StudyFolder, names: Names) -> str:
    if not study.others:
        return ""
    return (
        f"Differences from {names.baseline} are paired. With all labels they were tested by permutation of whole "
        f"patients’ scores ({study.job['bootstrap']:,} rounds), with p adjusted by Holm over encoders and labels of a "
        f"scenario, tested data set and method. Non-inferior means a lower limit above −{MARGIN:g}."
    )
