"""Scripts in network namespaces that look how soon something happens: what a busy machine makes late is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred

from p2pship.testing.namespace import NamespaceScriptFailed
from tests.scale import ALONE

TRIES = 1 if ALONE else 3
"How often something may be late until that is believed: what is broken is late each time, and a machine is busy for a moment."


class Late(AssertionError):
    """Something took too long."""


def check_in_time(took: float, limit: float, found: object = None) -> None:
    """Check, in a script, that something took less than ``limit`` seconds.

    :raises Late: if not, with what was found.
    """
    if took >= limit:
        raise Late(f"{took:.3f} s, where {limit} are allowed: {found}")


async def at_best(attempt: Callable[[], Awaitable[object]]) -> None:
    """Attempt something that looks at itself, again if it fails where messages may come late; with the last failure it fails."""
    for _ in range(TRIES - 1):
        try:
            await attempt()
        except AssertionError:
            continue
        return
    await attempt()


async def in_time(run: Callable[[], Deferred[str]]) -> str:
    """Run a script, again if something in it was late, and return what it printed; it fails at once with anything else."""
    for _ in range(TRIES - 1):
        try:
            return await run()
        except NamespaceScriptFailed as failed:
            if f"{__name__}.{Late.__name__}: " not in str(failed):
                raise
    return await run()
