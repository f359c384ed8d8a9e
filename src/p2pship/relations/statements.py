"""Pushes our own statement, when it has changed, to everybody whom we have a link with, and takes theirs.

Theory of operation. A statement says which devices a person has, and which were revoked; every hello carries it. Between two
hellos may lie days, and a stolen device has live links. So a new statement goes at once over every link of the identity.
Who gets one compares it with that of the hello, remembers it as if a hello had brought it (an older one is refused from then
on, and so is every revoked device, whatever it signs), and ends what it has with devices that are listed no longer. If the
identity key is another one, to which the known one gave way, the devices are judged by that: the pin follows or not, and links
of devices that only the old key has listed end. Who has no link now hears it in the next hello or finds it in a lookup.

Our own devices are told as all others are, also the one that is listed no longer: if it was not stolen but given away, it
knows then. It gets a second for that before its links are closed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from p2pship.errors import BadPapers, PayloadRefused
from p2pship.identity.papers import Statement
from p2pship.identity.statement import read_statement, verify_statement
from p2pship.identity.succession import predecessors
from p2pship.identity.verdict import Acquaintance
from p2pship.identity.verify import listing
from p2pship.interfaces import IIdentity, IKeyring, IOverlay, IPeer, ISubprotocol
from p2pship.journal import Journal
from p2pship.relations.allowance import Allowance
from p2pship.relations.devicefacts import StatementHeard
from p2pship.relations.ownstatement import adopt
from p2pship.relations.payloadsonly import PayloadsOnly
from p2pship.relations.statementwire import News, read, write

NAME = "statement"
"The subprotocol's name."

AT_ONCE = 8
"Statements taken of a device without a pause: two owners' devices that put theirs together sign three."

A_MINUTE = 6.0
"And so many more each minute: each costs a signature check and a write to the disk."

HELLO_SECONDS = 5.0
"Seconds after which nobody answers a hello any more that left with the statement of before: who did is told then."

GOODBYE_SECONDS = 1.0
"Seconds that an own device which was taken out has to hear it."


@implementer(ISubprotocol)
class Statements(PayloadsOnly):
    """The subprotocol "statement"; a payload is News, its answer is empty."""

    name = NAME

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        overlay: IOverlay,
        journal: Journal,
        statement_received: Callable[[str, Statement], None],
        take_revocations: Callable[[bytes], object] = bool,
    ) -> None:
        """``statement_received`` ends the peers on devices that a person's newer statement, which an own AOR has heard, does not list.

        ``take_revocations`` is given a revocation list (DER) that came along, of which nothing has been checked.
        """
        self._reactor = reactor
        self._keyring = keyring
        self._overlay = overlay
        self._journal = journal
        self._statement_received = statement_received
        self._take_revocations = take_revocations
        self._allowance = Allowance(AT_ONCE, A_MINUTE)
        self._pushed: dict[str, tuple[bytes, bytes]] = {}
        self._leaving: set[Deferred[Any]] = set()
        self._rest: dict[str, IDelayedCall] = {}
        self._unwatch: Callable[[], object] = bool

    def start(self) -> None:
        """Follow what becomes of our own identities."""
        for identity in self._keyring.identities():
            self._pushed[identity.aor] = identity.statement, identity.revocations
        self._unwatch = self._keyring.watch(self._changed)

    def stop(self) -> None:
        """Push nothing more, and wait for nobody."""
        self._unwatch()
        for waiting in tuple(self._leaving):
            waiting.cancel()
        for aor in tuple(self._rest):
            self._rest.pop(aor).cancel()

    def _changed(self, aor: str) -> None:
        """Push an identity's statement if it is another than was pushed last."""
        identity = self._keyring.identity(aor)
        if identity is None:
            self._pushed.pop(aor, None)
            return
        state = identity.statement, identity.revocations
        if self._pushed.get(aor) == state:
            return
        self._pushed[aor] = state
        self._push(identity)

    def _push(self, identity: IIdentity) -> None:
        statement = read_statement(identity.statement)
        told = self._tell(identity, ())
        leaving = [
            answer
            for peer, answer in told.items()
            if peer.aor == statement.aor and listing(statement, peer.device_key) is None
        ]
        self._end_unlisted(statement, leaving)
        if identity.aor in self._rest:
            self._rest.pop(identity.aor).cancel()
        self._rest[identity.aor] = self._reactor.callLater(
            HELLO_SECONDS, self._tell_rest, identity.aor, tuple(told)
        )

    def _tell(self, identity: IIdentity, told: Collection[IPeer]) -> dict[IPeer, Deferred[bytes | None]]:
        """Send an identity's statement to all who have a link and were not told; who is gone hears it in the next hello."""
        news = write(news_of(identity))
        return {
            peer: peer.send(NAME, news).addErrback(lambda _: None)
            for peer in self._overlay.peers()
            if peer.identity.aor == identity.aor and peer.path and peer not in told
        }

    def _tell_rest(self, aor: str, told: Collection[IPeer]) -> None:
        """Tell those who have got a link meanwhile, perhaps by a hello that was under way."""
        del self._rest[aor]
        identity = self._keyring.identity(aor)
        if identity is not None:
            self._tell(identity, told)

    def _end_unlisted(self, statement: Statement, leaving: list[Deferred[bytes | None]]) -> None:
        """End what we have with own devices that are listed no longer, when they have heard it or had their time."""
        heard: Deferred[Any] = DeferredList(leaving)
        self._leaving.add(heard)
        heard.addTimeout(GOODBYE_SECONDS, self._reactor).addErrback(lambda _: None)
        heard.addCallback(lambda _: self._leaving.discard(heard))
        heard.addCallback(lambda _: self._statement_received(statement.aor, statement))

    # ISubprotocol

    def payload_received(self, peer: IPeer, payload: bytes) -> bytes:
        """Take news of the peer's own statement.

        :raises RemoteError: if it is not of its form, not the peer's, or comes too often.
        """
        if not self._allowance.take((peer.own_hit, peer.hit), self._reactor.seconds()):
            raise PayloadRefused("the statement has changed too often")
        news = read(payload)
        if is_own(peer):
            adopt(self._keyring, peer.aor, news)
        else:
            self._take(peer, news.statement)
        if news.revocations:
            self._take_revocations(news.revocations)
        return b""

    def _take(self, peer: IPeer, raw: bytes) -> None:
        """Take the newer statement of another person.

        :raises BadPapers: if it is not theirs, or an older one than was seen.
        """
        now, known = self._reactor.seconds(), peer.papers
        statement = verify_statement(raw, now)
        if known is None or statement.aor != peer.aor:
            raise BadPapers("the statement is not that of the peer's hello")
        same = statement.key == known.statement.key
        if not same and known.statement.key not in predecessors(statement):
            raise BadPapers(
                "the statement is not by the key of the peer's hello, nor by one to which that gave way"
            )
        if same and statement.version <= known.statement.version:
            return
        known = peer.verdict.acquaintance is not Acquaintance.STRANGER
        self._keyring.accept_statement(statement, now, keep=known)  # who is kept already stays
        self._journal.tell(StatementHeard(peer.identity.aor, peer.aor, len(statement.devices)))
        self._statement_received(peer.identity.aor, statement)


def news_of(identity: IIdentity) -> News:
    """Return what there is to tell of an own identity's statement."""
    return News(identity.statement, identity.chain, identity.revocations)


def is_own(peer: IPeer) -> bool:
    """Tell whether a peer is another device, or this one, of the very identity of ours that it talks to."""
    return peer.verdict.acquaintance is Acquaintance.OWN and peer.aor == peer.identity.aor
