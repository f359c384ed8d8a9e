"""How many files and sockets this process may have open, and so how much of anything others can make it open."""

from __future__ import annotations

import resource
from contextlib import suppress

WANTED = 65_536
"Open files to ask the system for: media for thousands of calls. Many systems begin with 1,024 and allow far more."


def most() -> int:
    """Return how many descriptors the process may have (getrlimit(2))."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return WANTED if soft == resource.RLIM_INFINITY else min(soft, WANTED)


def allow_more() -> None:
    """Raise the limit as far as the system lets us, up to :data:`WANTED`; for the process that runs a node."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # it stays as it is then, and the limits below follow it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
