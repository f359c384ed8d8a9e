"""Work that takes long and needs no desk, such as making the key of a passphrase: it keeps no call waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from p2pship.desk import Desk

T = TypeVar("T")


def aside(desk: Desk, work: Callable[[], T], done: Callable[[T], Any]) -> Any:
    """Do ``work`` in a thread of the running node, then ``done`` with its result; return a Deferred of what that returns.

    One such work is done at a time, as each may take 128 MiB.
    Where no node is running, or there are no threads, all is done when this returns what ``done`` returned.
    """
    from twisted.internet.interfaces import IReactorThreads
    from twisted.internet.threads import deferToThreadPool

    reactor: Any = desk.clock
    if desk.node is None or not IReactorThreads.providedBy(reactor):
        return done(work())
    return desk.heavy.run(deferToThreadPool, reactor, reactor.getThreadPool(), work).addCallback(done)
