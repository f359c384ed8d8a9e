"""Asks the lookups about people with whom there is a link: a statement that takes their device out may have come to those alone.

Theory of operation. Who revokes a device pushes the new statement over their own links, and publishes it. A friend whose only link is
with the revoked device gets no push. So whoever is known is looked for again when there is a new link with them, when a call
begins, and now and then as long as the link is up; a newer statement that is found is taken as one that was pushed. Strangers are
looked for only when there is a call with them, or a crowd of them could make us ask without end; and nobody more often than
once in :data:`PAUSE`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from p2pship.errors import BadPapers
from p2pship.identity.papers import Statement
from p2pship.identity.succession import predecessors
from p2pship.identity.verdict import Acquaintance, NameGrade
from p2pship.interfaces import IFinder, IFindReceiver, IKeyring, IOverlay, IPeer, ISearch
from p2pship.journal import Journal
from p2pship.lookup.candidate import FindOutcome, Found
from p2pship.relations.devicefacts import StatementHeard

LOOK_SECONDS = 10.0
"Seconds between looks at the peers: so late is a call or a link noticed."

PAUSE = 300.0
"Seconds between two searches for one person: a link that comes and goes does not make us ask each time."

EVERY = 6 * 3600.0
"Seconds between searches while a link stays up; a statement holds a hundred times as long."

SPREAD = 0.2
"The part by which that is made longer or shorter at random."

AT_ONCE = 4
"Searches under way; with a search of 4 s at the most, a node with a thousand friends has asked for all in 45 minutes."

_Who: TypeAlias = tuple[str, str]
"Our own AOR, and the other person's."


@dataclass(frozen=True, slots=True)
class _Asked:
    """The last search for a person."""

    at: float
    until: float
    "when it is time for another one, whatever happens"
    occasions: frozenset[tuple[bytes, float, bool]]
    "device, beginning of its link, and whether there was a call"


class Inquiries:
    """All searches of a node for people with whom it has links."""

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        finder: IFinder,
        overlay: IOverlay,
        journal: Journal,
        statement_received: Callable[[str, Statement], None],
        random: Callable[[int], bytes],
    ) -> None:
        """``statement_received`` ends the peers on devices that a person's newer statement, which an own AOR has heard, does not list."""
        self._reactor = reactor
        self._keyring = keyring
        self._finder = finder
        self._overlay = overlay
        self._journal = journal
        self._statement_received = statement_received
        self._random = random
        self._asked: dict[_Who, _Asked] = {}
        self._under_way: dict[_Who, _Inquiry] = {}
        self._looking = LoopingCall(self.look)
        self._looking.clock = reactor

    def start(self) -> None:
        """Begin to look at the peers."""
        self._looking.start(LOOK_SECONDS, now=False)

    def stop(self) -> None:
        """End every search."""
        if self._looking.running:
            self._looking.stop()
        for inquiry in tuple(self._under_way.values()):
            inquiry.cancel()

    def look(self) -> None:
        """Begin the searches that are due, those for callers first."""
        people: dict[_Who, list[IPeer]] = {}
        for peer in sorted(self._overlay.peers(), key=lambda peer: not peer.watched):
            if peer.path and _is_worth_it(peer):
                people.setdefault((peer.identity.aor, peer.aor), []).append(peer)
        now = self._reactor.seconds()
        self._asked = {
            who: asked for who, asked in self._asked.items() if who in people or now - asked.at < PAUSE
        }
        for who, peers in people.items():
            if len(self._under_way) < AT_ONCE and self._is_due(who, peers, now):
                self._ask(who, peers, now)

    def _is_due(self, who: _Who, peers: Sequence[IPeer], now: float) -> bool:
        asked = self._asked.get(who)
        if asked is None or not 0 <= now - asked.at < PAUSE:
            return asked is None or now >= asked.until or not _occasions(peers) <= asked.occasions
        return False

    def _ask(self, who: _Who, peers: Sequence[IPeer], now: float) -> None:
        part = int.from_bytes(self._random(2), "big") / 0xFFFF  # 0 to 1
        until = now + EVERY * (1 + SPREAD * (2 * part - 1))
        self._asked[who] = _Asked(now, until, _occasions(peers))
        if who not in self._under_way:
            inquiry = self._under_way[who] = _Inquiry(self, who)
            inquiry.begin(self._finder.find(who[1], peers[0].identity, inquiry))

    # For searches.

    def found(self, who: _Who, statement: Statement) -> None:
        """Take the statement of a device that was found, if it is newer than that of a peer."""
        theirs = [peer for peer in self._overlay.peers() if (peer.identity.aor, peer.aor) == who]
        if not any(_is_news(statement, peer) for peer in theirs):
            return
        known = any(peer.verdict.acquaintance is not Acquaintance.STRANGER for peer in theirs)
        try:
            self._keyring.accept_statement(statement, self._reactor.seconds(), keep=known)
        except BadPapers:
            return  # a newer one was seen
        self._journal.tell(StatementHeard(*who, len(statement.devices)))
        self._statement_received(who[0], statement)

    def ended(self, who: _Who) -> None:
        """Forget a search that is over."""
        self._under_way.pop(who, None)


def _is_worth_it(peer: IPeer) -> bool:
    """Tell whether to look for a peer's person: not for ourselves, whom :mod:`p2pship.relations.gathering` looks for."""
    met = peer.verdict.acquaintance in (Acquaintance.CONTACT, Acquaintance.INTRODUCED)
    own = peer.verdict.acquaintance is Acquaintance.OWN
    return not own and (met or peer.verdict.name is NameGrade.KNOWN or peer.watched)


def _occasions(peers: Sequence[IPeer]) -> frozenset[tuple[bytes, float, bool]]:
    """Return what makes a search due when it is new: each link, and that there is a call on it."""
    links = {(peer.hit, peer.since, False) for peer in peers}
    return frozenset(links | {(peer.hit, peer.since, True) for peer in peers if peer.watched})


def _is_news(statement: Statement, peer: IPeer) -> bool:
    """Tell whether a statement is a newer one of the key that a peer has shown, or by one to which that gave way."""
    if peer.papers is None:
        return False
    theirs = peer.papers.statement
    if theirs.key == statement.key:
        return bool(theirs.version < statement.version)
    return theirs.key in predecessors(statement)


@implementer(IFindReceiver)
class _Inquiry:
    """One search."""

    def __init__(self, inquiries: Inquiries, who: _Who) -> None:
        self._inquiries = inquiries
        self._who = who
        self._search: ISearch | None = None

    def begin(self, search: ISearch) -> None:
        """Remember the search, which is under way."""
        self._search = search

    def device_found(self, found: Found) -> None:
        self._inquiries.found(self._who, found.papers.statement)

    def find_ended(self, outcome: FindOutcome) -> None:
        self._search = None
        self._inquiries.ended(self._who)

    def cancel(self) -> None:
        """End it now."""
        if self._search is not None:
            self._search.cancel()
        self._inquiries.ended(self._who)
