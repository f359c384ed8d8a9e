"""What happened: typed, immutable facts that the log, the counters and the pages read. Nothing acts through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar

from twisted.logger import Logger

REFUSAL_LINES = 20
"Lines of the log in each span that one kind of refusal may fill, or of links that come and go: any stranger causes them."

FACT_LINES = 200
"The same for every other kind of fact: as many calls as a busy node has."

LINES_SPAN = 10.0
"Seconds in which that many lines of a kind are written; how many more there were is said in one line afterwards."

GIVEN_UP = 487
"The status of a call that its caller gave up (RFC 3261 §21.4.25)."

LONGEST_LINE = 2000
"Characters of a fact in the log: the words in it may be a stranger's."


def printable(words: str, most: int) -> str:
    """Return a stranger's words as they may be shown and kept: on one line, at most so long, nothing that steers a terminal."""
    shown = words[:most]
    return shown if shown.isprintable() else "".join(each if each.isprintable() else "?" for each in shown)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened in the node; each kind of fact is a subclass, and prints as one line for people."""

    lines: ClassVar[int] = FACT_LINES


@dataclass(frozen=True, slots=True)
class IdentityCreated(Fact):
    """An identity was made for a name that a phone registered."""

    aor: str

    def __str__(self) -> str:
        return f"made an identity for {self.aor}"


@dataclass(frozen=True, slots=True)
class Published(Fact):
    """A record was published, or could not be."""

    aor: str
    lookup: str
    error: str = ""
    "why it could not be; empty when it was"

    def __str__(self) -> str:
        if self.error:
            return f"could not publish {self.aor} on {self.lookup}: {self.error}"
        return f"published {self.aor} on {self.lookup}"


@dataclass(frozen=True, slots=True)
class PapersRefused(Fact):
    """A statement or record was not believed."""

    lines: ClassVar[int] = REFUSAL_LINES
    source: str
    "the lookup or link that brought it"
    reason: str

    def __str__(self) -> str:
        return f"refused papers from {self.source}: {self.reason}"


@dataclass(frozen=True, slots=True)
class PeerReached(Fact):
    """A hello passed in both directions."""

    lines: ClassVar[int] = REFUSAL_LINES
    own: str
    aor: str
    path: str
    encrypted: bool

    def __str__(self) -> str:
        return f"{self.own} reached {self.aor} over {self.path}, {'encrypted' if self.encrypted else 'NOT ENCRYPTED'}"


@dataclass(frozen=True, slots=True)
class PeerMoved(Fact):
    """The link with a peer goes another way than before: an address of either side is another, or fell silent."""

    lines: ClassVar[int] = REFUSAL_LINES
    own: str
    aor: str
    path: str

    def __str__(self) -> str:
        return f"{self.own} and {self.aor} go on over {self.path}: an address has changed, or fell silent"


@dataclass(frozen=True, slots=True)
class PeerGone(Fact):
    """A peer ended."""

    lines: ClassVar[int] = REFUSAL_LINES
    own: str
    aor: str
    reason: str

    def __str__(self) -> str:
        return f"{self.own} lost {self.aor}: {self.reason}"


@dataclass(frozen=True, slots=True)
class LinkRefused(Fact):
    """A link, its hello, or what came over it later was refused."""

    lines: ClassVar[int] = REFUSAL_LINES
    remote: str
    reason: str

    def __str__(self) -> str:
        return f"refused a link with {self.remote}: {self.reason}"


@dataclass(frozen=True, slots=True)
class PhoneRegistered(Fact):
    """A phone registered, or its registration ended."""

    aor: str
    contact: str
    expires: int
    "seconds; 0 when it ended"

    def __str__(self) -> str:
        if not self.expires:
            return f"the phone at {self.contact} is no longer registered as {self.aor}"
        return f"the phone at {self.contact} registered as {self.aor} for {self.expires} s"


@dataclass(frozen=True, slots=True)
class RequestRefused(Fact):
    """A SIP request was refused by policy."""

    lines: ClassVar[int] = REFUSAL_LINES
    method: str
    sender: str
    target: str
    status: int
    reason: str

    def __str__(self) -> str:
        return f"refused {self.method} from {self.sender} to {self.target} with {self.status}: {self.reason}"


@dataclass(frozen=True, slots=True)
class CallSetUp(Fact):
    """A call of one of our phones was answered; this is where the time until it rang went, in seconds."""

    call_id: str
    caller: str
    callee: str
    lookup: float
    "from the question to the answer that led to the device"
    dial: float
    "from that answer to a proven link"
    hello: float
    "from the link to the end of the hello"
    remote: float
    "from the hello to the ringing"
    total: float
    "from the INVITE to the ringing"

    def __str__(self) -> str:
        stages = (
            f"lookup {self.lookup * 1000:.0f}, dial {self.dial * 1000:.0f}, hello {self.hello * 1000:.0f}"
        )
        return f"{self.callee} rang {self.total * 1000:.0f} ms after {self.caller} called ({stages} ms)"


@dataclass(frozen=True, slots=True)
class CallForwarded(Fact):
    """Who was called by one of our phones points to somebody else, who is asked now."""

    call_id: str
    caller: str
    target: str

    def __str__(self) -> str:
        return f"the call from {self.caller} is forwarded to {self.target}"


@dataclass(frozen=True, slots=True)
class CallStarted(Fact):
    """A call was answered."""

    call_id: str
    caller: str
    callee: str

    def __str__(self) -> str:
        return f"call from {self.caller} to {self.callee} is up"


@dataclass(frozen=True, slots=True)
class CallEnded(Fact):
    """A call that was up has ended."""

    call_id: str
    caller: str
    callee: str
    seconds: float
    reason: str

    def __str__(self) -> str:
        return f"call from {self.caller} to {self.callee} ended after {self.seconds:.0f} s: {self.reason}"


@dataclass(frozen=True, slots=True)
class CallFailed(Fact):
    """A call was not answered."""

    call_id: str
    caller: str
    callee: str
    status: int
    reason: str
    "what was tried and why it failed, in words"
    elsewhere: bool = False
    "whether another phone or device has answered it"

    def __str__(self) -> str:
        call = f"call from {self.caller} to {self.callee}"
        if self.elsewhere:
            return f"{call} was answered on another phone or device"
        if self.status == GIVEN_UP:
            return f"{call} was given up before anybody answered"
        if self.status < 400:
            return f"{call} was sent elsewhere with {self.status}: {self.reason}"
        return f"{call} failed with {self.status}: {self.reason}"


@dataclass(slots=True)
class _Lines:
    """What one kind of fact has had of the log in this span."""

    since: float
    written: int = 0
    "facts, whether they were written or only counted"


class Journal:
    """Takes facts and counts, writes the facts to the log, and passes them to whoever watches."""

    log = Logger()

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        """``seconds`` tells the time by which lines of the log are limited."""
        self.counts: Counter[str] = Counter()
        self._seconds = seconds
        self._lines: dict[type[Fact], _Lines] = {}
        self._watchers: list[Callable[[Fact], None]] = []

    def tell(self, fact: Fact) -> None:
        """Record a fact; a watcher that fails disturbs nobody."""
        self.counts[type(fact).__name__] += 1
        self._log(fact)
        for watcher in tuple(self._watchers):
            try:
                watcher(fact)
            except Exception:  # noqa: BLE001 (a watcher may be anybody's code)
                self.log.failure("a watcher of the journal failed")

    def _log(self, fact: Fact) -> None:
        """Write a fact to the log, unless it is full of its kind: nobody may fill the disk with it."""
        kind, now = type(fact), self._seconds()
        lines = self._lines.setdefault(kind, _Lines(now))
        if not 0 <= now - lines.since < LINES_SPAN:
            self._lines[kind] = _Lines(now)
            if lines.written > kind.lines:
                more = lines.written - kind.lines
                self.log.info("and {more} more lines like this: {kind}", more=more, kind=kind.__name__)
            lines = self._lines[kind]
        lines.written += 1
        if lines.written <= kind.lines:
            self.log.info("{line}", line=printable(str(fact), LONGEST_LINE), fact=fact)

    def count(self, name: str, number: int = 1) -> None:
        """Count something too frequent to be told, such as a datagram that was dropped: ``sip.garbage``."""
        self.counts[name] += number

    def watch(self, watcher: Callable[[Fact], None]) -> Callable[[], None]:
        """Pass each fact from now on to ``watcher``; returns a call that ends it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)
