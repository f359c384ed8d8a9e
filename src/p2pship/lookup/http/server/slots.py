"""Putting slots into a server, and asking for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from p2pship.lookup.http.server.checking import checked
from p2pship.lookup.http.server.metrics import Metrics
from p2pship.lookup.http.server.pace import Pace
from p2pship.lookup.http.server.refusal import OF_PUT, Refused, too_often, unknown
from p2pship.lookup.http.server.store import IRendezvousStore, Outcome, Put
from p2pship.lookup.http.wire import CONTENT_TYPE, SignedSlot, print_slots

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a request."""

    status: int
    body: bytes
    kind: str = CONTENT_TYPE
    "the Content-Type"
    etag: bytes = b""
    "names these very octets (RFC 9110 §8.8.3); empty where nobody asks for them again"


class Slots:
    """The slots of a store, as they are offered to the network."""

    def __init__(
        self,
        store: IRendezvousStore,
        seconds: Callable[[], float],
        metrics: Metrics,
        *,
        puts: Pace,
        questions: Pace,
        longest_lifetime: Callable[[], int],
    ) -> None:
        """``seconds`` tells the Unix time; ``puts`` and ``questions`` say how many may come from an address.

        ``longest_lifetime`` tells how many seconds a slot may live that is put now.
        """
        self._store = store
        self._seconds = seconds
        self._metrics = metrics
        self._puts = puts
        self._questions = questions
        self._longest_lifetime = longest_lifetime

    def ask(self, source: str) -> None:
        """Count a question from an address.

        :raises Refused: if there are too many.
        """
        self._within(self._questions, source)

    async def put(self, lookup_key: bytes, publication_key: bytes, data: bytes, source: str) -> Answer:
        """Keep a slot, or a tombstone, and answer what became of it: stored, and then whether it is listed, repeated, or absent.

        :raises Refused: if it is not taken.
        """
        self._within(self._puts, source)
        now = self._seconds()
        slot = checked(data, lookup_key, publication_key, now, self._longest_lifetime())
        kept = await self._store.put(Put(slot, data, source, now))
        self._metrics.outcome(kept.outcome.value)
        if kept.outcome in OF_PUT:
            status, text = OF_PUT[kept.outcome]
            raise Refused(status, kept.outcome.value, text, sequence=kept.sequence)
        said: dict[str, object] = {"outcome": kept.outcome.value}
        if kept.outcome is Outcome.STORED:
            said["listed"] = kept.listed
        return Answer(200, json.dumps(said).encode("ascii") + b"\n", JSON_TYPE)

    async def listed(self, lookup_key: bytes) -> Answer:
        """Answer with the listed slots under a lookup key, which may be none."""
        return _found(print_slots(await self._store.listed(lookup_key, self._seconds())))

    async def one(self, lookup_key: bytes, publication_key: bytes) -> Answer:
        """Answer with one slot; with 410 and the tombstone, which the publisher signed, if it was withdrawn.

        :raises Refused: if there is none.
        """
        printed = await self._store.one(lookup_key, publication_key, self._seconds())
        if printed is None:
            raise unknown()
        return _found(printed, 410 if SignedSlot.parse(printed).withdrawn else 200)

    def _within(self, rate: Pace, source: str) -> None:
        wait = rate.wait(source, self._seconds())
        if wait:
            raise too_often(wait)


def _found(body: bytes, status: int = 200) -> Answer:
    if status != 200:  # conditions count for what would be answered with 200 alone (RFC 9110 §13.2.1)
        return Answer(status, body)
    etag = b'"' + blake2b(body, digest_size=12).hexdigest().encode("ascii") + b'"'
    return Answer(status, body, etag=etag)
