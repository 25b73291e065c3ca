"""`remedis doctor`: what this installation has, what it lacks, and the line that installs it."""

from __future__ import annotations

from typing import Any

from remedis.commands import doctor_facts as facts
from remedis.console import QUIET, Console, Result
from remedis.options.export import Doctor

TORCH_PAGE = "https://pytorch.org/get-started/locally"
WHAT_FOR = {
    "tf": "SavedModels: export, and TensorFlow as a witness of a conversion",
    "onnx": "export to ONNX",
    "openvino": "export to OpenVINO (needs onnx too)",
    "timm": "encoders timm:NAME, export to timm",
    "hdf5": "images in HDF5 files, weights in .h5 files",
    "dicom-gpl": "DICOM files with JPEG of 12 bits (GPL)",
}


def run(options: Doctor, console: Console = QUIET) -> Result:
    """Look at everything; status 1 only where something is missing that remedis cannot do without."""
    packages = facts.packages()
    required = packages.pop("")
    torch = facts.torch_facts()
    data: dict[str, Any] = {
        **facts.system_facts(),
        "torch": torch,
        "dicom": facts.dicom_facts(),
        "pictures": facts.picture_facts(),
        "extras": {extra: [package.to_json() for package in listed] for extra, listed in packages.items()},
        "tensorflow": facts.tensorflow_facts(),
        "weights": facts.weights_facts(options.home),
        "broken": facts.broken(required, torch),
    }
    data["missing"] = _missing(data)
    return Result(text="\n".join(_lines(data)), data=data, exit_status=1 if data["broken"] else 0)


def _missing(data: dict[str, Any]) -> list[dict[str, str]]:
    """Return what is not here, what it is for, and the line that installs it."""
    found = []
    for extra, listed in data["extras"].items():
        served = all(package["serves"] for package in listed)
        if not (served or (extra == "tf" and data["tensorflow"]["version"])):
            what = WHAT_FOR.get(extra, ", ".join(package["name"] for package in listed))
            found.append({"name": extra, "for": what, "install": f"pip install 'remedis[{extra}]'"})
    torch = data["torch"]
    if not torch.get("gpus") and torch.get("gpu_driver"):
        built = "is built for processors only" if torch["cuda"] is None else f"is built for CUDA {torch['cuda']}"
        what = f"the GPU of this machine: torch {built} and does not use it"
        found.append({"name": "gpu", "for": what, "install": f"choose the build that fits at {TORCH_PAGE}"})
    if data["broken"]:
        found.append({"name": "remedis", "for": "; ".join(data["broken"]), "install": "pip install --upgrade remedis"})
    return found


def _lines(data: dict[str, Any]) -> list[str]:
    rows = [
        ("remedis", f"{data['remedis']} · Python {data['python']} · {data['platform']}"),
        ("torch", _torch(data["torch"])),
        ("DICOM", _which(data["dicom"])),
        ("pictures", _which(data["pictures"])),
        ("extras", _which({extra: all(p["serves"] for p in listed) for extra, listed in data["extras"].items()})),
        ("TensorFlow", _tensorflow(data["tensorflow"])),
        ("weights", _weights(data["weights"])),
    ]
    lines = [f"{name:<12}{text}" for name, text in rows]
    if data["missing"]:
        lines.append("not here:")
    for one in data["missing"]:
        lines.append(f"  {one['name']:<10}{one['for']}: {one['install']}")
    ready = "this installation is not whole, see above" if data["broken"] else "remedis demo"
    return [*lines, f"next: {ready}"]


def _which(known: dict[str, bool]) -> str:
    """Return what is there, then what is not."""
    there = ", ".join(name for name, is_there in known.items() if is_there)
    lacking = ", ".join(name for name, is_there in known.items() if not is_there)
    return (there or "none") + (f" · not: {lacking}" if lacking else "")


def _torch(torch: dict[str, Any]) -> str:
    if "error" in torch:
        return f"cannot be imported ({torch['error']})"
    device = ", ".join(torch["gpus"]) or "no GPU in use"
    bfloat16 = "with" if torch["bfloat16"] else "without"
    instructions = f"{torch['instructions']}, {bfloat16} bfloat16 instructions"
    line = f"{torch['version']} · {device} · {torch['threads']} threads · {instructions}"
    if torch["cuda"] is None and not torch["gpus"]:
        line += f" · built for processors; builds for GPUs: {TORCH_PAGE}"
    return line


def _tensorflow(found: dict[str, Any]) -> str:
    if found["python"] is None:
        return "none (only export to SavedModel and --witness tensorflow need it)"
    place = f" by {found['named_by']}, {found['python']}" if found["named_by"] else " in this Python"
    return f"{found['version']}{place}" if found["version"] else f"none{place}; a Python that has it was expected there"


def _weights(found: dict[str, Any]) -> str:
    count = len(found["models"])
    here = f"{count} model{'s' if count != 1 else ''}, {_size(found['bytes'])}" if found["exists"] else "nothing yet"
    unfinished = f" · unfinished: {', '.join(found['unfinished'])}" if found["unfinished"] else ""
    closed = "" if found["writable"] else " · cannot be written; choose another with REMEDIS_HOME"
    return f"{found['home']} (REMEDIS_HOME): {here} · {_size(found['free_bytes'])} free{unfinished}{closed}"


def _size(number: float) -> str:
    """Return bytes in binary units."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:,.1f} GiB"
