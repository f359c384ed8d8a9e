"""The proxy between this node's phones and its peers (RFC 3261 §16).

A request comes from a phone, over the transport, or from a peer, over its link. Within a dialog it goes to the
dialog's other side. Outside of one, a phone's request goes to each device of the person that it names, and a peer's to
each phone of the person whom the peer called. Each half of a call has its own transactions: between two phones there
are two nodes, four server and four client transactions, and every response takes the way back through them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pship.errors import RemoteError
from p2pship.identity.aor import BadAOR, split_aor
from p2pship.interfaces import IIdentity, IKeyring, IMediaRelays, IOverlay, IPeer, ISIPHop
from p2pship.journal import CallFailed, Journal, RequestRefused
from p2pship.sip.bindings import Bindings
from p2pship.sip.branches import Branches
from p2pship.sip.calls import Calls
from p2pship.sip.deadlines import Deadlines
from p2pship.sip.dialog import Dialog
from p2pship.sip.fork import Fork, Waiting
from p2pship.sip.hops import PeerHop, PhoneHops, own_route, peer_of, source_of
from p2pship.sip.legs import LegToPeer, LegWithinDialog
from p2pship.sip.message import BadMessage, Request, Response, parse, response_to
from p2pship.sip.names import OwnNames
from p2pship.sip.refusal import add_warning
from p2pship.sip.registrar import Registrar
from p2pship.sip.rewrite import (
    CARRIES_TARGET,
    restore,
)
from p2pship.sip.routes import PersonRoute
from p2pship.sip.screen import screen_peer
from p2pship.sip.transactions import ServerTransaction, TransactionLayer
from p2pship.sip.uri import BadURI, parse_uri
from p2pship.sip.validity import check_extensions, validate

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, INFO, UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY, PUBLISH, REGISTER"
"What this node answers or passes on."

REGISTRAR_EXTENSIONS = ("path",)
"Option tags that a REGISTER may require (RFC 3327)."

HOPS = 70
"Max-Forwards for a request that has none (RFC 3261 §16.6 item 3)."

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
    ) -> None:
        self._reactor = reactor
        self._names = names
        self._keyring = keyring
        self._overlay = overlay
        self._registrar = registrar
        self._bindings = bindings
        self._journal = journal
        self._forks: dict[ServerTransaction, Fork] = {}
        self._searches: dict[Fork, PersonRoute] = {}
        self._deadlines: Deadlines[Waiting] = Deadlines(reactor, _expired)
        self.calls = Calls(reactor, hops, journal)
        self._branches = Branches(self.calls, relays, bindings, hops, names, keyring.device.hit)
        self.layer = TransactionLayer(reactor, self, random, journal)
        self._tick = LoopingCall(self._look)
        self._tick.clock = reactor

    def start(self) -> None:
        """Begin to work."""
        self._registrar.start()
        self.calls.start(self.layer)
        self._tick.start(1.0, now=False).addErrback(
            lambda f: self.log.failure("looking after peers failed", f)
        )

    def stop(self) -> None:
        """End all calls and searches, and keep the registrations; what still comes is dropped.

        Our phones hear 503, as this node is all that they have; to a peer we are one person who is not available.
        """
        if self._tick.running:
            self._tick.stop()
        for transaction, fork in tuple(self._forks.items()):
            fork.abandon(503 if peer_of(transaction.origin) is None else 480)
        self.calls.stop()
        self._deadlines.stop()
        self.layer.stop()
        self._registrar.stop()

    # What the transaction layer tells.

    def request_received(self, transaction: ServerTransaction) -> None:
        """Take a new request, CANCEL included."""
        try:
            self._dispatch(transaction)
        except BadURI as error:
            self._answer(transaction, error.status, str(error))
        except BadMessage as error:
            self._answer(transaction, error.status, str(error), error.headers)

    def ack_received(self, ack: Request, origin: ISIPHop) -> None:
        """Pass on the ACK of a 2xx, end to end."""
        try:
            dialog = self._dialog_of(ack, origin)
            if dialog is None:
                self._journal.count("sip.stray_ack")
                return
            leg = self._leg_within(ack, origin, dialog)
            self.layer.send_ack(leg.request(), leg.hop)
        except RemoteError as error:
            self._journal.count("sip.bad_ack")
            self.log.debug("dropped an ACK: {error}", error=error)

    def response_received(self, response: Response, origin: ISIPHop) -> None:
        """Drop a response that answers nothing of ours: where it should go was forgotten with its transaction."""
        self._journal.count("sip.stray_response")

    def transaction_lost(self, transaction: ServerTransaction, reason: str) -> None:
        """Take it that nobody can be answered any more: what was begun for them is ended."""
        fork = self._forks.get(transaction)
        if fork is not None:
            fork.cancel(None)

    # What the overlay tells.

    def message_from_peer(self, peer: IPeer, payload: bytes) -> None:
        """Take one SIP message of a peer.

        :raises BadMessage: if it is none.
        """
        self.layer.message_received(parse(payload), PeerHop(peer))

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """End all that was under way with a peer: it has forgotten it, or will never be reached again."""
        for transaction, fork in tuple(self._forks.items()):
            if peer_of(transaction.origin) is peer:
                fork.cancel('SIP;cause=480;text="the caller cannot be reached any more"')
        self.layer.hop_lost(PeerHop(peer).key, reason)
        self.calls.peer_lost(peer, reason)

    # Where requests go.

    def _dispatch(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.method == "CANCEL":
            self._cancel(transaction)
            return
        validate(request)
        peer = peer_of(transaction.origin)
        if peer is None and not self._names.is_own(source_of(transaction.origin).host):
            self._refuse(transaction, 403, "phones of other machines are not served")
            return
        if peer is None and self._is_for_node(request):
            self._serve(transaction)
            return
        if request.max_forwards == 0:
            raise BadMessage(483, "Too Many Hops", request)
        if request.values("Proxy-Require"):
            unsupported = ", ".join(request.values("Proxy-Require"))
            raise BadMessage(420, "Bad Extension", request, [("Unsupported", unsupported)])
        if request.to.tag:
            self._within_dialog(transaction)
            return
        if peer is None:
            self._from_phone(transaction)
        else:
            self._from_peer(transaction, peer)

    def _cancel(self, transaction: ServerTransaction) -> None:
        """Answer CANCEL and end what it cancels (§16.10)."""
        if transaction.cancels is None:
            self._answer(transaction, 481, "there is nothing to cancel")
            return
        transaction.answer(200)
        fork = self._forks.get(transaction.cancels)
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
            self._answer(transaction, 404, "this address names nobody")
            return
        response = response_to(request, 200, to_tag=transaction.tag)
        response.append("Allow", ALLOW)
        response.append("Accept", "application/sdp")
        transaction.respond(response)

    def _from_phone(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        own = self._sender(transaction)
        if own is None:
            return
        try:
            target = self._names.aor(request.uri, split_aor(own.aor)[1])
        except BadAOR:
            raise BadMessage(404, "this address names nobody", request) from None
        phone = self._branches.phone_side(transaction, own.aor)
        link_side = self._branches.link_side(request, own.aor, target)
        onward = _onward(request)
        if self._names.is_own(parse_uri(request.uri).host):
            onward.uri = f"sip:{target}"
        self._call(
            transaction, own, target, lambda peer: self._branches.to_peer(peer, onward, link_side, phone)
        )

    def _sender(self, transaction: ServerTransaction) -> IIdentity | None:
        """Return who of our own sends; a name that no phone has registered is refused."""
        request = transaction.request
        try:
            aor = self._names.aor(request.from_.uri)
        except BadAOR:
            aor = request.from_.uri
        identity = self._keyring.identity(aor) if self._bindings.of(aor) else None
        if identity is None:
            self._refuse(transaction, 403, f"no phone has registered as {aor[:200]}: register first")
        return identity

    def _call(
        self,
        transaction: ServerTransaction,
        own: IIdentity,
        target: str,
        leg_for: Callable[[IPeer], LegToPeer],
    ) -> None:
        route = (
            own_route(transaction.origin) if transaction.request.method in CARRIES_TARGET else None
        )  # only a dialog has a route set
        fork = self._fork(transaction, route, routes_kept=True, caller=own.aor, callee=target)
        search = PersonRoute(fork, leg_for)
        self._searches[fork] = search
        fork.begin(on_cancel=search.cancel)
        search.begin(self._overlay, target, own)

    def _from_peer(self, transaction: ServerTransaction, peer: IPeer) -> None:
        request = transaction.request
        refusal = screen_peer(request, peer)
        if refusal is not None:
            self._journal.count(f"screen.{refusal.rule}")
            self._refuse(transaction, refusal.status, refusal.reason)
            return
        groups = self._branches.to_phones(peer, _onward(request), self._forks)
        fork = self._fork(transaction, None, routes_kept=False, caller=peer.aor, callee=peer.identity.aor)
        fork.begin()
        fork.queue(groups)
        other = "other " if peer.aor == peer.identity.aor else ""
        fork.complete(480, f"no {other}phone is registered under this name")

    # Within dialogs.

    def _within_dialog(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        dialog = self._dialog_of(request, transaction.origin)
        if dialog is None:
            self._answer(transaction, 481, "there is no such dialog")
            return
        from_peer = peer_of(transaction.origin) is not None
        route = None if from_peer or request.method not in CARRIES_TARGET else own_route(transaction.origin)
        leg = self._leg_within(_onward(request), transaction.origin, dialog)
        fork = self._fork(transaction, route, routes_kept=not from_peer)
        fork.begin()
        fork.add(leg)
        fork.complete(480, "the other side cannot be reached")

    def _dialog_of(self, request: Request, origin: ISIPHop) -> Dialog | None:
        from_tag, to_tag = request.from_.tag or "", request.to.tag or ""
        peer = peer_of(origin)
        if peer is None:
            return self.calls.dialogs.of_phone(request.call_id, from_tag, to_tag)
        return self.calls.dialogs.of_peer(peer, request.call_id, to_tag, from_tag)

    def _leg_within(self, request: Request, origin: ISIPHop, dialog: Dialog) -> LegWithinDialog:
        return LegWithinDialog(self.calls, request, dialog, peer_of(origin) is None, own_route(dialog.hop))

    # Forks and their ends.

    def _fork(
        self,
        transaction: ServerTransaction,
        route: str | None,
        *,
        routes_kept: bool,
        caller: str = "",
        callee: str = "",
    ) -> Fork:
        def restored(response: Response) -> None:
            restore(response, transaction.request, route, routes_kept)

        def done(response: Response) -> None:
            self._done(transaction, response, caller, callee)

        fork = Fork(self._reactor, self.layer, self._deadlines, transaction, restored, done)
        self._forks[transaction] = fork
        return fork

    def _done(self, transaction: ServerTransaction, response: Response, caller: str, callee: str) -> None:
        fork = self._forks.pop(transaction)
        search = self._searches.pop(fork, None)
        if search is not None:
            search.cancel()
        request = transaction.request
        if not caller or request.method != "INVITE":
            return
        if response.status < 300:
            if search is not None:
                self._journal.tell(search.stages(request.call_id, caller, callee))
            return
        why = [response.reason, *fork.reasons, *(response.values("Warning")[:1] if not fork.reasons else [])]
        self._journal.tell(CallFailed(request.call_id, caller, callee, response.status, "; ".join(why)))

    def _refuse(self, transaction: ServerTransaction, status: int, reason: str) -> None:
        request = transaction.request
        fact = RequestRefused(request.method, request.from_.uri[:200], request.uri[:200], status, reason)
        self._journal.tell(fact)
        self._answer(transaction, status, reason)

    def _answer(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        response = response_to(transaction.request, status, to_tag=transaction.tag)
        for name, value in headers:
            response.append(name, value)
        if reason and peer_of(transaction.origin) is None:
            add_warning(response, reason)
        if reason:
            self.log.debug(
                "answered {request} with {status}: {reason}",
                request=transaction.request,
                status=status,
                reason=reason,
            )
        transaction.respond(response)

    def _look(self) -> None:
        """Give up the peers that have been out of reach for too long, and forget ended subscriptions."""
        now = self._reactor.seconds()
        peers = {dialog.peer for dialog in self.calls.dialogs if dialog.is_call}
        for fork in self._forks.values():
            peers.update(peer for hop in (fork.transaction.origin, *fork.hops) if (peer := peer_of(hop)))
        for peer in peers:
            if peer.lost_since is not None and now - peer.lost_since >= LOST_AFTER:
                self.peer_lost(peer, "the other side cannot be reached any more")
        self.calls.expire()

    @property
    def pending(self) -> int:
        """How many requests wait for their final response."""
        return len(self._forks)


def _expired(waiting: Waiting, now: float) -> None:
    fork, client = waiting
    fork.expired(client)


def _onward(request: Request) -> Request:
    """Return a copy with one hop fewer to go (§16.6 item 3)."""
    onward = request.copy()
    hops = request.max_forwards
    onward.set("Max-Forwards", str(HOPS if hops is None else hops - 1))
    return onward
