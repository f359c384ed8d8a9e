"""The beginning side of a key exchange under a code: two questions to a peer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from p2pship.errors import RemoteError
from p2pship.interfaces import IPeer
from p2pship.relations.codes import Secret
from p2pship.relations.pake import Exchange
from p2pship.relations.pakewire import (
    BadMessage,
    Element,
    Message,
    Proof,
    Refusal,
    read_message,
    write_message,
)
from p2pship.relations.window import Ending

_Kind = TypeVar("_Kind", Element, Proof)


class Refused(RemoteError):
    """The other device did not take the code."""

    def __init__(self, ending: Ending, tries: int, tested: bool) -> None:
        """``tested`` says whether the other device got our proof, and so could test one guess at the code."""
        super().__init__(_WORDS[ending].format(tries=tries, again="try" if tries == 1 else "tries"))
        self.ending = ending
        self.tested = tested


_WORDS = {
    Ending.CLOSED: "no window is open there: open one on the other device first",
    Ending.WRONG: "the code is wrong: {tries} {again} left",
    Ending.EXPIRED: "the code has expired: it is good for ten minutes; ask for a new one",
    Ending.TRIED: "the code is wrong, and was tried too often: ask for a new one",
    Ending.USED: "the code was used already: ask for a new one",
    Ending.REFUSED: "the code is right, but the other device could not do it: its log says why",
}


async def prove(
    peer: IPeer,
    subprotocol: str,
    secret: Secret,
    context: bytes,
    device_key: bytes,
    random: Callable[[int], bytes],
    say: bytes,
) -> tuple[Exchange, bytes]:
    """Prove a secret to a peer and seal ``say`` for it; return the exchange and what it has sealed for us.

    ``device_key`` is our own device's. One call is one try: also for somebody who only claims to be the peer.

    :raises Refused: if the peer does not take it.
    :raises RemoteError: if it cannot be reached, or breaks the rules.
    """
    exchange = Exchange(True, secret.password, context, device_key, peer.device_key, random)
    element = await _ask(peer, subprotocol, Element(exchange.element, secret.means), Element)
    exchange.take(element.octets)
    proof = await _ask(peer, subprotocol, Proof(exchange.proof(), exchange.seal(say)), Proof)
    exchange.check(proof.octets)
    return exchange, exchange.open(proof.sealed)


async def _ask(peer: IPeer, subprotocol: str, message: Message, wanted: type[_Kind]) -> _Kind:
    answer = read_message(await peer.send(subprotocol, write_message(message)))
    if isinstance(answer, Refusal):
        raise Refused(answer.ending, answer.tries, tested=wanted is Proof)
    if not isinstance(answer, wanted):
        raise BadMessage()
    return answer
