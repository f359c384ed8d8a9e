"""The proxy between this node's phones and its peers (RFC 3261 §16).

A request comes from a phone, over the transport, or from a peer, over its link. Within a dialog it goes to the
dialog's other side. Outside of one, a phone's request goes to each device of the person that it names, and a peer's to
each phone of the person whom the peer called. Each half of a call has its own transactions: between two phones there
are two nodes, four server and four client transactions, and every response takes the way back through them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pship.errors import RemoteError
from p2pship.identity.aor import BadAOR, split_aor
from p2pship.interfaces import IIdentity, IKeyring, IMediaRelays, IOverlay, IPeer, ISIPHop
from p2pship.journal import Journal
from p2pship.sip import sessiontimer
from p2pship.sip.answers import Answers
from p2pship.sip.bindings import Bindings
from p2pship.sip.branches import Branches
from p2pship.sip.callbook import CallBook
from p2pship.sip.calls import Calls
from p2pship.sip.forwarding import Forwarding, Target
from p2pship.sip.hops import PeerHop, PhoneHops, own_route, peer_of, source_of
from p2pship.sip.legs import LegToPeer
from p2pship.sip.message import BadMessage, Message, Request, Response, response_to
from p2pship.sip.names import OwnNames
from p2pship.sip.privacy import hides_name, leave_out_telling
from p2pship.sip.references import References
from p2pship.sip.registrar import Registrar
from p2pship.sip.returning import Returning
from p2pship.sip.rewrite import CARRIES_TARGET, asserts, onward
from p2pship.sip.screen import Screen
from p2pship.sip.senders import Senders
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
        self,
        reactor: IReactorTime,
        *,
        names: OwnNames,
        keyring: IKeyring,
        overlay: IOverlay,
        relays: IMediaRelays,
        registrar: Registrar,
        bindings: Bindings,
        hops: PhoneHops,
        journal: Journal,
        random: Callable[[int], bytes],
        book: CallBook,
        anonymous: bool = True,
    ) -> None:
        """``anonymous`` says whether peers may call without showing their name (RFC 5079)."""
        self._reactor = reactor
        self._names = names
        self._overlay = overlay
        self._registrar = registrar
        self._journal = journal
        self._book = book
        self._trails = Trails(book, journal)
        self._answers = Answers(journal, self._trails)
        self._references = References(names, bindings, keyring.device.hit)
        self._screen = Screen(self._references, anonymous)
        self._senders = Senders(names, keyring, bindings)
        self.calls = Calls(reactor, hops, journal, book)
        returning = Returning(self.calls, self._references)
        self._under_way = UnderWay(reactor, journal, self._trails, returning)
        hit = keyring.device.hit
        self._branches = Branches(self.calls, relays, bindings, hops, names, hit, random)
        self._within = WithinDialogs(
            calls=self.calls,
            branches=self._branches,
            under_way=self._under_way,
            answers=self._answers,
            screen=self._screen,
            senders=self._senders,
            references=self._references,
            names=names,
            overlay=overlay,
            trails=self._trails,
        )
        self.layer = TransactionLayer(reactor, self, random, journal)
        self._tick = LoopingCall(self._look)
        self._tick.clock = reactor

    def start(self) -> None:
        """Begin to work."""
        self._book.start()
        self._registrar.start()
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
        self._registrar.stop()
        self._book.stop()

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
                self._journal.count("sip.stray_ack")
        except RemoteError as error:
            self._journal.count("sip.bad_ack")
            self.log.debug("dropped an ACK: {error}", error=error)

    def response_received(self, response: Response, origin: ISIPHop) -> None:
        """Drop a response that answers nothing of ours: where it should go was forgotten with its transaction."""
        self._journal.count("sip.stray_response")

    def transaction_lost(self, transaction: ServerTransaction, reason: str) -> None:
        """Take it that nobody can be answered any more: what was begun for them is ended."""
        fork = self._under_way.of(transaction)
        if fork is not None:
            fork.cancel(None)

    # What the overlay tells.

    def message_from_peer(self, peer: IPeer, message: Message) -> None:
        """Take one message of a peer; that it asserts an identity is counted, and the legs take it out."""
        if asserts(message):
            self._journal.count("screen.asserted")
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
        if request.method == "INVITE" and not within:
            self._trails.begin(transaction)
        peer = peer_of(transaction.origin)
        if peer is None and not self._names.is_own(source_of(transaction.origin).host):
            self._answers.refuse(transaction, 403, "phones of other machines are not served")
            return
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
            self._from_phone(transaction)
        else:
            self._from_peer(transaction, peer)

    def _cancel(self, transaction: ServerTransaction) -> None:
        """Answer CANCEL and end what it cancels (§16.10)."""
        if transaction.cancels is None:
            self._answers.answer(transaction, 481, "there is nothing to cancel")
            return
        transaction.answer(200)
        fork = self._under_way.of(transaction.cancels)
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
            self._registrar.register(transaction, source_of(transaction.origin))
            return
        if request.method != "OPTIONS":
            self._answers.answer(transaction, 404, "this address names nobody")
            return
        response = response_to(request, 200, to_tag=transaction.tag)
        response.append("Allow", ALLOW)
        response.append("Accept", "application/sdp")
        transaction.respond(response)

    def _from_phone(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        own = self._senders.of(transaction)
        if own is None:
            name = request.from_.uri[:200]
            self._answers.refuse(transaction, 403, f"no phone has registered as {name}: register first")
            return
        try:
            aor = self._names.aor(request.uri, split_aor(own.aor)[1])
        except BadAOR:
            raise BadMessage(404, "this address names nobody", request) from None
        hidden = hides_name(request)
        sent_on = self._shown(request, own, hidden)
        if self._names.is_own(parse_uri(request.uri).host):
            sent_on.uri = f"sip:{aor}"
        self._call(transaction, own, Target(sent_on.uri, aor), sent_on, hidden)

    def _shown(self, request: Request, own: IIdentity, hidden: bool) -> Request:
        """Return a phone's new request as the link shows it, but for who and where the phone is."""
        sent_on = onward(request)
        self._references.show_request(sent_on, own.aor)
        if request.method in sessiontimer.REFRESHES:
            sessiontimer.check(sent_on)
            sessiontimer.ask(sent_on)
        if hidden:
            leave_out_telling(sent_on)
        return sent_on

    def _call(
        self, transaction: ServerTransaction, own: IIdentity, target: Target, sent_on: Request, hidden: bool
    ) -> None:
        phone = self._branches.phone_side(transaction, own.aor, hidden)
        link_side = self._branches.link_side(transaction.request, own.aor, target.aor, hidden)

        def leg_for(peer: IPeer, target: Target) -> LegToPeer:
            request = sent_on
            if target.uri != sent_on.uri:
                request = sent_on.copy()
                request.uri = target.uri
            return self._branches.to_peer(peer, request, link_side, phone)

        # Only a dialog has a route set.
        route = own_route(transaction.origin) if sent_on.method in CARRIES_TARGET else None
        fork = self._under_way.fork(transaction, sent_on, route, caller=own.aor, callee=target.aor)
        forwarding = Forwarding(fork, self._overlay, own, leg_for, self._names, self._journal)
        fork.forwarding = forwarding
        fork.begin()
        forwarding.begin(target)

    def _from_peer(self, transaction: ServerTransaction, peer: IPeer) -> None:
        sent_on = onward(transaction.request)
        refusal = self._screen.new(sent_on, peer) or self._under_way.check_strangers(sent_on, peer)
        if refusal is not None:
            self._answers.screened(transaction, peer, refusal)
            return
        if sent_on.method in sessiontimer.REFRESHES:
            sessiontimer.check(sent_on)
        groups = self._branches.to_phones(peer, sent_on, self._under_way)
        fork = self._under_way.fork(transaction, sent_on, None, caller=peer.aor, callee=peer.identity.aor)
        fork.begin()
        fork.queue(groups)
        other = "other " if peer.aor == peer.identity.aor else ""
        fork.complete(None if groups else (480, f"no {other}phone is registered under this name"))

    def _look(self) -> None:
        """Give up the peers that have been out of reach for too long, and end what ran out."""
        now = self._reactor.seconds()
        peers = {dialog.peer for dialog in self.calls.dialogs if dialog.is_call} | self._under_way.peers()
        for peer in peers:
            if peer.lost_since is not None and now - peer.lost_since >= LOST_AFTER:
                self.peer_lost(peer, "the other side cannot be reached any more", self.sent_to(peer))
        self.calls.expire()

    @property
    def pending(self) -> int:
        """How many requests wait for their final response."""
        return len(self._under_way)
