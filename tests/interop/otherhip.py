"""A HIPv2 host that is not ours, with blocking sockets: base exchange in both roles, echoes, UPDATE, CLOSE, and others' habits.

It is written from the RFCs alone and imports nothing of p2pship. A test calls what begins something, as :meth:`Host.initiate`; all that
comes meanwhile is answered.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import ClassVar

from tests.interop import otherwire as w
from tests.interop.otherdh import GROUPS, Exchange
from tests.interop.otherhabits import PYTHONIC, Carrier, Habits
from tests.interop.othersender import ECHOES, Association, Sender

PATIENCE = 20.0
"Seconds for the node to do what is wanted of it: a busy machine takes some of them."

LOOK = 0.02
"Seconds between looks whether what is waited for is so."


class Host(Sender):
    """One Host Identity at one carrier, and the associations that it has."""

    def __init__(self, key: w.Key, carrier: Carrier, habits: Habits = PYTHONIC) -> None:
        super().__init__(key, carrier, habits)
        self.associations: dict[bytes, Association] = {}
        self.answered: dict[bytes, bytes] = {}
        "R2s by the SOLUTION that they answer"
        self.received: list[tuple[int, dict[int, bytes]]] = []
        "types and parameters of all control packets"
        self.notified: list[int] = []
        self.answers_from: Carrier | None = None
        "where R1s and all that comes after them are sent from, if that is not where I1s come"
        self.lose: set[int] = set()
        "types of packets of which the next one is not looked at"
        self._wanted: bytes | None = None
        self._pending: Association | None = None

    # what is begun

    def initiate(self, hit: bytes, at: tuple[str, int], seconds: float = PATIENCE) -> Association:
        """Make an association; a zero HIT takes whoever answers."""
        self._wanted = hit
        self.associations.pop(hit, None)
        body = self._tlv(w.DH_GROUP_LIST, bytes(self.habits.groups))
        i1 = w.packet(w.I1, self.key.hit, hit, body)
        self.persuade(lambda: self.carrier.send(i1, at), lambda: self._made(hit), seconds, 1.0)
        self._wanted = None
        return self._made(hit) or self.associations[hit]

    def _made(self, hit: bytes) -> Association | None:
        if any(hit):
            return self.associations.get(hit)
        return next(iter(self.associations.values()), None)

    def ping(self, peer: Association, seconds: float = PATIENCE) -> None:
        """Ask for an echo until there is one."""
        number = os.urandom(2)
        body = number + b"\0\1" + bytes(range(48))
        asked = w.icmp(128, body, self.key.hit, peer.peer)
        met = int.from_bytes(number)
        self.persuade(lambda: self._esp(peer, asked), lambda: met in peer.pongs, seconds, 0.5)

    def rekey(self, peer: Association, new_dh: bool) -> None:
        """Change the keys of ESP."""
        before = peer.rekeys
        self._propose(peer, new_dh)
        self.update(peer, peer.proposal, met=lambda: peer.rekeys > before)

    def move(self, peer: Association, carrier: Carrier, *others: str, rekey: bool = False) -> None:
        """Go to another address, and say so."""
        self.carrier = carrier
        if rekey:
            self._propose(peer, False)
            spi = int.from_bytes(peer.proposal[w.ESP_INFO][8:])
        else:
            spi = peer.spi_in
            peer.proposal = {w.ESP_INFO: struct.pack("!HHII", 0, 0, spi, spi)}
        said = [w.locator(place, spi, place == carrier.address) for place in (carrier.address, *others)]
        self.update(peer, {**peer.proposal, w.LOCATOR_SET: b"".join(said)})

    def update(
        self, peer: Association, what: dict[int, bytes], met: Callable[[], bool] | None = None
    ) -> None:
        """Send an UPDATE until it is acknowledged, and what else is expected has come."""
        number = peer.update_id
        peer.update_id += 1
        data = self.controlled(w.UPDATE, peer, {**what, w.SEQ: struct.pack("!I", number)})
        done = met or (lambda: True)
        self.persuade(
            lambda: self.carrier.send(data, peer.at),
            lambda: number in peer.acknowledged and done(),
            PATIENCE,
            1.0,
        )

    def close(self, peer: Association, octets: int = 4) -> None:
        """End an association, with both sides' consent."""
        nonce = os.urandom(octets)
        data = self.controlled(w.CLOSE, peer, {w.ECHO_REQUEST: nonce})
        self.persuade(lambda: self.carrier.send(data, peer.at), lambda: nonce in peer.echoed, PATIENCE, 1.0)

    def persuade(
        self, send: Callable[[], object], met: Callable[[], object], seconds: float, every: float
    ) -> None:
        """Send again until something is so.

        :raises Wrong: if it is not in time.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            send()
            if self.serve(min(every, end - time.monotonic()), met):
                return
        raise w.Wrong(f"nothing came of it; received {[kind for kind, _ in self.received]} {self.notified}")

    def serve(self, seconds: float, met: Callable[[], object] = lambda: False) -> bool:
        """Answer whatever comes until something is so; tell whether it is."""
        end = time.monotonic() + seconds
        while not met():
            left = end - time.monotonic()
            if left <= 0:
                return False
            got = self.carrier.receive(min(left, LOOK))
            if got is not None:
                self._take(*got)
        return True

    # what comes

    def _take(self, data: bytes, source: tuple[str, int], esp: bool) -> None:
        if esp:
            self._take_esp(data)
            return
        read = w.parameters(data)
        kind = data[2]
        if kind in self.lose or data[24:40] not in (self.key.hit, bytes(16)):
            self.lose.discard(kind)
            return
        self.received.append((kind, {each.kind: each.value for each in read}))
        if kind in (w.UPDATE, w.CLOSE, w.CLOSE_ACK) and data[8:24] not in self.associations:
            return
        self._by_kind[kind](self, data, {each.kind: each for each in read}, source)

    def _take_esp(self, data: bytes) -> None:
        spi = int.from_bytes(data[:4])
        for peer in self.associations.values():
            if spi in peer.incoming:
                self._inside(peer, *peer.incoming[spi].open(data))

    def _inside(self, peer: Association, following: int, payload: bytes) -> None:
        if following != w.ICMPV6:
            return
        plain = payload[:2] + b"\0\0" + payload[4:]
        expected = w.icmp(payload[0], payload[4:], peer.peer, self.key.hit)
        w.check(expected == payload, f"checksum of ICMPv6 {plain.hex()}")
        if payload[0] == 128:
            peer.pinged += 1
            self._esp(peer, w.icmp(129, payload[4:], self.key.hit, peer.peer))
        elif payload[0] == 129:
            peer.pongs.add(int.from_bytes(payload[4:6]))

    def _take_i1(self, data: bytes, read: dict[int, w.Parameter], source: tuple[str, int]) -> None:
        if self._wanted == data[8:24] and data[8:24] > self.key.hit:
            return  # RFC 7401 §6.7: the greater HIT becomes the Responder
        group = next((each for each in self.habits.groups if each in read[w.DH_GROUP_LIST].value), 0)
        w.check(group in GROUPS, "no common group")
        self.carrier = self.answers_from or self.carrier
        self.carrier.send(self._build_r1(data[8:24], group), source)

    def _take_r1(self, data: bytes, read: dict[int, w.Parameter], source: tuple[str, int]) -> None:
        hit = data[8:24]
        if self._wanted is None or (any(self._wanted) and hit != self._wanted) or hit in self.associations:
            return
        self._check_r1(data, read)
        group = read[w.DIFFIE_HELLMAN].value[0]
        puzzle = read[w.PUZZLE].value
        name, before = w.rhash(hit), puzzle[4:] + self.key.hit + hit
        found = w.solve(name, puzzle[0], before)
        peer = self._begin(
            hit, read[w.HOST_ID].value, source, puzzle[4:] + found, Exchange(group), read, name
        )
        peer.theirs = {w.HOST_ID: read[w.HOST_ID].raw}
        self._pending = peer
        self.carrier.send(self._build_i2(peer, read, puzzle, found), source)

    def _check_r1(self, data: bytes, read: dict[int, w.Parameter]) -> None:
        host_id = read[w.HOST_ID].value
        w.check(w.hit_of(*w.identity_of(host_id)) == data[8:24], "HIT of the R1")
        w.check_signature(host_id, w.covered_by_signature_2(data, read), read[w.SIGNATURE_2].value)
        theirs = read[w.DH_GROUP_LIST].value
        chosen = next((each for each in theirs if each in self.habits.groups), None)
        w.check(chosen == read[w.DIFFIE_HELLMAN].value[0], "downgrade of the group")

    def _take_i2(self, data: bytes, read: dict[int, w.Parameter], source: tuple[str, int]) -> None:
        solution = read[w.SOLUTION].value
        if solution in self.answered:
            self.carrier.send(self.answered[solution], source)
            return
        peer = self._check_i2(data, read, source)
        peer.spi_in = self._new_spi()
        said = read[w.ESP_INFO].value
        w.check(said[4:8] == bytes(4) and said[2:4] == struct.pack("!H", peer.index), "ESP_INFO of the I2")
        info = {w.ESP_INFO: struct.pack("!HHII", 0, peer.index, 0, peer.spi_in)}
        self._esp_keys(peer, peer.spi_in, int.from_bytes(said[8:]))
        self.associations[peer.peer] = peer
        body = {**info, **self._locator_set(peer)}
        own = w.tlv(w.HOST_ID, self._host_id, self.habits.filler)
        r2 = self.controlled(w.R2, peer, body, own)
        self.answered[solution] = r2
        self.carrier.send(r2, source)

    def _check_i2(self, data: bytes, read: dict[int, w.Parameter], source: tuple[str, int]) -> Association:
        hit, name = data[8:24], w.rhash(self.key.hit)
        solution = read[w.SOLUTION].value
        number = solution[4 : 4 + (len(solution) - 4) // 2]
        covered = number + hit + self.key.hit + solution[4 + len(number) :]
        w.check(solution[0] == self.habits.k and w.puzzle_solved(name, self.habits.k, covered), "puzzle")
        if self.habits.counter is not None:
            w.check(int.from_bytes(read[w.R1_COUNTER].value[4:]) == self.habits.counter, "R1_COUNTER")
        for asked, said in ECHOES:
            if asked in self._r1:
                w.check(read[said].value == self._r1[asked], "echo of the R1's request")
        w.check(read[w.TRANSPORT_FORMATS].value == b"\x0f\xff", "transport format")
        if self.habits.nat_modes:
            w.check(read[w.NAT_MODE].value == b"\0\0\0\1", "mode of NAT traversal")
        exchange = self.offered[number]
        peer = self._begin(hit, b"", source, solution[4:], exchange, read, name)
        peer.host_id = w.host_id_in(read, peer.encryption_in)
        w.check(w.hit_of(*w.identity_of(peer.host_id)) == hit, "HIT of the I2")
        self._verify(peer, data, read)
        return peer

    def _take_r2(self, data: bytes, read: dict[int, w.Parameter], source: tuple[str, int]) -> None:
        peer = self._pending
        if peer is None or peer.peer != data[8:24] or peer.peer in self.associations:
            return
        self._verify(peer, data, read, peer.theirs[w.HOST_ID])
        said = read[w.ESP_INFO].value
        self._esp_keys(peer, peer.spi_in, int.from_bytes(said[8:]))
        self.associations[peer.peer] = peer

    def _take_update(self, data: bytes, read: dict[int, w.Parameter], source: tuple[str, int]) -> None:
        peer = self.associations[data[8:24]]
        self._verify(peer, data, read)
        acknowledged = read[w.ACK].value if w.ACK in read else b""
        peer.acknowledged.update(struct.unpack(f"!{len(acknowledged) // 4}I", acknowledged))
        for kind in (w.ECHO_RESPONSE, w.ECHO_RESPONSE_UNSIGNED):
            if kind in read:
                peer.echoed.add(read[kind].value)
        if w.SEQ in read:
            self._take_seq(peer, int.from_bytes(read[w.SEQ].value), read, source)
        self._finish_rekey(peer)
        if peer.nonce and peer.nonce in peer.echoed:
            peer.at, peer.nonce = source, b""
            peer.moves.append(source[0])

    def _take_seq(
        self, peer: Association, number: int, read: dict[int, w.Parameter], source: tuple[str, int]
    ) -> None:
        if number in peer.processed:
            self.carrier.send(peer.processed[number], source)
            return
        what = {w.ACK: struct.pack("!I", number)}
        for asked, said in ECHOES:
            if asked in read:
                what[said] = read[asked].value
        more = self._consequences(peer, read)
        target = self._to_verify(peer, read, source, more)
        if more and self.habits.separate_ack:
            self.carrier.send(self.controlled(w.UPDATE, peer, what), source)
            what = {}
        if more:
            what |= {**more, w.SEQ: struct.pack("!I", peer.update_id)}
            peer.update_id += 1
        answer = self.controlled(w.UPDATE, peer, what)
        peer.processed[number] = answer
        self.carrier.send(answer, target)

    def _consequences(self, peer: Association, read: dict[int, w.Parameter]) -> dict[int, bytes]:
        """Return what an UPDATE of theirs makes us send in one of our own."""
        if w.ESP_INFO not in read:
            return {}
        _, index, old, new = struct.unpack("!HHII", read[w.ESP_INFO].value)
        if old == new:
            return {}
        w.check(peer.outgoing and old == peer.outgoing.spi, "old SPI")
        w.check(w.DIFFIE_HELLMAN not in read or index == 0, "index with new Diffie-Hellman")
        peer.theirs = {each.kind: each.value for each in read.values()}
        if peer.proposal:
            return {}
        self._propose(peer, False)
        if w.DIFFIE_HELLMAN in read:
            peer.proposal[w.ESP_INFO] = b"\0\0\0\0" + peer.proposal[w.ESP_INFO][4:]
        return peer.proposal

    def _to_verify(
        self,
        peer: Association,
        read: dict[int, w.Parameter],
        source: tuple[str, int],
        more: dict[int, bytes],
    ) -> tuple[str, int]:
        """Add a question to what is sent if there is an address to verify; return where it goes."""
        if w.LOCATOR_SET not in read:
            return source
        said = w.locators(read[w.LOCATOR_SET].value)
        place = next((place for place, preferred, _ in said if preferred), said[0][0])
        if place == peer.at[0] or ip_address(place).version != ip_address(source[0]).version:
            return source
        peer.nonce = os.urandom(self.habits.nonce)
        more[w.ECHO_REQUEST if self.habits.nonce_signed else w.ECHO_REQUEST_UNSIGNED] = peer.nonce
        if peer.outgoing and w.ESP_INFO not in more:
            more[w.ESP_INFO] = struct.pack("!HHII", 0, 0, peer.spi_in, peer.spi_in)
        return place, source[1]

    def _take_notify(self, data: bytes, read: dict[int, w.Parameter], source: tuple[str, int]) -> None:
        self.notified.append(int.from_bytes(read[w.NOTIFICATION].value[2:4]))

    def _take_close(self, data: bytes, read: dict[int, w.Parameter], source: tuple[str, int]) -> None:
        peer = self.associations[data[8:24]]
        self._verify(peer, data, read)
        answer = {w.ECHO_RESPONSE: read[w.ECHO_REQUEST].value}
        self.carrier.send(self.controlled(w.CLOSE_ACK, peer, answer), source)
        if self.habits.closes_too and not peer.closed:
            self.carrier.send(self.controlled(w.CLOSE, peer, {w.ECHO_REQUEST: os.urandom(4)}), source)
        peer.closed = True

    def _take_close_ack(self, data: bytes, read: dict[int, w.Parameter], source: tuple[str, int]) -> None:
        peer = self.associations[data[8:24]]
        self._verify(peer, data, read)
        peer.echoed.add(read[w.ECHO_RESPONSE].value)
        peer.closed = True

    _by_kind: ClassVar = {
        w.I1: _take_i1,
        w.R1: _take_r1,
        w.I2: _take_i2,
        w.R2: _take_r2,
        w.UPDATE: _take_update,
        w.NOTIFY: _take_notify,
        w.CLOSE: _take_close,
        w.CLOSE_ACK: _take_close_ack,
    }
