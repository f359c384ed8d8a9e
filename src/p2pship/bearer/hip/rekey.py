"""New keys for an association that stands (RFC 7402 §6.8 to §6.10).

Theory of operation. Each side says to which SPI it wants the other to send from now on, and sends a new Diffie-Hellman value. Who has said
and heard both has the keys. No packet is lost: the side that answers can open what comes to its new SPI before it answers, so
the other may use it at once; and it uses the other's new SPI itself when its answer is acknowledged, or something has come by the
new keys. What was sent to the old SPIs is taken for some seconds more.

Keys are drawn from a new KEYMAT if at least one side sent a new value, else from behind everything that was drawn before
(§6.10), so that no octet of a key is ever used twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from p2pship.bearer.hip.agreement import Agreement, associations, esp_index
from p2pship.bearer.hip.diffiehellman import KeyPair, new_key_pair
from p2pship.bearer.hip.esp import SMALLEST_SPI, Inbound, Outbound
from p2pship.bearer.hip.numbers import ParameterType
from p2pship.bearer.hip.packet import BadPacket, Packet
from p2pship.bearer.hip.parameters import DiffieHellman, ESPInfo
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.suites import ESP_KEYS
from p2pship.bearer.hip.updates import Contents, Updates, echoes

LONGEST = 40.0
"Seconds after which a change that the other side has acknowledged, and done nothing for, is forgotten (RFC 7402 §6.8, step 5)."

OLD_TIME = 10.0
"Seconds for which what was sent to an old SPI is still taken."


class NewInbound(NamedTuple):
    """Something may come to a new SPI."""

    inbound: Inbound


class NewOutbound(NamedTuple):
    """What we send is to be sealed by other keys."""

    outbound: Outbound


class OldInbound(NamedTuple):
    """Nothing comes to an SPI any more."""

    spi: int


class Rekey:
    """The keys of one association, and how they change. ``told`` gets NewInbound, NewOutbound and OldInbound."""

    def __init__(
        self,
        agreement: Agreement,
        updates: Updates,
        random: Callable[[int], bytes],
        new_spi: Callable[[], int],
        told: Callable[[NewInbound | NewOutbound | OldInbound], None],
    ) -> None:
        """Begin with the first pair of SAs."""
        self._agreement = agreement
        self._keymat = agreement.keymat
        self._index = esp_index(agreement.rhash, agreement.cipher)
        self._peer_public = agreement.peer_public
        self._updates = updates
        self._random = random
        self._new_spi = new_spi
        self._told = told
        self.inbound: Inbound
        self.outbound: Outbound
        self.inbound, self.outbound = associations(
            agreement, self._keymat, self._index, agreement.own_spi, agreement.peer_spi, random
        )
        self._index += 2 * ESP_KEYS[agreement.suite].size
        self._own: tuple[ESPInfo, KeyPair | None] | None = None
        self._peer: tuple[ESPInfo, bytes | None] | None = None
        self._acknowledged = False
        self._next: tuple[Inbound, Outbound] | None = None
        self._old: list[tuple[float, int]] = []
        self._until = 0.0
        self.count = 0
        "how often the keys have changed"

    @property
    def is_under_way(self) -> bool:
        """Whether the keys are being changed now."""
        return self._own is not None

    # both sides

    def begin(self, path: Path, now: float) -> None:
        """Begin to change the keys; harmless if that is under way."""
        if not self.is_under_way:
            self._ask(path, now, new_key_pair(self._agreement.group))

    def _ask(
        self,
        path: Path,
        now: float,
        pair: KeyPair | None,
        acks: tuple[int, ...] = (),
        echoed: Sequence[Contents] = (),
    ) -> None:
        info = ESPInfo(0 if pair else self._index, self.inbound.spi, self._new_spi())
        self._own, self._acknowledged = (info, pair), False
        self._until = now + LONGEST
        contents: list[Contents] = [(ParameterType.ESP_INFO, info.encode()), *echoed]
        if pair is not None:
            contents.append((ParameterType.DIFFIE_HELLMAN, DiffieHellman(pair.group, pair.public).encode()))
        self._updates.request(contents, (path,), now, self._heard, self._given_up, acks)

    def asks(self, packet: Packet) -> bool:
        """Tell whether an UPDATE is about new keys."""
        contents = packet.find(ParameterType.ESP_INFO)
        if contents is None:
            return False
        info = ESPInfo.decode(contents)
        if self._next is not None and info.old_spi == self._next[1].spi:
            self._acknowledged = True  # the other side uses the new keys already
            self._switch()
        return info.old_spi in (self.outbound.spi, 0) and info.new_spi not in (self.outbound.spi, 0)

    def ends(self, packet: Packet) -> bool:
        """Tell whether the other side gives up the SA that we send by, without another one (RFC 8046 §5.3)."""
        contents = packet.find(ParameterType.ESP_INFO)
        if contents is None:
            return False
        info = ESPInfo.decode(contents)
        return info.old_spi == self.outbound.spi and not info.new_spi

    def received(self, packet: Packet, number: int, path: Path, now: float) -> None:
        """Take the other side's UPDATE about new keys, and answer it.

        :raises BadPacket: if it is not valid.
        """
        info = ESPInfo.decode(packet.need(ParameterType.ESP_INFO))
        if info.new_spi < SMALLEST_SPI:
            raise BadPacket(f"the SPI {info.new_spi} is reserved")
        if self._next is not None:
            raise BadPacket("the keys are being changed already")
        contents = packet.find(ParameterType.DIFFIE_HELLMAN)
        if contents is not None and info.keymat_index:
            raise BadPacket("a new KEYMAT begins in its midst")
        public = None if contents is None else self._public(DiffieHellman.decode(contents))
        if public is None and info.keymat_index < self._index and self._own is None:
            raise BadPacket("these octets of KEYMAT were used before")
        self._keymat.check(info.keymat_index, 2 * ESP_KEYS[self._agreement.suite].size)
        self._peer = info, public
        if self._own is None:
            pair = None if public is None else new_key_pair(self._agreement.group)
            self._index = max(self._index, info.keymat_index)  # RFC 7402 §6.9.1, step 2
            self._ask(path, now, pair, (number,), echoes(packet))
        else:
            self._updates.answer(number, echoes(packet), path)
        self._look(now)

    def _public(self, their: DiffieHellman) -> bytes:
        if their.group != self._agreement.group:
            raise BadPacket("the Diffie-Hellman group is not the one of the base exchange")
        new_key_pair(their.group).secret(their.public)  # whether it is a value of the group
        return their.public

    def _heard(self, _packet: Packet, _path: Path, _now: float) -> None:
        self._acknowledged = True
        self._switch()

    def _given_up(self) -> None:
        """Hear that the other side does not answer: the old keys stay, and another attempt may be made."""
        self._own = self._peer = None

    # the keys

    def _look(self, now: float) -> None:
        """Make the new SAs if both sides have said what they need."""
        if self._own is None or self._peer is None or self._next is not None:
            return
        (own, pair), (peer, public) = self._own, self._peer
        if pair is not None:
            public = public or self._peer_public
            self._keymat = self._keymat.with_secret(pair.secret(public))
            self._peer_public = public
            self._index = 0
        else:
            self._index = max(own.keymat_index, peer.keymat_index)
        self._next = associations(
            self._agreement, self._keymat, self._index, own.new_spi, peer.new_spi, self._random
        )
        self._index += 2 * ESP_KEYS[self._agreement.suite].size
        self._old.append((now + OLD_TIME, self.inbound.spi))
        self.inbound = self._next[0]
        self._told(NewInbound(self.inbound))
        self._switch()

    def _switch(self) -> None:
        """Use the new keys, once the other side is known to have them."""
        if self._next is None or not self._acknowledged:
            return
        self.outbound = self._next[1]
        self._own = self._peer = self._next = None
        self.count += 1
        self._told(NewOutbound(self.outbound))

    def data_received(self, spi: int) -> None:
        """Hear that something has come to an SPI: by the new one, the other side has the new keys."""
        if self._next is not None and spi == self.inbound.spi:
            self._acknowledged = True
            self._switch()

    # time

    def due(self) -> float | None:
        """Return when :meth:`timer_fired` has something to do; None if time alone changes nothing."""
        times = [self._old[0][0]] if self._old else []
        if self._own is not None and self._next is None:
            times.append(self._until)
        return min(times, default=None)

    def timer_fired(self, now: float) -> None:
        """Take nothing any more that comes to SPIs that are old enough, and wait for nothing that does not come."""
        if self._own is not None and self._next is None and self._until <= now:
            self._given_up()
        while self._old and self._old[0][0] <= now:
            self._told(OldInbound(self._old.pop(0)[1]))
