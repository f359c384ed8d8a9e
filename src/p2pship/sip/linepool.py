"""The relays of all dialogs of one INVITE: a forked INVITE makes several, and each has relays of its own.

Theory of operation. An offer in the INVITE shows one set of addresses, before it is known how many phones answer; each
answer (To tag) shows another. So the relays of two answers to one offer share what the offer showed, which is all that can
be told apart:

- Our phone offered. The answers' phones all send to the flow numbers of the offer. Each dialog has ports of its own towards
  our phone, and what it sends there goes to that answer's flows alone. What comes to the shared flow goes to the phone
  once, from the ports of the first dialog that is left, so that after the 2xx it is the winner's.
- The peer offered, and several phones behind one proxy answer. They all send to the ports of the offer, and are told apart
  by their addresses. Each dialog shows the peer flows of its own.

The offer's own relays go to the first dialog that describes media. Whoever ends before the final response gives
them back, so that the next phone of a hunt group can have them, and what the offer showed stays open. An INVITE without an
offer has none of this: each dialog then has an offer of its own (RFC 3261 §13.2.1), and relays that share nothing.
"""

from __future__ import annotations

from p2pship.errors import LocalError
from p2pship.identity.hit import format_hit
from p2pship.interfaces import IMediaRelay, IMediaRelays, IPeer

MOST_RELAYS = 64
"""Relays of one INVITE: as many phones as a fork rings, each with sound and picture. More is nobody's call, but somebody who
wants our ports."""


class LinePool:
    """Opens relays for the media lines of one INVITE's dialogs, and shares them out."""

    def __init__(self, relays: IMediaRelays, peer: IPeer, own_host: str, phone_host: str) -> None:
        """Serve a phone that signals from ``phone_host`` and is to send media to ``own_host``."""
        self.own_host = own_host
        "the address that the phone is shown"
        self.own_hit = format_hit(peer.own_hit)
        "the address that the link is shown"
        self._relays = relays
        self._peer = peer
        self._phone_host = phone_host
        self._phone_offered: bool | None = None
        self._shared = 0
        self._free: dict[int, IMediaRelay] = {}
        self._used: dict[int, list[IMediaRelay]] = {}
        self._open = 0
        self._pending = True

    def offered(self, by_phone: bool, lines: int) -> None:
        """Take it that the INVITE itself offered so many lines: their relays are shared from now on."""
        self._phone_offered, self._shared = by_phone, lines

    def take(self, index: int) -> IMediaRelay:
        """Return a relay for a line of one dialog: one of the offer that is free, else another.

        :raises LocalError: if there is no room for it.
        """
        relay = self._free.pop(index, None) or self._another(index)
        self._used.setdefault(index, []).append(relay)
        return relay

    def give_back(self, index: int, relay: IMediaRelay) -> None:
        """Take back a relay that :meth:`take` returned."""
        users = self._used[index]
        users.remove(relay)
        if self._pending and index < self._shared and not users:
            self._keep(index, relay)
        else:
            self._open -= 1
            relay.close()

    def settle(self) -> None:
        """Close what nobody has, because the INVITE has its final response; harmless when repeated."""
        self._pending = False
        while self._free:
            self._free.popitem()[1].close()
            self._open -= 1

    def _keep(self, index: int, relay: IMediaRelay) -> None:
        """Keep a relay open for the next answer: the offer still counts, the last answer does not."""
        if self._phone_offered:
            relay.to_peer(None, None)
        else:
            relay.to_phone(None, None)
        relay.commit()
        self._free[index] = relay

    def _another(self, index: int) -> IMediaRelay:
        if self._open >= MOST_RELAYS:
            raise LocalError(f"one call may not have more than {MOST_RELAYS} media relays")
        users = self._used.get(index, ()) if index < self._shared else ()
        relay: IMediaRelay = (
            self._relays.open_beside(users[0], own_ports=bool(self._phone_offered))
            if users
            else self._relays.open(self._peer, self.own_host, self._phone_host)
        )
        self._open += 1
        return relay
