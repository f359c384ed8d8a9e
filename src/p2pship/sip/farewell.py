"""What this node says by itself to end a call: in the name of a peer that is gone, or to who answered too late."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from p2pship.errors import RemoteError
from p2pship.sip.dialog import Dialog
from p2pship.sip.message import Request, Response, request
from p2pship.sip.parameters import quote
from p2pship.sip.rewrite import contact_uri
from p2pship.sip.transactions import ClientTransaction, TransactionLayer
from p2pship.sip.uri import NameAddr

STOPPING = "the node is stopping"
"Why everything under way ends then, in words."

_HOPS = ("Max-Forwards", "70")  # RFC 3261 §8.1.1.6


class Ended:
    """Who sends a BYE of this node's own: whatever is said to it, the call is over (RFC 3261 §15.1.1)."""

    log = Logger()

    def response_received(self, client: ClientTransaction, response: Response) -> None:
        """Note it."""
        self.log.debug("{hop} answered BYE with {status}", hop=client.hop.description, status=response.status)

    def client_failed(self, client: ClientTransaction, status: int, reason: str) -> None:
        """Note it."""
        self.log.info("{hop} did not answer BYE: {reason}", hop=client.hop.description, reason=reason)


def bye_to_phone(dialog: Dialog, reason: str) -> Request:
    """Build the BYE that ends a dialog at our phone in the peer's name (RFC 3261 §15.1.1, RFC 3326 §2).

    ``reason`` may be anybody's words: the peer itself may have said goodbye with it.
    """
    words = "".join(letter if letter.isprintable() else " " for letter in reason)
    sender = NameAddr.parse(dialog.phone_side.peer).with_parameter("tag", dialog.id.peer_tag)
    receiver = NameAddr.parse(dialog.phone_side.phone).with_parameter("tag", dialog.id.phone_tag)
    dialog.peer_cseq += 1
    headers: Sequence[tuple[str, str]] = (
        *(("Route", route) for route in dialog.phone_routes),
        _HOPS,
        ("From", str(sender)),
        ("To", str(receiver)),
        ("Call-ID", dialog.id.call_id),
        ("CSeq", f"{dialog.peer_cseq} BYE"),
        ("Reason", f"SIP;cause=480;text={quote(words)}"),
    )
    return request("BYE", dialog.phone_target, headers)


class LateAnswers:
    """Ends the calls that are answered when nobody waits for that any more (§13.2.2.4)."""

    log = Logger()

    def __init__(self, layer: TransactionLayer) -> None:
        self._layer = layer
        self._ended: set[tuple[ClientTransaction, str | None]] = set()

    def end(self, client: ClientTransaction, answer: Response) -> None:
        """End a call that a hop answers after it was given up, or with what cannot be passed: the caller is not there."""
        if client.request.method != "INVITE" or not 200 <= answer.status < 300:
            return
        try:
            self._acknowledge(client, answer)
            if (client, answer.to.tag) not in self._ended:
                self._ended.add((client, answer.to.tag))
                self._hang_up(client, answer)
        except RemoteError as error:
            self.log.warn("cannot hang up at {hop}: {error}", hop=client.hop.description, error=error)

    def _acknowledge(self, client: ClientTransaction, answer: Response) -> None:
        """Acknowledge a 2xx, so that it is not sent again and again."""
        self._layer.send_ack(_within(client.request, answer, "ACK", client.request.cseq[0]), client.hop)

    def _hang_up(self, client: ClientTransaction, answer: Response) -> None:
        bye = _within(client.request, answer, "BYE", client.request.cseq[0] + 1)
        bye.append("Reason", 'SIP;cause=408;text="it was answered too late"')
        self._layer.send_request(bye, client.hop, Ended())


def _within(invite: Request, answer: Response, method: str, number: int) -> Request:
    """Make a request in the dialog of an answer to our INVITE; the routes are those beyond this node (§12.1.2)."""
    own = invite.values("Record-Route")
    headers = [
        *(("Route", route) for route in reversed(answer.values("Record-Route")) if route not in own),
        _HOPS,
        ("From", invite.first("From") or ""),
        ("To", answer.first("To") or ""),
        ("Call-ID", invite.call_id),
        ("CSeq", f"{number} {method}"),
    ]
    return request(method, contact_uri(answer) or invite.uri, headers)
