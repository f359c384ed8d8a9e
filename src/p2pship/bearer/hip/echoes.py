"""ICMPv6 echo on one association: requests are answered, and replies go to whoever asked (RFC 4443 §4, RFC 7402 Appendix B)."""

from __future__ import annotations

from collections.abc import Callable

from p2pship.bearer.hip.inner import ECHO_REPLY, ECHO_REQUEST, ICMPV6, echo, echo_answer

IDENTIFIER_SIZE = 2
"Octets that say whose echo it is; two more that number it come after them (RFC 4443 §4.1)."

Replied = Callable[[bytes], None]
"Gets what a reply has behind the identifier: two octets with its number, and the data."


class Echoes:
    """Asks and answers between two HITs."""

    __slots__ = ("_asking", "_own", "_peer", "_seconds", "_send", "last")

    def __init__(
        self, own: bytes, peer: bytes, send: Callable[[int, bytes], object], seconds: Callable[[], float]
    ) -> None:
        """``send`` takes a next header and a message; ``seconds`` returns the time."""
        self._own = own
        self._peer = peer
        self._send = send
        self._seconds = seconds
        self._asking: dict[bytes, Replied] = {}
        self.last: float | None = None
        "when a request or reply last came"

    def received(self, message: bytes) -> bool:
        """Take an ICMPv6 message; returns whether it was a request, or a reply that somebody waits for.

        :raises BadInner: if it is not valid.
        """
        answer = echo_answer(message, self._own, self._peer)
        if answer is not None:
            self.last = self._seconds()
            self._send(ICMPV6, answer)
            return True
        replied = self._asking.get(message[4:6]) if message[0] == ECHO_REPLY else None
        if replied is None:
            return False
        self.last = self._seconds()
        replied(message[6:])
        return True

    def listen(self, identifier: bytes, replied: Replied | None) -> None:
        """Give replies with an identifier to a call, or to nobody."""
        if replied is None:
            self._asking.pop(identifier, None)
        else:
            self._asking[identifier] = replied

    def ask(self, identifier: bytes, number: int, data: bytes) -> None:
        """Send a request."""
        rest = identifier + (number & 0xFFFF).to_bytes(2, "big") + data
        self._send(ICMPV6, echo(ECHO_REQUEST, self._own, self._peer, rest))
