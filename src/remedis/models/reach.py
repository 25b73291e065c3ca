"""Whether the Hugging Face Hub can be reached, asked once and briefly.

The Hub's client tries each file again and again for most of a minute before it gives up; a machine without internet
should hear in a moment what is missing, and weights in the local cache should load at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants, get_session
from huggingface_hub.errors import HfHubHTTPError

HTTP_ERROR: type[Exception] = HfHubHTTPError.__bases__[0]  # its client's own base, httpx's or httpx2's
SECONDS_TO_ANSWER = 5.0


def hub_answers() -> bool:
    """Return whether the Hub gives any answer within five seconds (proxies as the client is set up)."""
    try:
        get_session().head(constants.ENDPOINT, timeout=SECONDS_TO_ANSWER)
    except (HTTP_ERROR, OSError):
        return False
    return True


@contextmanager
def only_cached() -> Iterator[None]:
    """Keep the Hub's client from asking for anything that is not in its cache."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
