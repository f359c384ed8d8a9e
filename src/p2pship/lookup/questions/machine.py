"""Who is asked when, and which answers are taken, without sockets or a clock.

Theory of operation. A lookup tells addresses as it finds them (:meth:`Inquiry.found`). The first :data:`AT_ONCE` are asked at
once; of what waits then, :data:`EACH_TICK` every :data:`TICK` seconds, those of the networks first that were asked least
(:mod:`p2pship.lookup.questions.targets`). Whoever has not answered is asked once more after :data:`REPEAT_AFTER`, when nobody waits
who was not asked at all. Who has more than one item is asked for the next one at once.

Each question has a random id of its own. An answer counts if it has the id of a question that was not answered, and comes
from where that went.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from p2pship.lookup.questions.keys import handle, question_secret
from p2pship.lookup.questions.targets import MayAsk, Target, Targets
from p2pship.lookup.questions.wire import QUERY_ID_LENGTH, Answer, Question, packed

AT_ONCE = 16
"Questions sent without a pause: as many as a person has devices."

EACH_TICK = 8
"Questions sent at each tick: 8 kB, or 1.3 Mbit/s until all are sent, which an uplink has beside a call."

TICK = 0.05
"Seconds between ticks: all 64 questions are sent in 0.3 s."

REPEAT_AFTER = 0.5
"Seconds without an answer until a question is repeated: the longest way around the world and back takes less."

Outgoing = tuple[bytes, str, int]
"A datagram, and the host and port to which it is to be sent."


@dataclass(frozen=True, slots=True)
class _Sent:
    """A question that was sent."""

    target: Target
    repeated: bool


class Inquiry:
    """One search: the addresses that it was told, and what they answer."""

    def __init__(self, lookup_key: bytes, may_ask: MayAsk, random: Callable[[int], bytes]) -> None:
        """``may_ask`` tells whether an address may be asked; ``random`` returns so many octets."""
        self._handle = handle(lookup_key)
        self._secret = question_secret(lookup_key)
        self._random = random
        self._targets = Targets(may_ask)
        self._allowed = AT_ONCE
        self._tick = 0.0
        self._sent: dict[bytes, _Sent] = {}
        self._repeats: list[tuple[float, bytes]] = []
        self._more: list[Target] = []
        self._items: set[bytes] = set()

    @property
    def exhausted(self) -> bool:
        """Whether nobody else will be asked."""
        return self._targets.exhausted

    def found(self, host: str, port: int, told: int = 0) -> bool:
        """Take an address in its canonical spelling, told in that answer; tell whether it will be asked, if there is no nearer one."""
        return self._targets.found(host, port, told)

    def to_send(self, now: float) -> list[Outgoing]:
        """Return what is to be sent now."""
        if now >= self._tick:
            self._allowed = max(self._allowed, EACH_TICK)
            self._tick = now + TICK
        outgoing: list[Outgoing] = []
        while self._allowed and (question := self._next(now)) is not None:
            outgoing.append(question)
            self._allowed -= 1
        return outgoing

    def due(self) -> float | None:
        """Return when :meth:`to_send` is to be called next; None while there is nothing to do."""
        if self._targets.waiting or self._more:
            return self._tick if not self._allowed else 0.0
        if self._repeats:
            return self._repeats[0][0] if self._allowed else max(self._tick, self._repeats[0][0])
        return None

    def answer_received(self, answer: Answer, host: str, port: int) -> bytes | None:
        """Return the item of an answer; None if it answers no question of this search, or tells nothing new."""
        sent = self._sent.get(answer.query_id)
        if sent is None or (sent.target.host, sent.target.port) != (host, port):
            return None
        del self._sent[answer.query_id]
        if answer.items > 1 and not sent.repeated:
            self._more.append(sent.target)
        if answer.item in self._items:
            return None
        self._items.add(answer.item)
        return answer.item

    def _next(self, now: float) -> Outgoing | None:
        if self._more:
            target = self._more.pop()
            return self._ask(target, now, repeated=True) if self._targets.take(target) else self._next(now)
        fresh = self._targets.next()
        if fresh is not None:
            return self._ask(fresh, now, repeated=False)
        return self._repeat(now)

    def _repeat(self, now: float) -> Outgoing | None:
        while self._repeats and self._repeats[0][0] <= now:
            _, query_id = self._repeats.pop(0)
            sent = self._sent.get(query_id)
            if sent is not None and self._targets.take(sent.target):
                return self._ask(sent.target, now, repeated=True)
        return None

    def _ask(self, target: Target, now: float, repeated: bool) -> Outgoing:
        query_id = self._random(QUERY_ID_LENGTH)
        self._sent[query_id] = _Sent(target, repeated)
        if not repeated:
            self._repeats.append((now + REPEAT_AFTER, query_id))
        question = Question(query_id, self._handle, packed(target.host), int(now))
        return question.print(self._secret), target.host, target.port
