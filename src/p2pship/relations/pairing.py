"""The subprotocol "pair": contacts agree on pair secrets whenever they meet and need one; and by a code, if all were lost.

Theory of operation. Two devices whose people are each other's contacts, with names that are proven or pinned, compare the
versions of the pair secrets that they have. If they have a good one in common nothing happens. Else the one with the smaller AOR offers
a key, the other accepts with its own, the first confirms. Who accepted keeps the secret when the confirmation comes, who
offered when that was answered, and says so; until who accepted hears that, now or at a later meeting, it does not let go of
the older secrets. Peers are looked through every few seconds; with each one is
dealt once, and again when its secret has become stale. Only over encrypted links: a secret that keeps one hidden for years must not hang on a key exchange in the clear.

With a code the secret comes out of the same key exchange as when a device is linked, bound to both names, identity keys and devices.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from hashlib import sha256

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import LocalError, PayloadRefused, RemoteError
from p2pship.identity.verdict import Acquaintance, NameGrade
from p2pship.interfaces import IKeyring, IOverlay, IPeer, ISubprotocol
from p2pship.journal import Journal
from p2pship.lookup.rendezvous import Rendezvous
from p2pship.relations.agreement import Agreement, Party
from p2pship.relations.allowance import Allowance
from p2pship.relations.beginning import prove
from p2pship.relations.codes import Invitation, Purpose, Secret
from p2pship.relations.linkfacts import Paired, PairingEnded
from p2pship.relations.openings import Openings
from p2pship.relations.pairwire import (
    MOST_VERSIONS,
    Accept,
    Confirm,
    Known,
    Offer,
    PairMessage,
    Please,
    is_pairing,
    read_pairing,
    write_pairing,
)
from p2pship.relations.pake import Exchange, context, prepare
from p2pship.relations.pakewire import BadMessage, read_message, write_message
from p2pship.relations.payloadsonly import PayloadsOnly
from p2pship.relations.secrets import PairSecret, PairSecrets, version_of
from p2pship.relations.seeking import Seeking
from p2pship.relations.window import Ending

NAME = "pair"
"The subprotocol's name."

LOOK_SECONDS = 10.0
"How often peers are looked through for those with whom there is no good secret."

AT_ONCE, A_MINUTE = 8, 1 / 360
"""New secrets that are agreed on with one contact without a code: eight, and one more every six hours. The ledger keeps a trace of each
for ever, and one who made them without end would fill it, so that nobody could be blocked any more."""


class NotPaired(RemoteError):
    """No new pair secret was agreed."""


@dataclass(frozen=True, slots=True)
class PairWindow:
    """What is shown to be typed or scanned by the contact."""

    own: str
    aor: str
    "the contact"
    code: str
    uri: str
    until: float
    "Unix time"


@implementer(ISubprotocol)
class Pairing(PayloadsOnly):
    """Agrees on pair secrets with the devices of contacts."""

    name = NAME
    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        overlay: IOverlay,
        secrets: PairSecrets,
        journal: Journal,
        random: Callable[[int], bytes],
        rendezvous: Rendezvous,
    ) -> None:
        """``rendezvous`` lets our people be found, and look for others, where everybody looks while a code is good."""
        self._reactor = reactor
        self._keyring = keyring
        self._overlay = overlay
        self._secrets = secrets
        self._journal = journal
        self._random = random
        self._rendezvous = rendezvous
        self._openings = Openings(reactor, random, self._ended)
        self._allowance = Allowance(AT_ONCE, A_MINUTE)
        self._done: dict[IPeer, tuple[int, ...]] = {}
        "the good versions that there were when a peer was dealt with last"
        self._accepting: dict[IPeer, Agreement] = {}
        self._offering: dict[IPeer, Deferred[None]] = {}
        self._looking = LoopingCall(self.look)
        self._looking.clock = reactor

    def start(self) -> None:
        """Begin to look for peers without a good secret."""
        self._looking.start(LOOK_SECONDS, now=False)

    def stop(self) -> None:
        """End, and close every window."""
        if self._looking.running:
            self._looking.stop()
        self._openings.close_all()
        for offering in tuple(self._offering.values()):
            offering.cancel()

    # on meeting

    def look(self) -> None:
        """Deal with each contact's device that has a link, unless that was done and nothing has changed."""
        for peer in self._overlay.peers():
            if is_friend(peer) and peer not in self._offering and self._done.get(peer) != self._good(peer):
                self._deal(peer)

    def _deal(self, peer: IPeer) -> None:
        self._done[peer] = self._good(peer)
        dealing = Deferred.fromCoroutine(self._offer(peer) if _leads(peer) else self._beg(peer))
        self._offering[peer] = dealing
        dealing.addErrback(self._not_agreed).addBoth(lambda _: self._offering.pop(peer, None) and None)

    def _not_agreed(self, failure: Failure) -> None:
        """Wait for the next meeting: who is not a contact there, or has no such subprotocol, refuses each time."""
        if not failure.check(RemoteError):
            self.log.failure("no pair secret could be agreed", failure)

    async def _offer(self, peer: IPeer) -> None:
        agreement = self._agreement(peer, begins=True)
        offer = Offer(agreement.ephemeral, self._versions(peer), not self._good(peer))
        answer = await self._ask(peer, offer)
        if isinstance(answer, Known):
            self._known(peer, answer.versions)
        elif isinstance(answer, Accept):
            self._check_pace(peer)
            agreement.take(answer.ephemeral)
            agreement.check(answer.proof)
            confirmed = await self._ask(peer, Confirm(agreement.proof()))
            if not isinstance(confirmed, Known) or version_of(agreement.secret) not in confirmed.versions:
                raise BadMessage()
            self._keep(peer, agreement.secret, sure=True)
            await self._ask(peer, Known(self._versions(peer)))
        else:
            raise BadMessage()

    async def _beg(self, peer: IPeer) -> None:
        """Ask for an offer where there is no good secret; the other one leads."""
        if not self._good(peer):
            await self._ask(peer, Please())

    async def _ask(self, peer: IPeer, message: PairMessage) -> PairMessage:
        return read_pairing(await peer.send(NAME, write_pairing(message)))

    # ISubprotocol

    def payload_received(self, peer: IPeer, payload: bytes) -> bytes:
        """Take a message of a contact's device.

        :raises RemoteError: if the person is no contact, or the message is not of its form.
        """
        if not is_friend(peer):
            raise PayloadRefused("only contacts are paired, over encrypted links")
        if is_pairing(payload):
            return write_pairing(self._answer(peer, read_pairing(payload)))
        key = (peer.identity.aor, peer.aor)
        about = _context(self._party(peer), self._other(peer))
        return write_message(self._openings.take(key, peer, about, read_message(payload)))

    def _answer(self, peer: IPeer, message: PairMessage) -> PairMessage:
        if isinstance(message, Offer) and not _leads(peer):
            return self._answer_offer(peer, message)
        if isinstance(message, Confirm):
            return self._confirmed(peer, message)
        if isinstance(message, Known):
            self._known(peer, message.versions)
            return Known(self._versions(peer))
        if isinstance(message, Please) and _leads(peer):
            self._done.pop(peer, None)
            self._reactor.callLater(0, self._deal_again, peer)
            return Known(self._versions(peer))
        raise BadMessage()

    def _deal_again(self, peer: IPeer) -> None:
        """Offer a new secret to a peer that says it has none that is good."""
        if is_friend(peer) and peer not in self._offering:
            self._deal(peer)

    def _answer_offer(self, peer: IPeer, offer: Offer) -> PairMessage:
        self._known(peer, offer.versions)
        good = self._good(peer)
        if not offer.anew and set(good) & set(offer.versions):
            self._done[peer] = good
            return Known(self._versions(peer))
        self._check_pace(peer)
        agreement = self._agreement(peer, begins=False)
        agreement.take(offer.ephemeral)
        self._accepting[peer] = agreement
        return Accept(agreement.ephemeral, agreement.proof())

    def _check_pace(self, peer: IPeer) -> None:
        """Raise PayloadRefused if too many new secrets were made with the contact lately."""
        if not self._allowance.take((peer.identity.aor, peer.aor), self._reactor.seconds()):
            raise PayloadRefused("there were too many new secrets lately")

    def _confirmed(self, peer: IPeer, message: Confirm) -> PairMessage:
        agreement = self._accepting.pop(peer, None)
        if agreement is None:
            raise BadMessage()
        agreement.check(message.proof)
        self._keep(peer, agreement.secret, sure=False)
        return Known(self._versions(peer))

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """Forget what was under way; the next meeting begins anew."""
        self._openings.forget(peer)
        self._accepting.pop(peer, None)
        self._done.pop(peer, None)

    # by a code

    def open(self, own: str, aor: str) -> PairWindow:
        """Open a window for a contact; one that was open for them is closed.

        :raises LocalError: if ``own`` is not our identity.
        """
        identity = self._keyring.identity(own)
        if identity is None:
            raise LocalError(f"{own} is not an identity of this node")
        window = self._openings.open((own, aor), self._serve)
        self._rendezvous.show(own, aor)
        invitation = Invitation(Purpose.PAIR, own, identity.device.hit, window.scanned, aor)
        return PairWindow(own, aor, str(window.code), invitation.uri, window.until)

    def join(self, own: str, aor: str, secret: Secret, hit: bytes | None) -> Deferred[None]:
        """Agree on a new secret with a contact by what they show; ``hit`` is that of their device if it is known.

        Fails with a P2PShipError whose message says why not.
        """
        return Deferred.fromCoroutine(self._join(own, aor, secret, hit))

    async def _join(self, own: str, aor: str, secret: Secret, hit: bytes | None) -> None:
        identity = self._keyring.identity(own)
        if identity is None:
            raise LocalError(f"{own} is not an identity of this node")
        prepare(self._reactor)
        self._rendezvous.seek(own, aor)
        seeking = Seeking(self._overlay, aor, identity, hit)
        reasons: list[str] = []
        try:
            while (peer := await seeking.next()) is not None:
                if not is_friend(peer):
                    reasons.append(f"{aor} is not a contact whose key is known, or the link is not encrypted")
                    continue
                try:
                    await self._prove(peer, secret)
                except RemoteError as error:
                    reasons.append(str(error))
                else:
                    return
        finally:
            seeking.cancel()
            self._rendezvous.leave(own, aor)
        raise NotPaired("; ".join(dict.fromkeys(reasons)) or seeking.why_nobody())

    async def _prove(self, peer: IPeer, secret: Secret) -> None:
        about = _context(self._other(peer), self._party(peer))
        own_key = peer.identity.device.key
        exchange, _ = await prove(peer, NAME, secret, about, own_key, self._random, b"")
        self._keep(peer, exchange.export, sure=True)

    def _serve(self, peer: IPeer, exchange: Exchange, _said: bytes) -> bytes:
        self._keep(peer, exchange.export, sure=False)
        return b""

    def _ended(self, key: Hashable, ending: Ending) -> None:
        assert isinstance(key, tuple)
        self._rendezvous.hide(*key)
        if ending is not Ending.USED:
            self._journal.tell(PairingEnded(key[0], key[1], f"the window is {ending.name.lower()}"))

    # what there is

    def _keep(self, peer: IPeer, secret: bytes, sure: bool) -> None:
        own = peer.identity.aor
        self._secrets.keep(own, peer.aor, self._person(peer), secret, sure)
        self._journal.tell(Paired(own, peer.aor))
        self._done[peer] = self._good(peer)

    def _known(self, peer: IPeer, versions: tuple[int, ...]) -> None:
        self._secrets.known_there(peer.identity.aor, peer.aor, versions)

    def _all(self, peer: IPeer) -> list[PairSecret]:
        return self._secrets.of(peer.identity.aor, peer.aor)

    def _versions(self, peer: IPeer) -> tuple[int, ...]:
        return tuple(one.version for one in self._all(peer))[:MOST_VERSIONS]

    def _good(self, peer: IPeer) -> tuple[int, ...]:
        """Return the versions that need not be replaced: agreed with this identity key, and known to nobody else."""
        person = self._person(peer)
        return tuple(one.version for one in self._all(peer) if not one.stale and one.person == person)

    def _agreement(self, peer: IPeer, begins: bool) -> Agreement:
        ours, theirs = self._party(peer), self._other(peer)
        return Agreement(*((ours, theirs) if begins else (theirs, ours)), begins, self._random)

    @staticmethod
    def _party(peer: IPeer) -> Party:
        return Party(peer.identity.aor, peer.identity.key, peer.identity.device.key)

    @staticmethod
    def _other(peer: IPeer) -> Party:
        assert peer.papers is not None  # a hello has passed, or nothing would have come
        return Party(peer.aor, peer.papers.statement.key, peer.device_key)

    def _person(self, peer: IPeer) -> bytes:
        return sha256(self._other(peer).person).digest()


def is_friend(peer: IPeer) -> bool:
    """Tell whether a peer is a contact's device whose name is sure, reached by an encrypted link."""
    sure = peer.verdict.name in (NameGrade.VERIFIED, NameGrade.KNOWN)
    contact = peer.verdict.acquaintance is Acquaintance.CONTACT
    return sure and contact and peer.encrypted and peer.papers is not None


def _leads(peer: IPeer) -> bool:
    """Tell whether it is for us to offer: only one of the two does, so that offers do not cross."""
    return bool(peer.identity.aor < peer.aor)


def _context(shows: Party, joins: Party) -> bytes:
    """Return what both must agree on when a code is used; ``shows`` is who shows it."""
    return context(Purpose.PAIR.value, shows.aor, shows.person, joins.aor, joins.person)
