"""Whether a server that hung up still has what it was given: it may have been started again with nothing.

Theory of operation. The end of a stream is how a node that follows somebody hears that a server was restarted. Then one of our own slots
is asked for, :data:`EARLIEST` to :data:`LATEST` seconds later, as all nodes hear it at the same moment, and again until the server answers.
If it has none, or an older one, it gets everything again, which else would come with the next announcement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from p2pship.lookup.http.remote import ASK_TIME, Remote, ServerFailed
from p2pship.lookup.http.upkeep import Upkeep

EARLIEST, LATEST = 2.0, 30.0
"Seconds after the end of a stream, or after an attempt in vain, at which a server is asked; at random."


class Recollection:
    """Asks one server whether it remembers; ``part_of_one`` returns numbers from 0 to 1, at random."""

    log = Logger()

    def __init__(
        self, reactor: Any, remote: Remote, upkeep: Upkeep, part_of_one: Callable[[], float]
    ) -> None:
        self._reactor = reactor
        self._remote = remote
        self._upkeep = upkeep
        self._part_of_one = part_of_one
        self._timer: Any = None
        self._asking: Deferred[None] | None = None
        remote.hung_up = self.doubt

    def doubt(self) -> None:
        """Ask the server soon, unless that is to be done already."""
        if self._timer is None:
            seconds = EARLIEST + self._part_of_one() * (LATEST - EARLIEST)
            self._timer = self._reactor.callLater(self._remote.wait() + seconds, self._look)

    def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asking is not None:
            self._asking.cancel()

    def _look(self) -> None:
        self._timer = None
        self._asking = Deferred.fromCoroutine(self._ask())
        self._asking.addErrback(self._failed)

    async def _ask(self) -> None:
        held = self._upkeep.newest()
        if held is None:
            return
        found = await self._remote.one(held.lookup_key, held.publication_key, ASK_TIME)
        if found is None or found.sequence < held.sequence:
            self._upkeep.put_again()

    def _failed(self, failure: Failure) -> None:
        if failure.check(ServerFailed):
            self.doubt()
        elif not failure.check(CancelledError):
            self.log.failure("a rendezvous server could not be asked for our slots", failure)
