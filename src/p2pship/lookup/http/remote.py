"""One rendezvous server as its clients see it: asked for slots, given slots, and left alone when it does not answer."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse

from p2pship.errors import RemoteError
from p2pship.lookup.clockdoubt import ClockDoubt
from p2pship.lookup.http.address import BadServer, ServerAddress
from p2pship.lookup.http.patience import Patience
from p2pship.lookup.http.trouble import Trouble
from p2pship.lookup.http.web import Web
from p2pship.lookup.http.wire import (
    CONTENT_TYPE,
    EVENTS_TYPE,
    LONGEST_LIST,
    BadSlot,
    SignedSlot,
    events_path,
    parse_slots,
    slot_path,
    slots_path,
)
from p2pship.status import ServerStatus
from p2pship.webclient import read_body, why

T = TypeVar("T")

ASK_TIME = 2.5
"Seconds for all questions of a search, less than a lookup has, so that one server that is silent does not make the lookup late."

PUT_TIME = 10.0
"Seconds to put a slot, which the server writes to its disk first."

MOST_KEPT = 256
"Answers remembered of one server, to be asked for only if they have changed: 1 MB at the very worst."

LONGEST_KEPT = 4096
"Octets of such an answer: three usual slots. What is longer is no person's usual list, and is sent again."

LONGEST_ETAG = 200
"Characters of the name of an answer; one with a longer name is not remembered."

LONGEST_REASON = 200
"Characters of a server's own words that are shown."

OVERLOADED = (429, 503)
"Statuses with which a server wants to be left alone (RFC 6585 §4, RFC 9110 §15.6.4)."


class ServerFailed(RemoteError):
    """The server did not answer as it should; asking it again later may do."""


class SlotRefused(RemoteError):
    """The server does not take the slot, and would not if it came again."""


class Stale(SlotRefused):
    """The server has this slot with the same sequence or a higher one."""

    def __init__(self, reason: str, sequence: int) -> None:
        super().__init__(reason)
        self.sequence = sequence


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a server answered."""

    status: int
    body: bytes
    etag: str
    "empty if it has none"


class Remote:
    """A server. What it is asked fails with ServerFailed, whose message names it."""

    def __init__(
        self,
        reactor: Any,
        web: Web,
        address: ServerAddress,
        part_of_one: Callable[[], float],
        clock_doubt: ClockDoubt | None = None,
    ) -> None:
        """``part_of_one`` returns numbers from 0 to 1, at random; ``clock_doubt`` hears the server's time, if it is believed."""
        self._reactor = reactor
        self._web = web
        self._clock_doubt = clock_doubt
        self.address = address
        self._patience = Patience(part_of_one)
        self._kept: OrderedDict[str, _Answer] = OrderedDict()
        self._trouble = Trouble(reactor.seconds)
        self.hung_up: Callable[[], object] = lambda: None
        "called when what it pushed has ended"

    @property
    def trouble(self) -> str:
        """Why it does not work, in words; empty while it does, or was not asked."""
        return self._trouble.words

    def status(self) -> ServerStatus:
        """Say how it is."""
        name, trouble = str(self.address), self._trouble
        words = trouble.words.removeprefix(f"{name}: ")
        return {"name": name, "trouble": words, "since": trouble.since}

    def wait(self, urgent: bool = False) -> float:
        """Return for how many seconds it is to be left alone; less if somebody waits for the answer."""
        return self._patience.wait(self._reactor.seconds(), urgent)

    def forgive(self) -> None:
        """Count no failure against it any longer, as there is another network; what it said itself still holds."""
        self._patience.worked()

    async def listed(self, lookup_key: bytes) -> tuple[SignedSlot, ...]:
        """Return the slots under a lookup key, at most 16; nothing of them but the form has been checked."""
        return self._parsed(parse_slots, await self._read(slots_path(lookup_key), (200,)))

    async def one(self, lookup_key: bytes, publication_key: bytes, seconds: float) -> SignedSlot | None:
        """Return one slot; None if there is none, or it was withdrawn. The answer may take so many seconds."""
        answer = await self._read(slot_path(lookup_key, publication_key), (200, 404, 410), seconds)
        return self._parsed(SignedSlot.parse, answer) if answer.status == 200 else None

    async def put(self, slot: SignedSlot) -> None:
        """Have a slot kept, or a tombstone.

        :raises SlotRefused: if the server does not take it; Stale if it has one with this sequence or a higher one.
        """
        path = slot_path(slot.lookup_key, slot.publication_key)
        answer = await self._asked("PUT", path, PUT_TIME, slot.print())
        if 200 <= answer.status < 300:
            self._worked()
            return
        reason, sequence = _told(answer.body)
        text = f"{self.address}: it does not take what is published (status {answer.status}): {reason}"
        if answer.status in (409, 410):
            self._worked()
            raise Stale(text, sequence)
        if (400 <= answer.status < 500 and answer.status not in OVERLOADED) or answer.status == 507:
            self._trouble.tell(text)
            raise SlotRefused(text)
        raise self.failed(f"it answers with status {answer.status}")

    async def events(self, lookup_key: bytes) -> IResponse:
        """Return the answer whose body brings the slots under a lookup key, now and as they change."""
        self._check_patience(urgent=False)
        headers = {"Accept": EVENTS_TYPE}
        opening = Deferred.fromCoroutine(self._opened(events_path(lookup_key), headers))
        response = await self._within(opening, PUT_TIME)
        self._heed(response)
        kind = _field(response, b"content-type")
        if response.code == 200 and kind.partition(";")[0].strip().lower() == EVENTS_TYPE:
            self._worked()
            return response
        read_body(response, 0).addErrback(lambda _: None)  # nobody reads on: the connection ends
        raise self.failed(f"it pushes nothing (status {response.code})")

    def failed(self, reason: str) -> ServerFailed:
        """Count a failure, such as that what it pushes has ended or what it tells is not true, and return the error."""
        self._patience.failed(self._reactor.seconds())
        self._trouble.tell(f"{self.address}: {reason}")
        return ServerFailed(self.trouble)

    async def _read(self, path: str, expected: Container[int], seconds: float = ASK_TIME) -> _Answer:
        """Ask for what may be kept from the last time; an answer with another status than those is a failure."""
        before = self._kept.get(path)
        answer = await self._asked("GET", path, seconds, etag=before.etag if before else "")
        if answer.status == 304 and before is not None:
            answer = before
        if answer.status not in expected:
            raise self.failed(f"it answers with status {answer.status}")
        self._worked()
        self._kept.pop(path, None)
        if answer.etag and answer.status == 200 and len(answer.body) <= LONGEST_KEPT:
            self._kept[path] = answer
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return answer

    async def _asked(
        self, method: str, path: str, seconds: float, body: bytes = b"", etag: str = ""
    ) -> _Answer:
        self._check_patience(urgent=True)
        headers = {"Accept": CONTENT_TYPE}
        if body:
            headers["Content-Type"] = CONTENT_TYPE
        if etag:
            headers["If-None-Match"] = etag
        return await self._within(
            Deferred.fromCoroutine(self._exchange(method, path, headers, body)), seconds
        )

    async def _exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> _Answer:
        response = await self._web.request(method, self.address, path, headers, body)
        self._heed(response)
        etag = _field(response, b"etag")
        return _Answer(
            response.code, await read_body(response, LONGEST_LIST), etag if len(etag) <= LONGEST_ETAG else ""
        )

    async def _opened(self, path: str, headers: dict[str, str]) -> IResponse:
        return await self._web.request("GET", self.address, path, headers)

    async def _within(self, asking: Deferred[T], seconds: float) -> T:
        """Wait so long for an answer; whatever goes wrong becomes ServerFailed, but that it is given up."""
        try:
            return await _bounded(asking, seconds, self._reactor)
        except CancelledError:
            raise
        except BadServer as error:
            raise self.failed(f"the proxy cannot be used: {error}") from None
        except Exception as error:  # noqa: BLE001 (of connecting, TLS and HTTP, which have no error in common)
            # Who speaks HTTP waits for more of our TLS.
            silent = self.address.encrypted and isinstance(error, TimeoutError)
            doubt = ": is its address right, https:// too?" if silent else ""
            raise self.failed(f"{why(Failure(error), seconds)}{doubt}") from None

    def _parsed(self, parse: Callable[[bytes], T], answer: _Answer) -> T:
        try:
            return parse(answer.body)
        except BadSlot as error:
            raise self.failed(f"it answers with something else than slots: {error}") from None

    def _check_patience(self, urgent: bool) -> None:
        wait = self.wait(urgent)
        if wait:
            raise ServerFailed(f"{self.trouble}; it is asked again in {ceil(wait)} s")

    def _heed(self, response: IResponse) -> None:
        """Note what the server says of the time, and leave it alone if it wants to be."""
        now, date = self._reactor.seconds(), _date(_field(response, b"date"))
        if date is not None and self._clock_doubt is not None and not self.address.is_here:
            self._clock_doubt.server_said(str(self.address), now - date, now)
        if response.code in OVERLOADED:
            self._patience.told(_seconds(_field(response, b"retry-after"), now), now)

    def _worked(self) -> None:
        self._patience.worked()
        self._trouble.tell("")


def _bounded(asking: Deferred[T], seconds: float, reactor: Any) -> Deferred[T]:
    """Return the answer, or TimeoutError; what is asked is told when it is given up, and not heard any more."""
    answer: Deferred[T] = Deferred(lambda one: one.errback(CancelledError()))

    def answered(result: Any) -> None:
        if not answer.called:
            answer.callback(result)

    def give_up(result: T) -> T:
        asking.cancel()
        return result

    asking.addBoth(answered)
    return answer.addTimeout(seconds, reactor).addBoth(give_up)


def _field(response: IResponse, name: bytes) -> str:
    """Return a header field; empty if it is not there, or not ASCII."""
    value: bytes = (response.headers.getRawHeaders(name) or [b""])[0]
    return value.decode("ascii") if value.isascii() else ""


def _seconds(value: str, now: float) -> float:
    """Read a Retry-After (RFC 9110 §10.2.3); 0 if it is none."""
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    date = _date(value)
    return 0.0 if date is None else date - now


def _date(value: str) -> float | None:
    """Read a date (RFC 9110 §5.6.7) as Unix time; None if it is none."""
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _told(body: bytes) -> tuple[str, int]:
    """Return a server's words about why it refuses, fit to be shown, and the sequence that it has; 0 if it says none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "it does not say why", 0
    if not isinstance(said, dict):
        return "it does not say why", 0
    text, sequence = said.get("text"), said.get("sequence")
    shown = "".join(filter(str.isprintable, text))[:LONGEST_REASON] if isinstance(text, str) else ""
    return shown or "it does not say why", sequence if type(sequence) is int else 0
