"""The windows that this node has open, and the exchanges under way in them: the answering side."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from p2pship.errors import LocalError, RemoteError
from p2pship.interfaces import IPeer
from p2pship.relations.codes import Secret
from p2pship.relations.pake import BadExchange, Exchange, WrongSecret, prepare
from p2pship.relations.pakewire import (
    BadMessage,
    Element,
    Message,
    Proof,
    Refusal,
)
from p2pship.relations.window import Ending, Window, WindowClosed

Serve: TypeAlias = Callable[[IPeer, Exchange, bytes], bytes]
"Takes a peer that has proven the secret, and what it sealed; returns what is sealed for it. Raises a RemoteError."

Ended: TypeAlias = Callable[[Hashable, Ending], None]
"Hears that a window is closed, and why: once."


@dataclass(slots=True)
class _Opening:
    window: Window
    serve: Serve
    timer: IDelayedCall | None


@dataclass(frozen=True, slots=True)
class _UnderWay:
    opening: _Opening
    exchange: Exchange


class Openings:
    """At most one window for each key; the last one that was closed is remembered, to say why it was."""

    def __init__(self, reactor: IReactorTime, random: Callable[[int], bytes], ended: Ended) -> None:
        self._reactor = reactor
        self._random = random
        self._ended = ended
        self._openings: dict[Hashable, _Opening] = {}
        self._under_way: dict[IPeer, _UnderWay] = {}

    def open(self, key: Hashable, serve: Serve) -> Window:
        """Open a window with new secrets; one that is open under the same key is closed."""
        self.close(key)
        prepare(self._reactor)
        now = self._reactor.seconds()
        window = Window(Secret.new_code(self._random), Secret.new_scanned(self._random), now)
        timer = self._reactor.callLater(window.until - now, self._shut, key, Ending.EXPIRED)
        self._openings[key] = _Opening(window, serve, timer)
        return window

    def close(self, key: Hashable) -> bool:
        """Close the window of a key; False if none is open."""
        return self._shut(key, Ending.CLOSED)

    def is_open(self, key: Hashable) -> bool:
        """Tell whether the window of a key takes anybody."""
        opening = self._openings.get(key)
        return opening is not None and opening.timer is not None

    def ending(self, key: Hashable) -> Ending | None:
        """Return why the window of a key takes nobody; None if one is open."""
        opening = self._openings.get(key)
        return Ending.CLOSED if opening is None else opening.window.ending(self._reactor.seconds())

    def close_all(self) -> None:
        """Close every window: the node stops."""
        for key in tuple(self._openings):
            self._shut(key, Ending.CLOSED)
        self._under_way.clear()

    def take(self, key: Hashable, peer: IPeer, context: bytes, message: Message) -> Message:
        """Take a message of a peer to the window of a key, and return the answer to it."""
        try:
            if isinstance(message, Element):
                return self._begin(key, peer, context, message)
            if isinstance(message, Proof):
                return self._finish(key, peer, message)
        except WindowClosed as error:
            return Refusal(error.ending)
        raise BadMessage()

    def forget(self, peer: IPeer) -> None:
        """Forget what is under way with a peer that is gone."""
        self._under_way.pop(peer, None)

    def _begin(self, key: Hashable, peer: IPeer, context: bytes, message: Element) -> Message:
        opening = self._openings.get(key)
        if opening is None:
            raise WindowClosed(Ending.CLOSED)
        secret = opening.window.begin(message.means, self._reactor.seconds())
        ours = peer.identity.device.key
        exchange = Exchange(False, secret.password, context, peer.device_key, ours, self._random)
        try:
            exchange.take(message.octets)
        except BadExchange:
            return self._wrong(key, opening)
        self._under_way[peer] = _UnderWay(opening, exchange)
        return Element(exchange.element, message.means)

    def _finish(self, key: Hashable, peer: IPeer, message: Proof) -> Message:
        under_way = self._under_way.pop(peer, None)
        if under_way is None or under_way.opening is not self._openings.get(key):
            raise WindowClosed(Ending.CLOSED)
        opening, exchange = under_way.opening, under_way.exchange
        ending = opening.window.ending(self._reactor.seconds())
        if ending is not None:
            raise WindowClosed(ending)
        try:
            exchange.check(message.octets)
            said = exchange.open(message.sealed)
        except WrongSecret:
            return self._wrong(key, opening)
        return self._served(key, peer, opening, exchange, said)

    def _served(
        self, key: Hashable, peer: IPeer, opening: _Opening, exchange: Exchange, said: bytes
    ) -> Message:
        try:
            sealed = exchange.seal(opening.serve(peer, exchange, said))
        except (LocalError, RemoteError):
            self._shut(key, Ending.REFUSED)
            return Refusal(Ending.REFUSED)
        self._shut(key, Ending.USED)
        return Proof(exchange.proof(), sealed)

    def _wrong(self, key: Hashable, opening: _Opening) -> Message:
        ending = opening.window.failed(self._reactor.seconds())
        if ending is Ending.TRIED:
            self._shut(key, Ending.TRIED)
        return Refusal(ending, opening.window.tries)

    def _shut(self, key: Hashable, ending: Ending) -> bool:
        opening = self._openings.get(key)
        if opening is None or opening.timer is None:
            return False
        timer, opening.timer = opening.timer, None
        if timer.active():
            timer.cancel()
        opening.window.close(ending)
        self._ended(key, ending)
        return True
