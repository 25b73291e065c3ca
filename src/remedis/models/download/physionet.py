"""What is particular to where the models are published: the list of hashes, and what a refusal there means.

PhysioNet's server is open source (MIT-LCP/physionet-build). Its `http_auth_allowed` takes a user and a password only
from programs on a list of its own, wget among them, answers others with 403 whatever they send, and asks authors of
programs to send a name of their own so that it can be added. So remedis sends its own name, says what a 403 can mean,
and takes the files that wget has fetched.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from remedis.errors import DownloadError, RemedisError, StoppedError
from remedis.models.download.transfer import RefusedError
from remedis.models.zoo.entries import PHYSIONET, Entry

LIST = "SHA256SUMS.txt"
LARGEST_LIST = 1 << 20  # bytes; the published one has 3,663
_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(?:\./)?(\S.*?)\s*")


def parse_list(text: str) -> dict[str, str]:
    """Return path to SHA-256 (lower case) from a list as sha256sum writes it; lines of any other form are left out."""
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[2]: match[1].lower() for match in found if match}


def hold_against(listed: Mapping[str, str], entry: Entry, where: str) -> None:
    """Raise unless a site's list says what the zoo says of every file that is needed.

    Args:
        listed: As `parse_list` gives it.
        entry: The model.
        where: Address of the list.

    Raises:
        DownloadError: A file is not on the list, or under another hash; names both.
    """
    for path, digest in entry.files.items():
        place = f"{entry.folder}/{path}"
        found = listed.get(place)
        if found is None:
            raise DownloadError(
                f"{place} is not on the list; another version or a broken mirror, see the address", where=where
            )
        if found != digest:
            raise DownloadError(
                f"{place} is listed as {found}, {digest} was published; nothing was fetched, this is another version",
                where=where,
            )


def wget_line(entry: Entry, user: str | None = None) -> str:
    """Return the official page's line for fetching by other means, for one model alone."""
    return f"wget -r -N -c -np --user {user or 'USER'} --ask-password {PHYSIONET}{entry.folder}/"


def explain(refusal: RefusedError, entry: Entry, *, kept: bool) -> RemedisError:
    """Return the error that says in words why a file was not given, and what to do.

    Args:
        refusal: What the transfer met.
        entry: The model.
        kept: Whether something has arrived and stays.
    """
    words = _REASONS[refusal.kind] if refusal.kind in _REASONS else _status(refusal, entry)
    text = words.format(detail=refusal.detail, page=entry.page)
    if kept:
        return StoppedError(f"{text}; what has arrived is kept, the same command goes on", where=refusal.address)
    return DownloadError(text, where=refusal.address)


_REASONS = {
    "login": "the site wants you to sign in and leads to its login page; see user and password, and that the account "
    "has access at {page}",
    "page": "a web page came in place of the file, as a login page or a proxy sends it; sign in at {page} with a "
    "browser to see what is asked, and see the address",
    "redirect": "{detail}; that is not followed, see the address",
    "large": "{detail}, which no file of this model has; see the address",
    "lost": "{detail}, tried again and again; see the connection and start again",
    "stopped": "stopped because another file failed",
}


def _status(refusal: RefusedError, entry: Entry) -> str:
    status = refusal.status
    if status == 401 and refusal.signed_in:
        return "HTTP status 401: the user or the password is wrong; try them in a browser at {page}"
    if status == 401:
        return "HTTP status 401: not signed in; give --user, or set PHYSIONET_USERNAME and PHYSIONET_PASSWORD"
    if status == 403:
        return _forbidden(refusal, entry)
    if status == 404:
        return "HTTP status 404: there is no such file; the address or the mirror is wrong, see {page}"
    if status == 429:
        return f"HTTP status 429: too many requests or over quota; try again {_later(refusal.wait)}"
    if status >= 500:
        return f"HTTP status {status}: the site has a fault, tried again and again; try again {_later(refusal.wait)}"
    return f"HTTP status {status}: the site refuses; see {{page}}"


def _forbidden(refusal: RefusedError, entry: Entry) -> str:
    """Return what a 403 can mean; PhysioNet answers so too where it does not know the program that asks."""
    if not entry.licence.must_accept:
        return "HTTP status 403: the site refuses; see {page}"
    signed = "the licence is not signed for this project, or the training is not up to date: sign at {page} (Files)"
    unknown = (
        "or the site takes no password from programs that it does not know: then fetch with "
        f"{wget_line(entry)} and run remedis models download {entry.name} --from ."
    )
    start = "HTTP status 403: " if refusal.signed_in else "HTTP status 403: not signed in (give --user); else "
    return f"{start}{signed}; {unknown}"


def _later(seconds: float | None) -> str:
    if seconds is None:
        return "later"
    if seconds < 120:
        return f"in {math.ceil(seconds)} seconds"
    return f"in {math.ceil(seconds / 60)} minutes" if seconds < 7200 else f"in {math.ceil(seconds / 3600)} hours"
