"""`remedis models download`: a published model from where it lies to a proven checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path

from remedis.console import QUIET, Console, Result
from remedis.errors import UsageError
from remedis.models import zoo
from remedis.models.download import Source, base_of, download
from remedis.models.download.credentials import Credentials, Origin, find_credentials
from remedis.models.store import Store, home, size_of
from remedis.models.zoo.entries import Entry
from remedis.options.zoo import ModelsDownload

MIB = 1 << 20


def run(options: ModelsDownload, console: Console = QUIET) -> Result:
    """Fetch, convert and verify, or find that the model is here.

    Raises:
        RemedisError: The name, the licence, the password, the connection or the files; see `download`.
    """
    store = Store(home(options.home))
    if zoo.find(options.name) is None and "/" in options.name:
        return _from_hub(options, store)
    entry = zoo.entry(options.name)
    _refuse_both(options)
    warning = zoo.caution(entry.name)
    if warning:
        console.warn(warning)
    if store.has(entry.name):
        return _result(entry.name, store, options, f"{entry.name} is here already")
    _accept(entry, store, options, console)
    base = options.base_url
    credentials = None if options.from_ else _credentials(entry, base_of(entry, base), options.user)
    source = Source(base=base_of(entry, base) if base else None, folder=options.from_, credentials=credentials)
    folder = download(entry, store, source, console)
    original = store.original(entry.name)
    kept = f"\nthe published files are kept in {original}" if original.exists() else ""
    return _result(entry.name, store, options, f"wrote {folder}: verified, converted, proven{kept}")


def _refuse_both(options: ModelsDownload) -> None:
    if options.from_ is not None and (options.base_url or options.user):
        raise UsageError("--from fetches nothing, so --base-url and --user mean nothing beside it; leave one out")


def _credentials(entry: Entry, base: str, user: str | None) -> Credentials | None:
    """Return what is to be sent; only models under a licence need it, and only where they were published."""
    if not entry.licence.must_accept:
        if user is not None:
            raise UsageError(f"{entry.name} is given to everybody; leave --user out")
        return None
    needed = Origin.of(base) == Origin.of(entry.base)
    return find_credentials(Origin.of(base), user=user, needed=needed)


def _accept(entry: Entry, store: Store, options: ModelsDownload, console: Console) -> None:
    """Show the licence and have it accepted, once for all models under it.

    Raises:
        UsageError: It is not accepted.
    """
    licence = entry.licence
    if not licence.must_accept or store.accepted(licence) is not None:
        return
    shown = [
        f"{entry.name} is given under the {licence.name}. In our words (its text holds):",
        *(f"  - {term}" for term in licence.terms),
        f"text: {licence.address}",
        f"sign it, once, at {entry.page} (Files)",
    ]
    asks = not options.accept_licence and sys.stdin.isatty()
    for line in () if asks else shown:
        console.say(line)
    if not options.accept_licence and not (asks and _says_yes(shown)):
        raise UsageError(
            f"the {licence.name} is not accepted; read {licence.address} and add --accept-licence", where=entry.name
        )
    store.accept(licence)


def _says_yes(shown: list[str]) -> bool:
    """Return whether a person accepts what is shown, with --quiet too."""
    sys.stderr.write("\n".join([*shown, "type yes to accept it: "]))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"


def _from_hub(options: ModelsDownload, store: Store) -> Result:
    """Pull OWNER/NAME from the Hugging Face Hub into the store, under NAME."""
    from remedis.models.hub import pull

    if options.from_ or options.base_url or options.user:
        raise UsageError("--from, --base-url and --user are not for the Hugging Face Hub; leave them out")
    name = options.name.partition("/")[2]
    if zoo.find(name) is not None:
        raise UsageError(f"{name!r} is a published model's name; remedis models pull {options.name} --out DIR")
    folder = store.folder(name)
    if store.has(name):
        return _result(name, store, options, f"{name} is here already; remove {folder} to get it again")
    with store.lock(name):
        store.models.mkdir(parents=True, exist_ok=True)
        pull(options.name, folder)
    return _result(name, store, options, f"wrote {folder}: weights checked")


def _result(name: str, store: Store, options: ModelsDownload, done: str) -> Result:
    folder: Path = store.folder(name)
    shown = name if options.home is None else folder
    text = (
        f"{done} ({size_of(folder.resolve()) / MIB:,.0f} MiB)\nnext: remedis embed IMAGES --encoder {shown} --out emb"
    )
    return Result(text=text, data={"name": name, "folder": str(folder), "facts": store.facts(name)})
