"""What is known of the published models: who made them, from what, what they have seen, and the hash of every file.

Sources, by their letter in the texts below:

    page    PhysioNet, Medical AI Research Foundations 1.0.0 (the project's page and its SHA256SUMS.txt)
    readme  google-research/medical-ai-research-foundations, README.md
    bit     google-research/big_transfer, README.md, and arXiv:1912.11370

Nothing here is taken from the files themselves; what only they can tell is found at the conversion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

GIB = 1 << 30

PHYSIONET = "https://physionet.org/files/medical-ai-research-foundation/1.0.0/"
PAGE = "https://physionet.org/content/medical-ai-research-foundation/1.0.0/"
README = "https://github.com/google-research/medical-ai-research-foundations"
BIT_FILES = "https://storage.googleapis.com/bit_models/"
BIT_PAGE = "https://github.com/google-research/big_transfer"


@dataclass(frozen=True)
class Licence:
    """Terms that weights are given under.

    Attributes:
        name: The licence's own name.
        address: Where its text stands.
        terms: What it asks for, in our words; the text holds.
        must_accept: Whether it is shown and accepted before anything is fetched.
    """

    name: str
    address: str
    terms: tuple[str, ...]
    must_accept: bool


@dataclass(frozen=True)
class DataSet:
    """Images that weights have learnt from.

    Attributes:
        name: The field's name of it, as `zoo.contaminated` compares it.
        how: How much of it, and with or without labels.
        source: Where that is said.
    """

    name: str
    how: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A published model.

    Attributes:
        name: What people call it.
        modality: What its images show.
        network: The network's name in remedis (`bit-r50x1`).
        start: The weights that its training began with.
        seen: Data sets that it has learnt from, the start's included.
        size: Side in pixels of the square that is fed to it.
        sizes: What is said about sizes, where more than one is.
        range: Smallest and largest value of its input.
        range_source: Where the range is known from.
        declared_range: Range to hand to the conversion, where the files cannot tell; None leaves it to the format.
        licence: Terms.
        citation: Works to cite.
        page: Page for people.
        base: Address that `files` are relative to, with a slash at its end.
        folder: Folder below `base` that the files lie in; empty for a single file.
        files: Path below the folder to SHA-256; None where no hash was ever published.
        largest: Bytes that a file can have at most; more is refused before it is fetched.
        checked: What is checked when it is fetched.
        unknown: What no public source says.
    """

    name: str
    modality: str
    network: str
    start: str
    seen: tuple[DataSet, ...]
    size: int
    sizes: str
    range: tuple[float, float]
    range_source: str
    declared_range: tuple[float, float] | None
    licence: Licence
    citation: tuple[str, ...]
    page: str
    base: str
    folder: str
    files: Mapping[str, str | None]
    largest: int = 4 * GIB
    checked: tuple[str, ...]
    unknown: tuple[str, ...]


CREDENTIALED = Licence(
    name="PhysioNet Credentialed Health Data License 1.5.0",
    address="https://physionet.org/content/medical-ai-research-foundation/view-license/1.0.0/",
    terms=(
        "use the files for lawful scientific research and for nothing else",
        "share access with nobody and pass the files on to nobody; remedis takes converted weights to be bound alike",
        "keep them safe, on disk and on the way",
        "do not try to find out which person or institution is behind the data, and report what would allow it",
        "keep your training in research with human subjects up to date",
        "where you publish results openly, publish the code too",
        "these duties go on when the agreement ends; the files come without any warranty",
    ),
    must_accept=True,
)
APACHE = Licence(
    name="Apache-2.0",
    address="https://www.apache.org/licenses/LICENSE-2.0",
    terms=("use, change and pass on, with the licence's text and notices; without any warranty",),
    must_accept=False,
)

IMAGENET_1K = DataSet("ImageNet-1k", "ILSVRC-2012, with its 1,000 labels (BiT-S)", BIT_PAGE)
IMAGENET_21K = DataSet("ImageNet-21k", "with its labels (BiT-M)", BIT_PAGE)
MIMIC_CXR = DataSet(
    "MIMIC-CXR", "radiographs as JPEG (MIMIC-CXR-JPG 2.0.0), labels not used; which part of them is not said", README
)
CHEXPERT = DataSet(
    "CheXpert", "224,316 radiographs of 65,240 patients are named, labels not used; which part is not said", README
)
TCGA = DataSet(
    "TCGA", "50 million patches drawn from 10,705 cases (29,018 slides) of 32 studies, labels not used", README
)

_ARTICLE = (
    "Azizi, S., Culp, L., Freyberg, J., et al.: Robust and efficient medical imaging with self-supervision. "
    "arXiv:2205.09723 (2022)"
)
_REPOSITORY = (
    "Azizi, S., Freyberg, J., Culp, L., MacWilliams, P., Mahdavi, S., Natarajan, V., Karthikesalingam, A.: Medical AI "
    "Research Foundations: A repository of medical foundation models (version 1.0.0). PhysioNet (2023). "
    "https://doi.org/10.13026/grp0-z205"
)
_BIT_ARTICLE = (
    "Kolesnikov, A., Beyer, L., Zhai, X., et al.: Big Transfer (BiT): General Visual Representation Learning. "
    "arXiv:1912.11370 (ECCV 2020)"
)

SAVED_MODEL = (
    "fingerprint.pb",
    "saved_model.pb",
    "variables/variables.data-00000-of-00001",
    "variables/variables.index",
)
"""Files of each published folder; the hashes below stand in this order (SHA256SUMS.txt of version 1.0.0)."""

_TWINS = (
    "be9eb664d38a1635ce5668a9226aeab741dca86c0cc24e387396a6c7e365c9d0",
    "2bb98f5aa5b86af03878cd28e0ad49b3ab25052f3eebb3ca309ab7eca24d8b84",
    "f1f82c15fed6b000523202d49724083adcb37fd32db929f4e33e23da0cd8f540",
    "14ebb082fe61c323f7bb289c068b1edf7db817fb6e5538430a5371c00d7cc791",
)
_HASHES = {
    "cxr-152x2-remedis-m": (
        "e48868c48b65fc59a8a7b04eac1f87b92289391361a7534f0beb73bdc723cf02",
        "8e18f18c14e693d3e1026cb7b62bccd2ef1461b5b7c19c74c17f4e11363a11af",
        "da9f5c621ae57655243d7e6c4c4b0fbef4e2e50d3126bd3f5cd4e68ac196a806",
        "559a50e959d6637f33f81ea3f8a1a4dbfb98344d0f22602daba98e86cb22e6c2",
    ),
    "cxr-152x2-remedis-s": (
        "8465811c13b1388bc90270f3d399ef9504c3649348413ee27373c2179c4ca6b2",
        "8e18f18c14e693d3e1026cb7b62bccd2ef1461b5b7c19c74c17f4e11363a11af",
        "4e2ca97f500b83841d289aa5943d9729d06952c383fbbae0306d036d3996bef8",
        "c612870a01f39086636da1eef1106a000611033fc32875bd19e6159ffcedf51a",
    ),
    "cxr-50x1-remedis-m": (
        "0c0df97ea89cb8421afbd837e4621925dbacdf102e82b0f210cc0b76ceb02afa",
        "09a38301130e6edc56a47ce6c4031b7bfea53db0ce04ab3806e8132f5ffec650",
        "bffc7d7efee956daaf1d8e6d3f9696b26e19b3e6ab6c7d44e09eb395482dbb64",
        "fcfa0bd668c6535559c20c40373be4bc32ca22a6b6d348af8c4f4209930136f2",
    ),
    "cxr-50x1-remedis-s": _TWINS,
    "path-152x2-remedis-m": (
        "8a33d650eb0b3e185b67942c86512c869a08593f98c4a14ca5d4b7823d7b475b",
        "b4a64496f76209690bb3e0844e4557c68dcf12eec4880d3a0fd0a19ec03436c4",
        "65cbd26c62441a3c21865d1ecbf54f6f81709afa630a9ada4121786ee21608d8",
        "c0c3a3eed4e63e0c080c792472ee0ca945b5b5507a1f42566418eb7512e13d14",
    ),
    "path-152x2-remedis-s": (
        "185e8211822844ace5279e13200414f97d9e932710442919cc00ad08453a2f98",
        "39a530ac6083746961134f011ecc5884c88abd511e7996f1b040af1f4868f78c",
        "59f5c416e72840b8de520986ff547111e079d743f8adf9d8727df1b0755e1be0",
        "fc4f33296ea92530414496d3315009acf4ecd819afaae519dd8a9d0313f6045b",
    ),
    "path-50x1-remedis-m": (
        "4d76ed3a2656113a0f82ca1c81a2d6f8857983b7e11d6cf94405f168c742bdcc",
        "f86bca4dd7f8757ec7b45776dab00bdbea4ab7a2d3c1e2a95dee3d5cb27a43b3",
        "342b048ed85aa514a153a7892c5c3a239d84224a27f42e77b2b97132dafb7e93",
        "6c758b8246db47479fea572be862c4500ebeffe9b456dbd9165c58b53ce35283",
    ),
    "path-50x1-remedis-s": _TWINS,
}
TWINS = ("cxr-50x1-remedis-s", "path-50x1-remedis-s")
BIT_NETWORKS = ("r50x1", "r50x3", "r101x1", "r101x3", "r152x2", "r152x4")


def remedis_entry(name: str, hashes: tuple[str, ...]) -> Entry:
    """Return one of the eight published checkpoints by its name, {cxr|path}-{50x1|152x2}-remedis-{m|s}."""
    kind, size, _, start = name.split("-")
    domain: tuple[DataSet, ...] = (MIMIC_CXR, CHEXPERT) if kind == "cxr" else (TCGA,)
    if name in TWINS:  # one of the two is mislabelled, so either list may be the true one
        domain = (MIMIC_CXR, CHEXPERT, TCGA)
    return Entry(
        name=name,
        modality="chest X-ray" if kind == "cxr" else "pathology",
        network=f"bit-r{size}",
        start="BiT-M (ImageNet-21k)" if start == "m" else "BiT-S (ImageNet-1k)",
        seen=(IMAGENET_21K if start == "m" else IMAGENET_1K, *domain),
        size=448 if kind == "cxr" else 224,
        sizes="trained at 224 px; the official example feeds " + ("448 px" if kind == "cxr" else "224 px"),
        range=(0.0, 1.0),
        range_source="the official notebook; no source says whether 2x - 1 is inside, the conversion finds out",
        declared_range=(0.0, 1.0),
        licence=CREDENTIALED,
        citation=(_ARTICLE, _REPOSITORY),
        page=PAGE,
        base=PHYSIONET,
        folder=name,
        files=dict(zip(SAVED_MODEL, hashes, strict=True)),
        checked=(
            "the SHA-256 of each file, against the published list, which is held against the one kept here",
            "our network against the original's own graph, see proof.json in the checkpoint",
        ),
        unknown=(
            "which version of the licence the page names: read it there (its LICENSE.txt is an empty file)",
            "which images of the named data sets were used, test parts perhaps included",
            "hyper-parameters, and rotation, elastic deformation and equalisation of the training",
            "the page says that only models based on BiT-M are open, and lists four of BiT-S",
        ),
    )


def bit_entry(network: str, start: Literal["s", "m"]) -> Entry:
    """Return one of BiT's starting points; `network` is one of BIT_NETWORKS."""
    file = f"BiT-{start.upper()}-{network.upper().replace('X', 'x')}.npz"
    return Entry(
        name=f"bit-{start}-{network}",
        modality="natural images",
        network=f"bit-{network}",
        start="random weights",
        seen=(IMAGENET_21K if start == "m" else IMAGENET_1K,),
        size=224,
        sizes="trained at 224 px; the official fine-tuning feeds 128 or 480 px",
        range=(0.0, 1.0),
        range_source="BiT takes [-1, 1]; 2x - 1 is done inside, as in its TF-Hub modules",
        declared_range=None,
        licence=APACHE,
        citation=(_BIT_ARTICLE,),
        page=BIT_PAGE,
        base=BIT_FILES,
        folder="",
        files={file: None},
        largest=8 * GIB if network == "r152x4" else 4 * GIB,  # BiT-M-R152x4 with its head: 4.1 GiB
        checked=(
            "the SHA-256 of the file against that of the first download on this machine: no hash was published",
            "our network against the published arithmetic, see proof.json in the checkpoint",
        ),
        unknown=("the hash that the file ought to have",),
    )


ALL: tuple[Entry, ...] = (
    *(remedis_entry(name, hashes) for name, hashes in _HASHES.items()),
    *(bit_entry(network, start) for start in ("s", "m") for network in BIT_NETWORKS),
)
