"""Options of `remedis models list`, `show`, `download` and `add`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class _HomeOptions:
    """Where weights are kept."""

    home: Path | None = field(default=None, metadata={"rare": True})
    """Folder that weights are kept in; $REMEDIS_HOME, else ~/.cache/remedis without it."""


@dataclass(frozen=True, kw_only=True)
class ModelsList(_HomeOptions):
    """List the published models and your own, and whether they are here.

    example: remedis models list
    """


@dataclass(frozen=True, kw_only=True)
class ModelsShow(_HomeOptions):
    """Show what is known of a model: what it has seen, what it takes, licence, citation, hashes.

    example: remedis models show cxr-50x1-remedis-m
    """

    name: str = field(metadata={"positional": True})
    """Model's name, see remedis models list."""


@dataclass(frozen=True, kw_only=True)
class ModelsDownload(_HomeOptions):
    """Get a published model: fetch it, hold it against the published hashes, convert it and prove the result.

    Stopped at any instant, the same command goes on where it was. User and password come from a prompt, from
    PHYSIONET_USERNAME and PHYSIONET_PASSWORD, or from ~/.netrc; the password goes to that one site and is never kept.

    example: remedis models download cxr-50x1-remedis-m --user NAME
    """

    name: str = field(metadata={"positional": True})
    """Model's name, see remedis models list; or OWNER/NAME on the Hugging Face Hub."""

    user: str | None = None
    """Your user name at PhysioNet."""

    accept_licence: bool = False
    """Accept the model's licence, which is shown; asked for in a terminal, and remembered."""

    from_: Path | None = None
    """Folder of files fetched by other means, such as the tree that wget leaves; nothing is fetched."""

    base_url: str | None = None
    """Address of a mirror, that holds SHA256SUMS.txt and the models' folders."""


@dataclass(frozen=True, kw_only=True)
class ModelsAdd(_HomeOptions):
    """Keep a checkpoint of your own under a name, so that --encoder NAME finds it.

    example: remedis models add enc --name our-encoder
    """

    checkpoint: Path = field(metadata={"positional": True})
    """Checkpoint's folder."""

    name: str
    """Name to keep it under."""

    link: bool = False
    """Link to the folder in place of copying it."""
