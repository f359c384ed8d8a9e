"""The calls ``/get``, ``/put`` and ``/rm`` of the original p2pship's rendezvous server, P2PEXT, for nodes that know nothing else.

Each is a form that is posted. What is kept has nothing to do with slots: it is not signed, so that a name holds whatever anybody
put there, and it is for the asker to tell what is true.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred

from p2pship.lookup.http.server.p2pextvalues import MOST_VALUES, P2PEXTValues, Value
from p2pship.lookup.http.server.pace import Pace
from p2pship.lookup.http.server.refusal import OF_PUT, Refused, malformed, too_often, unknown, wrong_method
from p2pship.lookup.http.server.site import BoundedRequest
from p2pship.lookup.http.server.slots import Answer
from p2pship.lookup.http.wire import LONGEST_LIFETIME

LONGEST_NAME = 512
"Octets of a name: the original hashes them, to 28."

LONGEST_SECRET = 512

LONGEST_DATA = 8 * 1024
"Octets of a value: the original's longest, with its certificate, has some three thousand."

TEXT = "text/plain"

Call = Callable[[BoundedRequest, str], Awaitable[Answer]]


class P2PEXT:
    """The three calls over values."""

    def __init__(
        self, values: P2PEXTValues, seconds: Callable[[], float], *, puts: Pace, questions: Pace
    ) -> None:
        """``seconds`` tells the Unix time; ``puts`` and ``questions`` say how many may come from an address."""
        self._values = values
        self._seconds = seconds
        self._puts = puts
        self._questions = questions
        self.calls: dict[str, Call] = {"get": self.get, "put": self.put, "rm": self.remove}
        "what answers each path"

    def start(self) -> Deferred[None]:
        """Open what is kept; fails with ConfigError if it cannot be used."""
        return self._values.start()

    def stop(self) -> Deferred[None]:
        """Close what is kept."""
        return self._values.stop()

    async def get(self, request: BoundedRequest, source: str) -> Answer:
        """Answer with one value: that of ``key``, number ``entry``."""
        form = self._form(request, source, self._questions)
        entry = _number(form, b"entry", 0)
        if not 0 <= entry < MOST_VALUES:
            raise unknown()
        data = await self._values.get(_name(form), entry, self._seconds())
        if data is None:
            raise unknown()
        return Answer(200, data, TEXT)

    async def put(self, request: BoundedRequest, source: str) -> Answer:
        """Keep ``data`` under ``key`` for ``ttl`` seconds, 30 days at most; ``secret`` allows to replace it."""
        form = self._form(request, source, self._puts)
        lifetime = _number(form, b"ttl", LONGEST_LIFETIME)
        if lifetime <= 0:
            raise malformed("ttl is a number of seconds from 1")
        now = self._seconds()
        expiry = int(now) + min(lifetime, LONGEST_LIFETIME)
        secret, data = _field(form, b"secret", LONGEST_SECRET), _field(form, b"data", LONGEST_DATA)
        outcome = await self._values.put(Value(_name(form), secret, data, expiry, source), now)
        if outcome in OF_PUT:
            raise Refused(*_refusal(outcome))
        return Answer(200, b"ok\n", TEXT)

    async def remove(self, request: BoundedRequest, source: str) -> Answer:
        """Take back the value under ``key`` that was put with this ``secret``."""
        form = self._form(request, source, self._puts)
        await self._values.remove(_name(form), _field(form, b"secret", LONGEST_SECRET))
        return Answer(200, b"ok\n", TEXT)

    def _form(self, request: BoundedRequest, source: str, rate: Pace) -> dict[bytes, list[bytes]]:
        if request.method != b"POST":
            raise wrong_method("POST")
        wait = rate.wait(source, self._seconds())
        if wait:
            raise too_often(wait)
        return request.args or {}


def _refusal(outcome: Any) -> tuple[int, str, str]:
    status, text = OF_PUT[outcome]
    return status, outcome.value, text.replace("slots", "values")


def _name(form: dict[bytes, list[bytes]]) -> bytes:
    name = _field(form, b"key", LONGEST_NAME)
    if not name:
        raise malformed("the form has no key")
    return name


def _field(form: dict[bytes, list[bytes]], name: bytes, most: int) -> bytes:
    value = form.get(name, [b""])[0]
    if len(value) > most:
        raise malformed(f"{name.decode()} has at most {most} octets")
    return value


def _number(form: dict[bytes, list[bytes]], name: bytes, default: int) -> int:
    value = _field(form, name, 20)
    try:
        return int(value) if value else default
    except ValueError:
        raise malformed(f"{name.decode()} is a number") from None
