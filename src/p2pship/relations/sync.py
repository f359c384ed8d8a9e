"""Keeps the ledger the same on all devices of a person: contacts, pins, blocks, revocations, pair secrets.

Theory of operation. Two devices that meet show each other a summary of what they have, and their newest statement; then each
asks for what it lacks (:mod:`p2pship.relations.syncmachine`). What changes while they have a link is sent at once. Whatever is
lost on the way is found at the next meeting, so nothing is repeated and nothing is kept for who is away.

It is only for devices that our own newest statement lists, each time anything is sent or taken, and only over encrypted links:
among what is sent are the secrets that friends share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import PayloadRefused, RemoteError
from p2pship.identity.hit import format_hit
from p2pship.identity.statement import host_identity_hash, read_statement
from p2pship.identity.verify import listing
from p2pship.interfaces import IKeyring, IOverlay, IPeer, ISubprotocol
from p2pship.journal import Journal
from p2pship.relations.allowance import Allowance
from p2pship.relations.devicefacts import DeviceInStep, SyncRefused
from p2pship.relations.ownstatement import adopt
from p2pship.relations.payloadsonly import PayloadsOnly
from p2pship.relations.statements import is_own, news_of
from p2pship.relations.statementwire import read as read_news
from p2pship.relations.statementwire import write as write_news
from p2pship.relations.syncmachine import Copy, first_page, pages
from p2pship.relations.syncwire import BadSync, Entries, Question, Summary, read, write
from p2pship.trust.entry import Entry
from p2pship.trust.ledger import Key, Ledger

NAME = "sync"
"The subprotocol's name."

PUSH_DELAY = 0.05
"Seconds from a change until it is sent: what is done in one go is sent in one message."

MOST_PUSHED = 512
"Changes sent as they are; of more than that, as at a restore, the devices compare all they have."

MOST_QUESTIONS = 1_024
"Questions at one meeting: a full ledger of 20,000 entries takes some 200, and of the longest ones a next meeting takes the rest."

AT_ONCE = 2_048
A_MINUTE = 600.0
"Messages taken of one device: twice what the largest meeting takes, and as many more in a minute as it may ask in a second."


@implementer(ISubprotocol)
class Sync(PayloadsOnly):
    """The subprotocol "sync"; the answer to a summary is a summary, to a question entries, to entries nothing."""

    name = NAME
    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        ledger: Ledger,
        overlay: IOverlay,
        journal: Journal,
    ) -> None:
        self._reactor = reactor
        self._keyring = keyring
        self._ledger = ledger
        self._overlay = overlay
        self._journal = journal
        self._allowance = Allowance(AT_ONCE, A_MINUTE)
        self._asking: dict[IPeer, Deferred[None]] = {}
        self._waiting: dict[str, dict[Key, bytes]] = {}
        self._taking_from = b""
        self._push: IDelayedCall | None = None
        self._unwatch: Callable[[], object] = bool

    def start(self) -> None:
        """Follow what changes in the ledger."""
        self._unwatch = self._ledger.watch(self._changed)

    def stop(self) -> None:
        """Send and ask nothing more."""
        self._unwatch()
        if self._push is not None and self._push.active():
            self._push.cancel()
        for asking in tuple(self._asking.values()):
            asking.cancel()

    # Meeting.

    def meet(self, peer: IPeer) -> Deferred[None]:
        """Bring this device and another own one into step; fires when this one has taken what it lacked.

        It does not fail: what is in the way is told to the journal, or logged.
        """
        return self._ask(peer, None)

    def _ask(self, peer: IPeer, theirs: Summary | None) -> Deferred[None]:
        if peer in self._asking:
            return succeed(None)
        asking: Deferred[None] = Deferred.fromCoroutine(self._meet(peer, theirs))
        self._asking[peer] = asking
        asking.addErrback(self._not_met, peer)
        return asking.addBoth(lambda _: self._asking.pop(peer, None) and None)

    def _not_met(self, failure: Failure, peer: IPeer) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(RemoteError):
            reason = failure.getErrorMessage()
            self._journal.tell(SyncRefused(peer.aor, format_hit(peer.hit), reason))
            return
        self.log.failure("own devices could not be brought into step", failure)

    async def _meet(self, peer: IPeer, theirs: Summary | None) -> None:
        self._check(peer)
        if theirs is None:
            answer = read(await peer.send(NAME, write(self._summary(peer.aor))))
            if not isinstance(answer, Summary):
                raise BadSync("the answer to a summary is none")
            theirs = answer
            adopt(self._keyring, peer.aor, read_news(theirs.news))
        taken = await self._take_newer(peer, theirs)
        if taken:
            self._journal.tell(DeviceInStep(peer.aor, format_hit(peer.hit), taken))

    async def _take_newer(self, peer: IPeer, theirs: Summary) -> int:
        """Ask for what is newer there, part by part; returns how many entries were taken."""
        taken = 0
        buckets = self._copy(peer.aor).differing(theirs.digests)
        for _ in range(MOST_QUESTIONS):
            if not buckets:
                break
            self._check(peer)
            question = next(self._copy(peer.aor).questions(buckets))
            answer = read(await peer.send(NAME, write(question)))
            if not isinstance(answer, Entries):
                raise BadSync("the answer to a question is none")
            new = self._merge(peer, answer.entries)
            taken += new
            left = set(answer.left if new else b"") & set(question.buckets)
            buckets = bytes(sorted(set(buckets) - set(question.buckets) | left))
        return taken

    # ISubprotocol

    def payload_received(self, peer: IPeer, payload: bytes) -> bytes:
        """Take a message of another own device.

        :raises RemoteError: if it is not of its form, comes too often, or the device may not send it.
        """
        if not is_own(peer) or not self._allowance.take(peer.hit, self._reactor.seconds()):
            raise PayloadRefused("this is only for devices of the same person, and not too often")
        message = read(payload)
        if isinstance(message, Summary):
            return self._summarised(peer, message)
        self._check(peer)
        if isinstance(message, Question):
            return write(self._answer(peer.aor, message))
        self._merge(peer, message.entries)
        return b""

    def _summarised(self, peer: IPeer, theirs: Summary) -> bytes:
        """Take the summary of a device, whose statement comes first: it may be what lists the device."""
        adopt(self._keyring, peer.aor, read_news(theirs.news))
        self._check(peer)
        ours = self._summary(peer.aor)
        self._ask(peer, theirs)
        return write(ours)

    # What may be sent, and what there is.

    def _check(self, peer: IPeer) -> None:
        """Raise PayloadRefused unless this is another device of the identity, by our newest statement, on a link nobody reads."""
        identity = self._keyring.identity(peer.aor)
        if identity is None or not is_own(peer) or peer.hit == peer.own_hit:
            raise PayloadRefused("it is not another device of one of our identities")
        statement = read_statement(identity.statement)
        if peer.papers is None or peer.papers.statement.key != statement.key:
            raise PayloadRefused("it has shown another identity key")
        revoked = host_identity_hash(peer.device_key) in statement.revoked
        if revoked or listing(statement, peer.device_key) is None:
            raise PayloadRefused("our statement does not list the device")
        if not peer.encrypted:
            raise PayloadRefused("its link is not encrypted")

    def _may(self, peer: IPeer) -> bool:
        try:
            self._check(peer)
        except PayloadRefused:
            return False
        return True

    def _copy(self, own: str) -> Copy:
        return Copy(self._ledger.stamps(own))

    def _summary(self, own: str) -> Summary:
        identity = self._keyring.identity(own)
        if identity is None:
            raise PayloadRefused("the identity is not here any longer")
        return Summary(self._copy(own).digests(), write_news(news_of(identity)))

    def _answer(self, own: str, question: Question) -> Entries:
        newer = self._copy(own).newer(question)
        entries = self._ledger.entries(own, [key for _, key in newer])
        return first_page([(bucket, entry) for (bucket, _), entry in zip(newer, entries, strict=True)])

    def _merge(self, peer: IPeer, entries: Iterable[Entry]) -> int:
        """Take entries of a device; returns how many were news."""
        self._taking_from = peer.hit
        try:
            return len(self._ledger.merge(peer.aor, entries))
        finally:
            self._taking_from = b""

    # Pushing.

    def _changed(self, own: str, kind: str, name: str) -> None:
        self._waiting.setdefault(own, {})[kind, name] = self._taking_from
        if self._push is None or not self._push.active():
            self._push = self._reactor.callLater(PUSH_DELAY, self._push_all)

    def _push_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for own, changes in waiting.items():
            for peer in self._devices(own):
                if len(changes) > MOST_PUSHED:
                    self.meet(peer)
                else:
                    self._send(peer, [key for key, source in changes.items() if source != peer.hit])

    def _devices(self, own: str) -> list[IPeer]:
        """Return the other devices of an identity that there is a link with."""
        return [peer for peer in self._overlay.peers() if peer.aor == own and peer.path and self._may(peer)]

    def _send(self, peer: IPeer, keys: list[Key]) -> None:
        for page in pages(self._ledger.entries(peer.aor, keys)):
            peer.send(NAME, write(Entries(page))).addErrback(
                lambda _: None
            )  # the next meeting makes up for it
