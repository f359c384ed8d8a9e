"""What this node itself tells a person: instant messages to the phones that are registered under their name (RFC 3428)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pship.errors import RemoteError
from p2pship.journal import Fact, Journal, printable
from p2pship.sip.bindings import Binding, Bindings
from p2pship.sip.facts import ChangedCame, ChangedRefused
from p2pship.sip.hops import PhoneHops, hop_to_phone
from p2pship.sip.message import Request, Response, request
from p2pship.sip.transactions import ClientTransaction, TransactionLayer
from p2pship.sip.uri import request_uri

AGAIN_AFTER = 600.0
"Seconds after which the same is told again: whoever presents a wrong key can do so as often as they like."

MOST_REMEMBERED = 1_000
"Of what was told lately; when there is more, no more is told until some of it is old."

LONGEST_NOTICE = 1_000
"Characters: it fits in a datagram with its headers (RFC 3428 §8: 1,300 octets)."

USER = "p2pship"
"The user part of the From, at the node's own domain."


class Notices:
    """Tells people what they should know, at their phones."""

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        *,
        bindings: Bindings,
        hops: PhoneHops,
        journal: Journal,
        random: Callable[[int], bytes],
        domain: str,
    ) -> None:
        self._reactor = reactor
        self._bindings = bindings
        self._hops = hops
        self._journal = journal
        self._random = random
        self._from = f'"p2pship" <sip:{USER}@{domain}>'
        self._layer: TransactionLayer | None = None
        self._told: dict[Fact, float] = {}

    def start(self, layer: TransactionLayer) -> None:
        """Take the layer that carries what is sent to phones."""
        self._layer = layer

    def tell(self, own: str, text: str) -> int:
        """Send a text to every phone that is registered under one of our names; returns to how many.

        A phone that is not there does not get it later: the journal is what keeps things.
        """
        bindings = self._bindings.of(own)
        for binding in bindings:
            self._send(binding, printable(text, LONGEST_NOTICE))
        return len(bindings)

    def changed(self, own: str, aor: str) -> None:
        """Tell that somebody under this name has another key than is known; the same not again for a while."""
        self._tell_once(
            ChangedRefused(own, aor),
            f"Whoever answers as {aor} has another key than the one that you know. You were not connected.",
        )

    def came_changed(self, own: str, aor: str) -> None:
        """Tell that somebody came by this name with another key than is known; the same not again for a while."""
        self._tell_once(
            ChangedCame(own, aor),
            f"Somebody who calls themselves {aor} came with another key than the one that you know, and was not let in.",
        )

    def _tell_once(self, changed: ChangedRefused | ChangedCame, text: str) -> None:
        if not self._is_new(changed):
            return
        self._journal.tell(changed)
        ask = "Ask them by another way whether they have a new key. If they have: p2pship contact pin"
        self.tell(changed.own, f"{text} {ask} {changed.aor} (it says how to compare safety numbers)")

    def _is_new(self, fact: Fact) -> bool:
        now = self._reactor.seconds()
        # What was told later than now was told before the clock was set back.
        self._told = {each: at for each, at in self._told.items() if 0 <= now - at < AGAIN_AFTER}
        if fact in self._told or len(self._told) >= MOST_REMEMBERED:
            return False
        self._told[fact] = now
        return True

    def _send(self, binding: Binding, text: str) -> None:
        if self._layer is None:
            return
        try:
            registered = self._hops.hop_for(binding.source.host, binding.source.port, binding.transport)
            hop = hop_to_phone(self._hops, binding.contact, binding.path, registered)
            self._layer.send_request(self._message(binding, text), hop, _Sent())
        except RemoteError as error:
            self.log.warn("cannot tell the phone at {contact}: {error}", contact=binding.contact, error=error)

    def _message(self, binding: Binding, text: str) -> Request:
        headers = [
            *(("Route", route) for route in binding.path),
            ("Max-Forwards", "70"),
            ("From", f"{self._from};tag={self._random(8).hex()}"),
            ("To", f"<sip:{binding.aor}>"),
            ("Call-ID", self._random(16).hex()),
            ("CSeq", "1 MESSAGE"),
            ("Content-Type", "text/plain;charset=utf-8"),
        ]
        return request("MESSAGE", request_uri(binding.contact), headers, text.encode())


class _Sent:
    """Who sends a notice: whatever a phone answers, nothing else is done; many know no messages."""

    log = Logger()

    def response_received(self, client: ClientTransaction, response: Response) -> None:
        self.log.debug(
            "{hop} answered a notice with {status}", hop=client.hop.description, status=response.status
        )

    def client_failed(self, client: ClientTransaction, status: int, reason: str) -> None:
        self.log.debug("{hop} did not take a notice: {reason}", hop=client.hop.description, reason=reason)
