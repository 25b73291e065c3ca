"""Run a SavedModel in TensorFlow: a program for a Python that has TensorFlow and needs nothing of remedis.

    python witness_program.py FOLDER JOB.json INPUTS.npz OUTPUTS.npz

The job says how the SavedModel is called (`called`, `tags`) and which output is wanted (`output`). The inputs are
float32 arrays as the original takes them; each gives an array of the same name.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def caller(folder: str, called: str, tags: list[str]) -> Callable[[Any], Any]:
    """Return a function from images to whatever the SavedModel gives."""
    loaded = tf.saved_model.load(folder, tags=tags)
    if called.startswith("signature "):
        signature = loaded.signatures[called.removeprefix("signature ")]
        (name,) = signature.structured_input_signature[1]
        return lambda x: signature(**{name: x})
    function = loaded if called == "__call__" else getattr(loaded, called)

    def call(x: Any) -> Any:
        try:
            return function(x)
        except (TypeError, ValueError):  # it also wants to be told whether to train
            return function(x, False)

    return call


def chosen(value: Any, key: str) -> Any:
    """Return one output by the path of keys and numbers to it."""
    if key == "output" and not isinstance(value, dict | list | tuple):
        return value
    for step in key.split("/"):
        value = value[int(step)] if isinstance(value, list | tuple) else value[step]
    return value


def main() -> None:
    """Write the outputs, and TensorFlow's version as the array `version`."""
    folder, job_path, inputs_path, outputs_path = sys.argv[1:]
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    call = caller(folder, job["called"], job["tags"])
    outputs = {"version": np.array(tf.__version__)}
    with np.load(inputs_path, allow_pickle=False) as inputs:
        for name in inputs.files:
            rows = [chosen(call(tf.constant(one[None])), job["output"]).numpy() for one in inputs[name]]
            outputs[name] = np.concatenate(rows)
    np.savez(outputs_path, allow_pickle=False, **outputs)


if __name__ == "__main__":
    main()
