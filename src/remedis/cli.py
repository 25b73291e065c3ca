"""The command `remedis`: finds the verb, parses its options, runs it, and turns every error into one line.

The verbs are a table of strings, so that `remedis --help` imports none of them. Only this file and its two
neighbours (`arguments`, `terminal`) know of command lines and terminals.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any, NamedTuple, NoReturn

from remedis.console import Console, Result
from remedis.errors import RemedisError, StoppedError, UsageError, nearest

NOT_A_DEVICE = "Research software, not a diagnostic device."


class Verb(NamedTuple):
    """Where a verb's options and its work are found, and its line in the overview."""

    options: str
    run: str
    help: str


VERBS: dict[str, Verb] = {
    "index folder": Verb(
        "index:IndexFolder", "index_folder", "make a manifest of a folder of images and a table of labels"
    ),
    "index dicom": Verb("index:IndexDicom", "index_dicom", "make a manifest of a tree of DICOM studies, without names"),
    "index tfds": Verb("index:IndexTfds", "index_tfds", "make a manifest of a data set of TensorFlow Datasets"),
    "index cifar10": Verb("index:IndexCifar10", "index_cifar10", "make a manifest of CIFAR-10's own files"),
    "index chexpert": Verb("index_chest:IndexChexpert", "index_chexpert", "make a manifest of CheXpert"),
    "index mimic-cxr-jpg": Verb(
        "index_chest:IndexMimicCxrJpg", "index_mimic_cxr_jpg", "make a manifest of MIMIC-CXR-JPG"
    ),
    "index nih-cxr14": Verb("index_chest:IndexNihCxr14", "index_nih_cxr14", "make a manifest of NIH ChestX-ray14"),
    "index vindr-cxr": Verb("index_chest:IndexVindrCxr", "index_vindr_cxr", "make a manifest of VinDr-CXR"),
    "index rsna-pneumonia": Verb(
        "index_chest:IndexRsnaPneumonia", "index_rsna_pneumonia", "make a manifest of the RSNA challenge's radiographs"
    ),
    "index padchest": Verb("index_chest:IndexPadchest", "index_padchest", "make a manifest of PadChest"),
    "index patch-camelyon": Verb(
        "index_pathology:IndexPatchCamelyon", "index_patch_camelyon", "make a manifest of PatchCamelyon"
    ),
    "index camelyon16": Verb(
        "index_pathology:IndexCamelyon16", "index_camelyon16", "make a manifest of tiles of CAMELYON16"
    ),
    "index camelyon17": Verb(
        "index_pathology:IndexCamelyon17", "index_camelyon17", "make a manifest of tiles of CAMELYON17, with hospitals"
    ),
    "index wilds-camelyon17": Verb(
        "index_pathology:IndexWildsCamelyon17", "index_wilds_camelyon17", "make a manifest of CAMELYON17-WILDS"
    ),
    "index tfrecord": Verb(
        "index_records:IndexTfrecord", "index_tfrecord", "make a manifest of TFRecord files with features you name"
    ),
    "index medmnist": Verb("index_records:IndexMedmnist", "index_medmnist", "make a manifest of a set of MedMNIST"),
    "index check": Verb("index:IndexCheck", "index_check", "find missing files, leaking patients, bad labels"),
    "index pack": Verb("index:IndexPack", "index_pack", "put a manifest and its files into one file"),
    "inspect": Verb("inspect:Inspect", "inspect", "show what is in an image file and what a profile makes of it"),
    "pretrain": Verb("pretrain:Pretrain", "pretrain", "train an encoder on images without labels"),
    "run": Verb("run:OfficialRun", "run", "take the official program's command line as it stands"),
    "finetune": Verb("finetune:FineTune", "finetune", "teach an encoder labels, all of it or its last blocks"),
    "embed": Verb("embed:Embed", "embed", "turn images into embeddings"),
    "probe": Verb("probe:Probe", "probe", "learn a label from embeddings and report how well, with intervals"),
    "predict": Verb("probe:Predict", "predict", "score new images with a probe or a fine-tuned model"),
    "evaluate": Verb("evaluate:Evaluate", "evaluate", "say how good predictions are, by label, patient and subgroup"),
    "study": Verb("study:Study", "study", "how few labels are enough, here and at another site, on your own images"),
    "report": Verb("report:Report", "report", "make a page of it for colleagues"),
    "models list": Verb("zoo:ModelsList", "models_list", "list the published models and your own, here or not"),
    "models show": Verb("zoo:ModelsShow", "models_show", "show what is known of a model"),
    "models download": Verb("zoo:ModelsDownload", "models_download", "get a published model, converted and proven"),
    "models add": Verb("zoo:ModelsAdd", "models_add", "keep a checkpoint of your own under a name"),
    "models convert": Verb(
        "convert:ModelsConvert",
        "models_convert",
        "make a checkpoint of other weights, with a proof",
    ),
    "models verify": Verb("convert:ModelsVerify", "models_verify", "repeat a converted checkpoint's proof"),
    "models init": Verb("models:ModelsInit", "models_init", "write a checkpoint with random weights"),
    "models export": Verb(
        "export:ModelsExport", "models_export", "write a checkpoint for timm, ONNX, OpenVINO or TensorFlow"
    ),
    "models push": Verb("models:ModelsPush", "models_push", "put a checkpoint on the Hugging Face Hub"),
    "models pull": Verb("models:ModelsPull", "models_pull", "get a checkpoint from the Hugging Face Hub"),
    "phantoms": Verb("phantoms:Phantoms", "phantoms", "make simulated chest radiographs"),
    "demo": Verb("demo:Demo", "demo", "the whole line on simulated images, in a few minutes"),
    "doctor": Verb("export:Doctor", "doctor", "what this installation has and lacks, and the line that installs it"),
}

GLOBAL_FLAGS = {"--json": "print the result as JSON", "--quiet": "results only", "--debug": "show tracebacks"}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command line and end the process with its exit status."""
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(argv: list[str]) -> int:
    """Return the exit status of one command line: 0 done, 1 in part, 2 refused, 130 interrupted, 143 terminated."""
    flags = {flag for flag in GLOBAL_FLAGS if flag in argv}
    words = [word for word in argv if word not in GLOBAL_FLAGS]
    try:
        return _answer(words, flags)
    except RemedisError as error:
        return _fail(str(error), error.exit_status, debug="--debug" in flags)
    except KeyboardInterrupt:
        return _fail("interrupted; what was finished is kept, the same command goes on", 130)
    except _TerminatedError:
        return _fail("ended by SIGTERM; what was finished is kept, the same command goes on", 143)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail_of_system(error, debug="--debug" in flags)
    except Exception as error:
        message = f"{type(error).__name__}: {error}; this is a fault of remedis, --debug shows where"
        return _fail(message, 1, debug="--debug" in flags)


def _answer(words: list[str], flags: set[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        sys.stdout.write(overview())
        return 0
    if words[0] == "--version":
        from remedis import __version__

        sys.stdout.write(f"remedis {__version__}\n")
        return 0
    name, rest = split_verb(words)
    if name not in VERBS:  # a family, such as `remedis models --help`
        sys.stdout.write(overview(family=name))
        return 0 if rest else 2
    return _run_verb(name, rest, flags)


def split_verb(words: list[str]) -> tuple[str, list[str]]:
    """Return the verb (or its family, where help is asked of one) and the words after it.

    Raises:
        UsageError: There is no such verb; names the nearest.
    """
    for length in (2, 1):
        name = " ".join(words[:length])
        if len(words) >= length and name in VERBS:
            return name, words[length:]
    families = {verb.split()[0] for verb in VERBS if " " in verb}
    if words[0] in families and (len(words) == 1 or words[1] in ("--help", "-h")):
        return words[0], words[1:]
    if words[0] in families:
        known = [verb for verb in VERBS if verb.startswith(words[0] + " ")]
        wanted = " ".join(words[:2])
    else:
        known, wanted = [*VERBS, *families], words[0]
    raise UsageError(f"there is no verb {wanted!r}, {nearest(wanted, known)} See remedis --help")


def overview(family: str | None = None) -> str:
    """Return the list of verbs, of one family where it is named."""
    width = max(len(name) for name in (*VERBS, "--help, --help-all")) + 2
    chosen = {name: verb for name, verb in VERBS.items() if not family or name.split()[0] == family}
    lines = [f"  {name:<{width}}{verb.help}" for name, verb in chosen.items()]
    flags = [f"  {flag:<{width}}{text}" for flag, text in GLOBAL_FLAGS.items()]
    return "\n".join(
        [
            "usage: remedis VERB [OPTIONS]",
            "",
            f"From many medical images and few labels to honest answers. {NOT_A_DEVICE}",
            "",
            *lines,
            "",
            "with every verb:",
            f"  {'--help, --help-all':<{width}}its options; the rare ones too",
            *flags,
            "",
            "example: remedis demo",
            "",
        ]
    )


def _run_verb(name: str, rest: list[str], flags: set[str]) -> int:
    from remedis import arguments

    verb = VERBS[name]
    module, _, class_name = verb.options.partition(":")
    options_class = getattr(importlib.import_module(f"remedis.options.{module}"), class_name)
    if any(word in ("--help", "-h", "--help-all") for word in rest):
        sys.stdout.write(arguments.help_text(options_class, name, rare="--help-all" in rest))
        return 0
    options = arguments.parse(options_class, name, rest)
    signal.signal(signal.SIGTERM, _terminate)
    console = _console(flags)
    command = importlib.import_module(f"remedis.commands.{verb.run}")
    return _finish(command.run(options, console), flags)


def _console(flags: set[str]) -> Console:
    from remedis import console, terminal

    if "--quiet" in flags or os.environ.get("RANK", "0") != "0":
        return console.QUIET
    return terminal.Terminal()


def _finish(result: Result, flags: set[str]) -> int:
    if os.environ.get("RANK", "0") != "0":
        return result.exit_status
    if "--json" in flags:
        sys.stdout.write(json.dumps(result.data, indent=2, ensure_ascii=False, default=str) + "\n")
    elif result.text:
        sys.stdout.write(result.text.rstrip("\n") + "\n")
    sys.stdout.flush()
    return result.exit_status


def _fail(message: str, status: int, *, debug: bool = False) -> int:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"remedis: error: {' '.join(message.split())}\n")
    return status


def _fail_of_system(error: OSError, *, debug: bool) -> int:
    import errno

    where = error.filename or "the system"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = f"{where}: no space is left on the disk, what was finished is kept; free some space and start again"
        return _fail(message, StoppedError.exit_status, debug=debug)
    reason = error.strerror or str(error)
    return _fail(f"{where}: {reason}; see that the path is right and may be used", 2, debug=debug)


class _TerminatedError(BaseException):
    """SIGTERM arrived; passes through every `except Exception` on its way out."""


def _terminate(signum: int, frame: FrameType | None) -> Any:
    raise _TerminatedError


if __name__ == "__main__":
    main()
