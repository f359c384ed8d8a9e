"""The proxy between this node's phones and its peers (RFC 3261 §16).

A request comes from a phone, over the transport, or from a peer, over its link. Within a dialog it goes to the
dialog's other side. Outside of one, a phone's request goes to each device of the person that it names, and a peer's to
each phone of the person whom the peer called. Each half of a call has its own transactions: between two phones there
are two nodes, four server and four client transactions, and every response takes the way back through them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pship.errors import RemoteError
from p2pship.interfaces import IPeer, ISIPHop
from p2pship.sip.answers import Answers
from p2pship.sip.branches import Branches
from p2pship.sip.calls import Calls
from p2pship.sip.digest import ALGORITHMS
from p2pship.sip.doorway import Doorway
from p2pship.sip.gate import PhoneGate
from p2pship.sip.gruus import GRUUs
from p2pship.sip.hops import PeerHop, peer_of, source_of
from p2pship.sip.inbound import Inbound
from p2pship.sip.message import BadMessage, Message, Request, Response, response_to
from p2pship.sip.notices import Notices
from p2pship.sip.outbound import Outbound
from p2pship.sip.references import References
from p2pship.sip.returning import Returning
from p2pship.sip.rewrite import asserts
from p2pship.sip.screen import Screen
from p2pship.sip.senders import Senders
from p2pship.sip.surroundings import Surroundings
from p2pship.sip.trails import Trails
from p2pship.sip.transactions import ClientTransaction, ServerTransaction, TransactionLayer
from p2pship.sip.underway import UnderWay
from p2pship.sip.uri import BadURI, parse_uri
from p2pship.sip.validity import check_extensions, validate
from p2pship.sip.within import WithinDialogs

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, INFO, UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY, PUBLISH, REGISTER"
"What this node answers or passes on."

REGISTRAR_EXTENSIONS = ("path",)
"Option tags that a REGISTER may require (RFC 3327)."

LOST_AFTER = 30.0
"Seconds that a peer may be out of reach before its calls are ended at our phones."


class SIPProxy:
    """Takes every request, and finds where it goes."""

    log = Logger()

    def __init__(
        self, around: Surroundings, *, anonymous: bool = True, digest: Sequence[str] = tuple(ALGORITHMS)
    ) -> None:
        """``anonymous`` says whether peers may call without showing their name (RFC 5079), ``digest`` names the algorithms that
        phones of other machines are offered.
        """
        reactor, journal, names, bindings = around.reactor, around.journal, around.names, around.bindings
        self._around = around
        self._trails = Trails(around.book, journal)
        self._answers = Answers(journal, self._trails)
        gruus = GRUUs(around.keyring)
        references = References(names, bindings, gruus)
        screen = Screen(references, anonymous)
        senders = Senders(names, around.keyring, bindings)
        self.calls = Calls(reactor, around.hops, journal, around.book, around.acquaintances)
        self._under_way = UnderWay(reactor, journal, self._trails, Returning(self.calls, references))
        branches = Branches(self.calls, around.relays, bindings, around.hops, names, gruus, around.random)
        self.notices = Notices(
            reactor,
            bindings=bindings,
            hops=around.hops,
            journal=journal,
            random=around.random,
            domain=names.domain,
        )
        doorway = Doorway(around.screening, journal, self.notices)
        self._gate = PhoneGate(
            reactor.seconds,
            secrets=around.phones,
            names=names,
            senders=senders,
            answers=self._answers,
            journal=journal,
            random=around.random,
            digest=digest,
        )
        self._outbound = Outbound(
            answers=self._answers,
            branches=branches,
            journal=journal,
            names=names,
            notices=self.notices,
            overlay=around.overlay,
            references=references,
            senders=senders,
            under_way=self._under_way,
        )
        self._inbound = Inbound(self._answers, branches, doorway, screen, self._under_way)
        self._within = WithinDialogs(
            calls=self.calls,
            branches=branches,
            under_way=self._under_way,
            answers=self._answers,
            screen=screen,
            senders=senders,
            references=references,
            names=names,
            overlay=around.overlay,
            trails=self._trails,
            notices=self.notices,
            doorway=doorway,
        )
        self.layer = TransactionLayer(reactor, self, around.random, journal)
        self._tick = LoopingCall(self._look)
        self._tick.clock = reactor

    def start(self) -> None:
        """Begin to work."""
        self._around.book.start()
        self._around.registrar.start()
        self._gate.remember(self._around.bindings)
        self.notices.start(self.layer)
        self.calls.start(self.layer)
        self._under_way.start(self.layer)
        self._tick.start(1.0, now=False).addErrback(
            lambda f: self.log.failure("looking after peers failed", f)
        )

    def stop(self) -> None:
        """End all calls and searches, and keep their stories and the registrations; what still comes is dropped."""
        if self._tick.running:
            self._tick.stop()
        self._under_way.stop()
        self.calls.stop()
        self.layer.stop()
        self._around.registrar.stop()
        self._around.book.stop()

    # What the transaction layer tells.

    def request_received(self, transaction: ServerTransaction) -> None:
        """Take a new request, CANCEL included."""
        try:
            self._dispatch(transaction)
        except BadURI as error:
            # Also where another scheme stands than is served there: 416 speaks of the Request-URI alone.
            self._answers.answer(transaction, 400, str(error))
        except BadMessage as error:
            self._answers.answer(transaction, error.status, str(error), error.headers)
        except Exception:
            self._trails.answered(transaction, 500, "this node failed: its log says how")
            raise

    def ack_received(self, ack: Request, origin: ISIPHop) -> None:
        """Pass on the ACK of a 2xx, end to end."""
        try:
            if not self._within.acknowledge(ack, origin, self.layer):
                self._around.journal.count("sip.stray_ack")
        except RemoteError as error:
            self._around.journal.count("sip.bad_ack")
            self.log.debug("dropped an ACK: {error}", error=error)

    def response_received(self, response: Response, origin: ISIPHop) -> None:
        """Drop a response that answers nothing of ours: where it should go was forgotten with its transaction."""
        self._around.journal.count("sip.stray_response")

    def transaction_lost(self, transaction: ServerTransaction, reason: str) -> None:
        """Take it that nobody can be answered any more: what was begun for them is ended."""
        fork = self._under_way.of(transaction)
        if fork is not None:
            fork.cancel(None)

    # What the overlay tells.

    def message_from_peer(self, peer: IPeer, message: Message) -> None:
        """Take one message of a peer; that it asserts an identity is counted, and the legs take it out."""
        if asserts(message):
            self._around.journal.count("screen.asserted")
        self.layer.message_received(message, PeerHop(peer))

    def sent_to(self, peer: IPeer) -> list[ClientTransaction]:
        """Return what has been sent to a peer and is not answered."""
        return self.layer.clients_of(PeerHop(peer).key)

    def peer_lost(self, peer: IPeer, reason: str, sent: Iterable[ClientTransaction]) -> None:
        """End all that was under way with a peer: it has forgotten it, or will never be reached again.

        ``sent`` is what :meth:`sent_to` gave when it was lost: it may have come back since then.
        """
        self._under_way.cancel_from(peer, 'SIP;cause=480;text="the caller cannot be reached any more"')
        self.layer.hop_lost(PeerHop(peer).key, reason, sent)
        self.calls.peer_lost(peer, reason)

    # Where requests go.

    def _dispatch(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.method == "CANCEL":
            self._cancel(transaction)
            return
        validate(request)
        dialog = self._within.dialog_of(request, transaction.origin)
        within = bool(request.to.tag) or dialog is not None
        peer, trusted = peer_of(transaction.origin), transaction.origin.trusted
        if not trusted and not self._gate.admits(transaction, dialog, self._is_for_node(request)):
            return
        if request.method == "INVITE" and not within:
            self._trails.begin(transaction)
        if peer is None and self._is_for_node(request):
            self._serve(transaction)
            return
        if request.max_forwards == 0:
            raise BadMessage(483, "Too Many Hops", request)
        if request.values("Proxy-Require"):
            unsupported = ", ".join(request.values("Proxy-Require"))
            raise BadMessage(420, "Bad Extension", request, [("Unsupported", unsupported)])
        if within:
            self._within.take(transaction, dialog)
            return
        self._under_way.check_path(request, peer)
        if peer is None:
            self._outbound.take(transaction)
        else:
            self._inbound.take(transaction, peer)

    def _cancel(self, transaction: ServerTransaction) -> None:
        """Answer CANCEL and end what it cancels (§16.10)."""
        cancelled = transaction.cancels
        if cancelled is None or not _may_cancel(transaction.origin, cancelled.origin):
            self._answers.answer(transaction, 481, "there is nothing to cancel")
            return
        transaction.answer(200)
        fork = self._under_way.of(cancelled)
        if fork is not None:
            fork.cancel(transaction.request.first("Reason"))

    def _is_for_node(self, request: Request) -> bool:
        """Tell whether a phone asks this node: to register, or at no person's address, as keep-alives do.

        Within a dialog the address is the peer's own Contact, which may have no user part.
        """
        return request.method == "REGISTER" or not (request.to.tag or parse_uri(request.uri).user)

    def _serve(self, transaction: ServerTransaction) -> None:
        """Answer what a phone asks of the node itself."""
        request = transaction.request
        if request.method == "REGISTER":
            check_extensions(request, "Require", REGISTRAR_EXTENSIONS)
            self._around.registrar.register(transaction, source_of(transaction.origin))
            return
        if request.method != "OPTIONS":
            self._answers.answer(transaction, 404, "this address names nobody")
            return
        response = response_to(request, 200, to_tag=transaction.tag)
        response.append("Allow", ALLOW)
        response.append("Accept", "application/sdp")
        transaction.respond(response)

    def _look(self) -> None:
        """Give up the peers that have been out of reach for too long, and end what ran out."""
        now = self._around.reactor.seconds()
        peers = {dialog.peer for dialog in self.calls.dialogs if dialog.is_call} | self._under_way.peers()
        for peer in peers:
            if peer.lost_since is not None and now - peer.lost_since >= LOST_AFTER:
                self.peer_lost(peer, "the other side cannot be reached any more", self.sent_to(peer))
        self.calls.expire()

    @property
    def pending(self) -> int:
        """How many requests wait for their final response."""
        return len(self._under_way)


def _may_cancel(origin: ISIPHop, begun: ISIPHop) -> bool:
    """Tell whether who sends a CANCEL, of which no proof can be asked (§22.1), is where the request came from."""
    return origin.trusted or source_of(origin).host == source_of(begun).host
