"""Scripts in network namespaces, several at a time, because most of what they do is wait."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, DeferredList


async def as_it_should_be(*running: Deferred[str]) -> None:
    """Wait for all of them; whatever one fails with is raised then, and each must have said that all is as it should be."""
    found: list[tuple[bool, Any]] = await DeferredList(running, consumeErrors=True)
    for succeeded, printed in found:
        if not succeeded:
            printed.raiseException()
        assert "as it should be" in printed, printed
