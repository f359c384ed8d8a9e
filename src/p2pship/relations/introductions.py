"""Asks friends to vouch for third people, and gives vouches: only to contacts, and only those that the owner agreed to.

Theory of operation. A question is kept by who asked and by who was asked, and is answered at once with what there is: the vouch,
or nothing. Nothing is the answer whatever the cause, whether the third person is unknown here, the owner has not decided yet, or
has refused; so asking tells nobody whom somebody knows. The owner decides with a command; then the vouch is signed and sent, or
is there when the friend asks again, as a node does daily. A vouch is taken only from the friend who was asked, and only if it is
theirs (:mod:`p2pship.trust.introductions`). One that is taken back is told to who has it at once if they can be reached, and
whoever has one asks each day whether it still holds.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import BadPapers, LocalError, PayloadRefused, RemoteError
from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import IIdentity, IKeyring, IOverlay, IPeer, ISubprotocol
from p2pship.journal import Journal
from p2pship.relations.allowance import Allowance
from p2pship.relations.introducebook import QUESTION_HOLDS, Book, Given, Question
from p2pship.relations.introducefacts import VouchAsked, VouchNotTaken, VouchReceived, VouchTakenBack
from p2pship.relations.introducewire import (
    MOST_SERIALS,
    Ask,
    Check,
    Give,
    Message,
    TakenBack,
    read,
    write,
)
from p2pship.relations.payloadsonly import PayloadsOnly
from p2pship.relations.seeking import Seeking
from p2pship.trust.contacts import Contacts
from p2pship.trust.introductions import LIFETIME, SERIAL_OCTETS, sign_introduction, verify_introduction
from p2pship.trust.introductions import Introductions as Vouches
from p2pship.trust.ledger import Ledger
from p2pship.trust.pins import Pins

NAME = "introduce"
"The subprotocol's name."

CHECK_EVERY = 24 * 3600.0
"Seconds between looks whether vouches still hold, and whether questions have been answered."

AT_ONCE, A_MINUTE = 16, 6.0
"Messages taken of one friend: each may cost a signature check and a write to the disk."


@implementer(ISubprotocol)
class Introductions(PayloadsOnly):
    """The subprotocol "introduce"."""

    name = NAME
    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        ledger: Ledger,
        contacts: Contacts,
        pins: Pins,
        vouches: Vouches,
        overlay: IOverlay,
        journal: Journal,
        random: Callable[[int], bytes],
    ) -> None:
        self._reactor = reactor
        self._keyring = keyring
        self._contacts = contacts
        self._pins = pins
        self._vouches = vouches
        self._overlay = overlay
        self._journal = journal
        self._random = random
        self._book = Book(ledger)
        self._allowance = Allowance(AT_ONCE, A_MINUTE)
        self._under_way: set[Deferred[None]] = set()
        self._checking = LoopingCall(self._check_all)
        self._checking.clock = reactor

    def start(self) -> None:
        """Begin to look each day what has become of vouches and questions."""
        self._checking.start(CHECK_EVERY, now=False)

    def stop(self) -> None:
        """End what is under way."""
        if self._checking.running:
            self._checking.stop()
        for talk in tuple(self._under_way):
            talk.cancel()

    # What the owner does.

    def ask(self, own: str, subject: str, friend: str) -> Deferred[None]:
        """Ask a friend to vouch for somebody; fires when the friend's devices were asked, or none was reached.

        :raises LocalError: if there is no such identity or friend, or the question cannot be kept.
        """
        identity = self._identity(own)
        if self._contacts.get(own, friend) is None or self._pins.get(own, friend) is None:
            raise LocalError(
                f"{friend} is no contact of {own} whose key is known: `p2pship contact add {friend}`"
            )
        if subject in (own, friend):
            raise LocalError("ask one person about another")
        self._book.ask(own, subject, friend, self._reactor.seconds())
        return self._talk(identity, friend, Ask(subject))

    def questions(self, own: str) -> list[Question]:
        """Return the questions that wait for the owner."""
        return self._book.questions(own, self._reactor.seconds())

    def asked(self, own: str) -> list[tuple[str, str, int]]:
        """Return subject, friend and date (Unix time) of each own question that has no answer yet."""
        return self._book.asked(own)

    def given(self, own: str) -> list[Given]:
        """Return the vouches that were given."""
        return self._book.given(own)

    def give(self, own: str, subject: str, asker: str, seconds: int = LIFETIME) -> Deferred[None]:
        """Vouch for somebody to a friend who has asked; fires when it was sent, or the friend cannot be reached now.

        :raises LocalError: if nobody asked, the identity key is not on this device, the third person is no contact whose key
            is known, or it cannot be kept.
        """
        identity, now = self._identity(own), self._reactor.seconds()
        questions = self._book.questions(own, now, refused=True)
        if not any((one.asker, one.subject) == (asker, subject) for one in questions):
            raise LocalError(f"{asker} has not asked about {subject}; `p2pship vouch list` shows who has")
        pin = self._pins.get(own, subject)
        if pin is None or self._contacts.get(own, subject) is None:
            raise LocalError(
                f"{subject} is no contact of {own} whose key is known: `p2pship contact add {subject}`"
            )
        raw = sign_introduction(
            identity.sign,
            voucher=own,
            key=identity.key,
            subject=subject,
            subject_key=pin.key,
            audience=asker,
            issued=int(now),
            expires=int(now) + min(seconds, LIFETIME),
            serial=self._random(SERIAL_OCTETS),
        )
        self._book.give(own, verify_introduction(raw, now))
        return self._talk(identity, asker, Give(raw))

    def refuse(self, own: str, subject: str, asker: str) -> bool:
        """Refuse a question, of which the asker hears nothing; False if there is none."""
        return self._book.refuse(own, asker, subject, self._reactor.seconds())

    def take_back(self, own: str, subject: str, audience: str) -> Deferred[None]:
        """Take back what was vouched to a friend about somebody; fires when the friend was told, or cannot be reached now.

        :raises LocalError: if there is no such vouch, or it cannot be kept.
        """
        identity = self._identity(own)
        gone = self._book.take_back(own, subject, audience)
        if not gone:
            raise LocalError(f"{own} has not vouched for {subject} to {audience}")
        return self._talk(identity, audience, TakenBack(tuple(one.serial for one in gone[:MOST_SERIALS])))

    def _identity(self, own: str) -> IIdentity:
        identity = self._keyring.identity(own)
        if identity is None:
            raise LocalError(f"there is no identity {own} here")
        return identity

    # Talking.

    def _talk(self, identity: IIdentity, friend: str, message: Message) -> Deferred[None]:
        """Send a message to every device of a friend that is reached, and take the answers; does not fail."""
        talk: Deferred[None] = Deferred.fromCoroutine(self._send(identity, friend, message))
        self._under_way.add(talk)
        talk.addErrback(self._not_sent)
        return talk.addBoth(lambda _: self._under_way.discard(talk))

    async def _send(self, identity: IIdentity, friend: str, message: Message) -> None:
        seeking = Seeking(self._overlay, friend, identity, None)
        try:
            while (peer := await seeking.next()) is not None:
                if _is_friend(peer):
                    await self._send_one(peer, message)
        finally:
            seeking.cancel()

    async def _send_one(self, peer: IPeer, message: Message) -> None:
        try:
            answer = await peer.send(NAME, write(message))
            if answer:
                self._take(peer, read(answer))
        except RemoteError as error:
            self._journal.tell(VouchNotTaken(peer.identity.aor, peer.aor, str(error)))

    def _not_sent(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self.log.failure("a friend could not be told", failure)

    def _check_all(self) -> None:
        """Ask again what is not answered, and whether what was given still holds."""
        now = self._reactor.seconds()
        for identity in self._keyring.identities():
            own = identity.aor
            for subject, friend, at in self._book.asked(own):
                if now - at < QUESTION_HOLDS:
                    self._talk(identity, friend, Ask(subject))
                else:
                    self._book.answered(own, subject, friend)
            serials: dict[str, list[bytes]] = {}
            for one in self._vouches.all(own):
                serials.setdefault(one.voucher, []).append(one.serial)
            for voucher, theirs in serials.items():
                self._talk(identity, voucher, Check(tuple(theirs[:MOST_SERIALS])))

    # ISubprotocol

    def payload_received(self, peer: IPeer, payload: bytes) -> bytes:
        """Take a message of a contact.

        :raises RemoteError: if it is not of its form, comes too often, or not from a contact whose key is known.
        """
        who = peer.identity.aor, peer.aor
        if not _is_friend(peer) or not self._allowance.take(who, self._reactor.seconds()):
            raise PayloadRefused("this is for contacts, and not too often")
        message = read(payload)
        if isinstance(message, Ask):
            return write(Give(self._vouch_for(peer, message.subject)))
        if isinstance(message, Check):
            return write(TakenBack(self._gone(peer, message.serials)))
        self._take(peer, message)
        return b""

    def _vouch_for(self, peer: IPeer, subject: str) -> bytes:
        """Return the vouch that the owner agreed to give; else note the question, and return nothing."""
        own, now = peer.identity.aor, self._reactor.seconds()
        for one in self._book.given(own):
            vouch = one.vouch
            if (vouch.audience, vouch.subject) == (peer.aor, subject) and self._holds(own, one, now):
                return vouch.raw
        # Later, so that the time until the answer does not tell whether the person is known here.
        self._reactor.callLater(0, self._note, own, peer.aor, subject)
        return b""

    def _note(self, own: str, asker: str, subject: str) -> None:
        """Put a question to the owner, if they know the third person."""
        if self._keyring.identity(own) is None or self._contacts.get(own, subject) is None:
            return
        try:
            if self._book.question(own, asker, subject, self._reactor.seconds()):
                self._journal.tell(VouchAsked(own, asker, subject))
        except LocalError as error:
            self.log.error("the question of {asker} cannot be kept: {error}", asker=asker, error=error)

    def _gone(self, peer: IPeer, serials: tuple[bytes, ...]) -> tuple[bytes, ...]:
        own, now = peer.identity.aor, self._reactor.seconds()
        given = [one for one in self._book.given(own) if one.vouch.audience == peer.aor]
        gone = {one.vouch.serial for one in given if not self._holds(own, one, now)}
        return tuple(serial for serial in serials if serial in gone)

    def _holds(self, own: str, given: Given, now: float) -> bool:
        """Tell whether a vouch is still meant: the third person may have another key by now than it speaks of."""
        pin = self._pins.get(own, given.vouch.subject)
        other = pin is not None and sha256(pin.key).digest() != given.vouch.subject_key
        return not (given.revoked or other) and given.vouch.expires > now

    def _take(self, peer: IPeer, message: Message) -> None:
        if isinstance(message, Give) and message.vouch:
            self._take_vouch(peer, message.vouch)
        elif isinstance(message, TakenBack):
            self._take_back(peer, message.serials)

    def _take_vouch(self, peer: IPeer, raw: bytes) -> None:
        """Keep a vouch that was asked for.

        :raises BadPapers: if it was not, or is not valid.
        """
        own = peer.identity.aor
        try:
            found = verify_introduction(raw, self._reactor.seconds())
            if found.voucher != peer.aor or not self._book.is_asked(own, found.subject, peer.aor):
                raise BadPapers("nobody here has asked for it")
            self._vouches.keep(own, raw)
        except BadPapers as error:
            self._journal.tell(VouchNotTaken(own, peer.aor, str(error)))
            raise
        self._book.answered(own, found.subject, peer.aor)
        self._journal.tell(VouchReceived(own, peer.aor, found.subject))

    def _take_back(self, peer: IPeer, serials: tuple[bytes, ...]) -> None:
        """Forget vouches that their voucher takes back; those that are not here are passed over."""
        own = peer.identity.aor
        for vouch in self._vouches.all(own):
            if vouch.voucher == peer.aor and vouch.serial in serials:
                self._vouches.revoke(own, peer.aor, vouch.serial)
                self._journal.tell(VouchTakenBack(own, peer.aor, vouch.subject))


def _is_friend(peer: IPeer) -> bool:
    """Tell whether a peer is a contact, with the key by which the user knows them or that was proven."""
    return peer.verdict.acquaintance is Acquaintance.CONTACT and peer.verdict.proven
