"""Hears at all media ports of the node with one descriptor of the reactor.

A reactor does much for each descriptor that has something to read: it looks it up, sets up a context for its log lines, and
looks whether it was closed meanwhile. That takes as long as all else that a voice packet needs. So the ports have
an epoll(7) of their own, which is a descriptor itself, and the reactor sees only that one.
"""

from __future__ import annotations

import select
from collections.abc import Collection
from typing import Protocol

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

TURN = 256
"Ports that are read before everything else in the node has its turn: 2 ms of work. The kernel begins with the next then."


class Reader(Protocol):
    """A port, as those know it who tell it that something has come."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def doRead(self) -> None:
        """Read what has come, or some of it; a port where more waits is told again."""


@implementer(IReadDescriptor)
class Ears:
    """Has its descriptor only while there are ports. A port that fails is told no more, and harms no other."""

    log = Logger()

    def __init__(self, reactor: IReactorFDSet) -> None:
        self._reactor = reactor
        self._poll: select.epoll | None = None
        self._readers: dict[int, Reader] = {}

    @property
    def readers(self) -> Collection[Reader]:
        """The ports."""
        return self._readers.values()

    def addReader(self, reader: Reader) -> None:
        """Tell a port from now on when something has come."""
        if self._poll is None:
            self._poll = select.epoll()
            self._reactor.addReader(self)
        self._poll.register(reader.fileno(), select.EPOLLIN)
        self._readers[reader.fileno()] = reader

    def removeReader(self, reader: Reader) -> None:
        """Tell a port, whose descriptor is still open, no more; harmless when it is not known."""
        if self._readers.pop(reader.fileno(), None) is None or self._poll is None:
            return
        self._poll.unregister(reader.fileno())
        if not self._readers:
            self._close()

    def doRead(self) -> None:
        """Tell each port where something has come."""
        if self._poll is None:
            return
        readers = self._readers
        for number, _event in self._poll.poll(0, TURN):
            reader = readers.get(number)
            if reader is not None:  # one that was read before may have closed it
                self._read(reader)

    def _read(self, reader: Reader) -> None:
        try:
            reader.doRead()
        except Exception:  # noqa: BLE001 (the reactor would let go of all ports for the fault of one)
            self.log.failure("a media port failed, and hears nothing any more")
            self.removeReader(reader)

    def fileno(self) -> int:
        """Return the descriptor, -1 when there is none."""
        return -1 if self._poll is None else self._poll.fileno()

    def connectionLost(self, reason: Failure) -> None:
        """Let go of the descriptor, because the reactor stops."""
        if self._poll is not None:
            self._close()

    def logPrefix(self) -> str:
        """Return the name under which the reactor logs."""
        return "media ports"

    def _close(self) -> None:
        assert self._poll is not None
        self._reactor.removeReader(self)
        self._poll.close()
        self._poll = None
        self._readers.clear()
