"""Checkpoints on the Hugging Face Hub. Only known files travel, never pickles."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from remedis.data.files import is_full_disk
from remedis.errors import CheckpointError, DownloadError, UsageError
from remedis.models.checkpoint import CARD, CONFIG, load_checkpoint, new_folder
from remedis.models.encoder import Encoder
from remedis.models.reach import HTTP_ERROR
from remedis.models.weights import WEIGHTS

FILES = (CONFIG, WEIGHTS, CARD, "proof.json", "proof.safetensors")
CLOSED_LICENCES = {
    "physionet": "the PhysioNet Credentialed Health Data License lets nobody pass the files on; whoever needs them "
    "signs it at physionet.org",
}


def push(folder: Path, repo: str, *, private: bool = True, api: HfApi | None = None) -> str:
    """Put a checkpoint on the Hub and return the address of what was written.

    Args:
        folder: A checkpoint; it is opened and checked before anything leaves the machine.
        repo: OWNER/NAME on the Hub; made where it is missing.
        private: Whether a repository that is made now is seen by its owner only.
        api: The Hub's client; the default one takes its token from `hf auth login` or HF_TOKEN.

    Raises:
        CheckpointError: The folder is none, or its licence forbids it.
        DownloadError: The Hub cannot be reached or refuses.
    """
    encoder = load_checkpoint(folder)
    refuse_closed(encoder, folder)
    client = api or HfApi()
    with _one_line(repo):
        client.create_repo(repo, private=private, exist_ok=True)
        commit = client.upload_folder(
            repo_id=repo,
            folder_path=folder,
            allow_patterns=list(FILES),
            commit_message=f"{encoder.name}, weights {encoder.hash[:12]}",
        )
    return str(commit.commit_url)


def refuse_closed(encoder: Encoder, folder: Path) -> None:
    """Raise if the licence of the weights forbids to pass them on.

    Raises:
        CheckpointError: Says which licence and why.
    """
    licence = (encoder.facts.licence or "").lower()
    for word, reason in CLOSED_LICENCES.items():
        if word in licence:
            raise CheckpointError(f"the licence is {encoder.facts.licence!r}: {reason}", where=folder)


def pull(
    repo: str, folder: Path, *, revision: str | None = None, fetch: Callable[..., str] = snapshot_download
) -> Encoder:
    """Get a checkpoint from the Hub into `folder` and return its encoder, checked.

    Args:
        repo: OWNER/NAME on the Hub.
        folder: Must be new or empty.
        revision: Branch, tag or commit; the main branch without it.
        fetch: What gets the files; the Hub's own client.

    Raises:
        FolderError: The folder is not empty.
        DownloadError: The Hub cannot be reached or has no such repository.
        CheckpointError: What came is no checkpoint, or damaged.
    """
    with new_folder(folder) as scratch:
        with _one_line(repo):
            fetch(repo, revision=revision, allow_patterns=list(FILES), local_dir=scratch)
        shutil.rmtree(scratch / ".cache", ignore_errors=True)
        _refuse_empty(repo, scratch)
        try:
            load_checkpoint(scratch)
        except CheckpointError as error:
            raise CheckpointError(str(error).replace(str(scratch), repo)) from error
    return load_checkpoint(folder)


def _refuse_empty(repo: str, folder: Path) -> None:
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).exists()]
    if missing:
        raise CheckpointError(f"has no {' and no '.join(missing)}; a checkpoint was expected", where=repo)


@contextmanager
def _one_line(repo: str) -> Iterator[None]:
    """Turn the client's errors into one line that says what to do."""
    try:
        yield
    except HFValidationError as error:
        raise UsageError(f"is no repository's name, OWNER/NAME was expected ({error})", where=repo) from error
    except (HTTP_ERROR, OSError) as error:
        if isinstance(error, OSError) and is_full_disk(error):
            raise
        raise DownloadError(_reason(error), where=repo) from error


def _reason(error: Exception) -> str:
    wrapped = error.__cause__  # the client looks into its cache after a failure, and complains of that
    if isinstance(wrapped, HTTP_ERROR) and not isinstance(error, HfHubHTTPError):
        error = wrapped
    if not isinstance(error, HfHubHTTPError):
        return f"the Hub cannot be reached ({error}); see the connection and try again"
    status = error.response.status_code
    reasons = {
        401: "you or the repository are not known there; hf auth login or set HF_TOKEN, see the name",
        403: "your token may not do this; see its rights on huggingface.co/settings/tokens",
        404: "there is no such repository or revision; see the name, hf auth login where it is private",
    }
    return f"HTTP status {status}: {reasons.get(status, 'the Hub refuses; try again later')}"
