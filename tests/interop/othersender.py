"""A Host Identity that is not ours, what it agrees on with others, and the packets that it sends them."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.interop import otherwire as w
from tests.interop.otherdh import Exchange
from tests.interop.otherhabits import Carrier, Habits

ECHOES = ((w.ECHO_REQUEST, w.ECHO_RESPONSE), (w.ECHO_REQUEST_UNSIGNED, w.ECHO_RESPONSE_UNSIGNED))
"What is asked for, and what is said then."


@dataclass
class Association:
    """What both ends of an association know."""

    peer: bytes
    host_id: bytes
    "contents of the other side's HOST_ID"
    at: tuple[str, int]
    name: str
    "of RHASH"
    salt: bytes
    exchange: Exchange
    public: bytes
    "the other side's DIFFIE_HELLMAN"
    cipher: int
    suite: int
    keymat: bytes = b""
    index: int = 0
    encryption_out: bytes = b""
    encryption_in: bytes = b""
    mac_out: bytes = b""
    mac_in: bytes = b""
    spi_in: int = 0
    outgoing: w.SA | None = None
    incoming: dict[int, w.SA] = field(default_factory=dict)
    update_id: int = 0
    acknowledged: set[int] = field(default_factory=set)
    processed: dict[int, bytes] = field(default_factory=dict)
    "answers to the other side's UPDATEs by their ID"
    echoed: set[bytes] = field(default_factory=set)
    pongs: set[int] = field(default_factory=set)
    pinged: int = 0
    rekeys: int = 0
    moves: list[str] = field(default_factory=list)
    proposal: dict[int, bytes] = field(default_factory=dict)
    "parameters of our rekeying UPDATE"
    theirs: dict[int, bytes] = field(default_factory=dict)
    "parameters of theirs"
    closed: bool = False
    nonce: bytes = b""


class Sender:
    """One Host Identity at one carrier: its keys, and its packets."""

    def __init__(self, key: w.Key, carrier: Carrier, habits: Habits) -> None:
        self.key, self.carrier, self.habits = key, carrier, habits
        self.offered: dict[bytes, Exchange] = {}
        "private values of R1s by their #I"
        self._kept: dict[int, bytes] = {}
        self._r1: dict[int, bytes] = {}
        "parameters of the last R1"
        self._host_id = key.host_id(habits.domain, habits.domain_type)
        self._fresh: Exchange | None = None

    # what is sent

    def _tlv(self, kind: int, value: bytes) -> bytes:
        return w.tlv(kind, value, self.habits.filler)

    def _body(self, what: dict[int, bytes]) -> bytes:
        return b"".join(self._tlv(kind, what[kind]) for kind in sorted(what))

    def _esp(self, peer: Association, message: bytes) -> None:
        assert peer.outgoing is not None
        self.carrier.send(peer.outgoing.seal(message), peer.at, True)

    def _build_r1(self, hit: bytes, group: int) -> bytes:
        """Return an R1, one that is kept if such is the habit."""
        body = self._kept.get(group, b"") or self._r1_body(group)
        if self.habits.keeps_r1:
            self._kept[group] = body
        return w.packet(w.R1, self.key.hit, hit, body)

    def _r1_body(self, group: int) -> bytes:
        """Return the parameters of an R1 with a value of Diffie-Hellman of its own."""
        exchange, number = Exchange(group), os.urandom(w.size_of(w.rhash(self.key.hit)))
        self.offered[number] = exchange
        head = bytes((self.habits.k, self.habits.lifetime))
        what = self._offer(exchange) | {w.PUZZLE: head + bytes(2 + len(number))}
        plain = w.packet(w.R1, self.key.hit, bytes(16), self._body(what))
        signature = self._tlv(w.SIGNATURE_2, self.key.sign(plain))
        what[w.PUZZLE] = head + b"op" + number
        after = {}
        if self.habits.unsigned_request:
            after[w.ECHO_REQUEST_UNSIGNED] = os.urandom(self.habits.unsigned_request)
        self._r1 = what | after
        return self._body(what) + signature + self._body(after)

    def _offer(self, exchange: Exchange) -> dict[int, bytes]:
        """Return what an R1 has beside its puzzle and signature."""
        habits = self.habits
        what = {
            w.DH_GROUP_LIST: bytes(habits.groups),
            w.DIFFIE_HELLMAN: exchange.value,
            w.HIP_CIPHER: shorts(habits.ciphers),
            w.HOST_ID: self._host_id,
            w.HIT_SUITES: habits.hit_suites,
            w.TRANSPORT_FORMATS: shorts(habits.formats),
            w.ESP_TRANSFORM: b"\0\0" + shorts(habits.suites),
        }
        if habits.counter is not None:
            what[w.R1_COUNTER] = struct.pack("!IQ", 0, habits.counter)
        if habits.nat_modes:
            what[w.NAT_MODE] = b"\0\0" + shorts(habits.nat_modes)
        if habits.locators:
            what[w.LOCATOR_SET] = w.locator(self.carrier.address, 0, True)
        if habits.signed_request:
            what[w.ECHO_REQUEST] = os.urandom(habits.signed_request)
        return what

    def _build_i2(
        self, peer: Association, read: dict[int, w.Parameter], puzzle: bytes, found: bytes
    ) -> bytes:
        """Return the answer to an R1, whose puzzle has been solved."""
        peer.spi_in = self._new_spi()
        head = bytes((puzzle[0], puzzle[1] if self.habits.copied_lifetime else 0)) + puzzle[2:]
        what = {
            w.ESP_INFO: struct.pack("!HHII", 0, peer.index, 0, peer.spi_in),
            w.SOLUTION: head + found,
            w.DIFFIE_HELLMAN: peer.exchange.value,
            w.HIP_CIPHER: shorts((peer.cipher,)),
            w.TRANSPORT_FORMATS: shorts((0x0FFF,)),
            w.ESP_TRANSFORM: b"\0\0" + shorts((peer.suite,)),
            **self._locator_set(peer),
        }
        if self.habits.nat_modes and w.NAT_MODE in read:
            what[w.NAT_MODE] = b"\0\0" + shorts((1,))
        for asked, said in ((w.R1_COUNTER, w.R1_COUNTER), *ECHOES):
            if asked in read:
                what[said] = read[asked].value
        if self.habits.encrypted:
            what[w.ENCRYPTED] = self._encrypted(peer)
        else:
            what[w.HOST_ID] = self._host_id
        return self.controlled(w.I2, peer, what)

    def _encrypted(self, peer: Association) -> bytes:
        iv, inner = os.urandom(16), w.tlv(w.HOST_ID, self._host_id)
        fill = 16 - len(inner) % 16
        return bytes(4) + iv + w.cbc(peer.encryption_out, iv, inner + bytes((fill,)) * fill, True)

    def _locator_set(self, peer: Association) -> dict[int, bytes]:
        if not self.habits.locators:
            return {}
        return {w.LOCATOR_SET: w.locator(self.carrier.address, peer.spi_in, True)}

    def controlled(
        self,
        kind: int,
        peer: Association,
        what: dict[int, bytes],
        more: bytes = b"",
    ) -> bytes:
        """Return a packet with MAC and signature; parameters of greater types go after them."""
        after = {number: value for number, value in what.items() if number > w.SIGNATURE}
        body = self._body({number: value for number, value in what.items() if number < w.MAC})
        plain = w.packet(kind, self.key.hit, peer.peer, body + more)
        code = w.mac(peer.name, peer.mac_out, plain)
        body += self._tlv(w.MAC_2 if more else w.MAC, code)
        body += self._tlv(w.SIGNATURE, self.key.sign(w.packet(kind, self.key.hit, peer.peer, body)))
        return w.packet(kind, self.key.hit, peer.peer, body + self._body(after))

    # keys

    def _begin(
        self,
        hit: bytes,
        host_id: bytes,
        source: tuple[str, int],
        salt: bytes,
        exchange: Exchange,
        read: dict[int, w.Parameter],
        name: str,
    ) -> Association:
        cipher = first(read[w.HIP_CIPHER].value, self.habits.ciphers)
        suite = first(read[w.ESP_TRANSFORM].value[2:], self.habits.suites)
        public = read[w.DIFFIE_HELLMAN].value
        peer = Association(hit, host_id, source, name, salt, exchange, public, cipher, suite)
        peer.update_id = self.habits.first_id
        self._material(peer)
        sizes = 2 * (w.CIPHER_KEYS[cipher], w.size_of(name))
        peer.index = sum(sizes)
        drawn = list(w.cut(peer.keymat, sizes))
        mine, theirs = (drawn[:2], drawn[2:]) if self.key.hit > hit else (drawn[2:], drawn[:2])
        peer.encryption_out, peer.mac_out = mine
        peer.encryption_in, peer.mac_in = theirs
        return peer

    def _material(self, peer: Association) -> None:
        secret = peer.exchange.secret(peer.public)
        peer.keymat = w.keymat(peer.name, secret, peer.salt, (self.key.hit, peer.peer))

    def _esp_keys(self, peer: Association, spi_in: int, spi_out: int) -> None:
        size = sum(w.ESP_KEYS[peer.suite])
        middle, end = peer.index + size, peer.index + 2 * size
        greater, lesser = peer.keymat[peer.index : middle], peer.keymat[middle:end]
        mine, theirs = (greater, lesser) if self.key.hit > peer.peer else (lesser, greater)
        peer.outgoing = w.SA(peer.suite, spi_out, mine)
        peer.incoming[spi_in] = w.SA(peer.suite, spi_in, theirs)
        peer.index, peer.spi_in = end, spi_in

    def _new_spi(self) -> int:
        return 256 + int.from_bytes(os.urandom(3))

    def _propose(self, peer: Association, new_dh: bool) -> None:
        index = 0 if new_dh else peer.index
        peer.proposal = {w.ESP_INFO: struct.pack("!HHII", 0, index, peer.spi_in, self._new_spi())}
        self._fresh = Exchange(peer.exchange.group) if new_dh else None
        if self._fresh is not None:
            peer.proposal[w.DIFFIE_HELLMAN] = self._fresh.value

    def _finish_rekey(self, peer: Association) -> None:
        """Take the new keys when ours is acknowledged and theirs has come (RFC 7402 §6.10)."""
        ours, theirs = peer.proposal.get(w.ESP_INFO), peer.theirs.get(w.ESP_INFO)
        if not ours or not theirs or ours[4:8] == ours[8:] or peer.update_id - 1 not in peer.acknowledged:
            return
        peer.public = peer.theirs.get(w.DIFFIE_HELLMAN, peer.public)
        peer.exchange = self._fresh or peer.exchange
        if w.DIFFIE_HELLMAN in peer.theirs or w.DIFFIE_HELLMAN in peer.proposal:
            self._material(peer)
            peer.index = 0
        else:
            peer.index = max(int.from_bytes(each[2:4]) for each in (ours, theirs))
        self._esp_keys(peer, int.from_bytes(ours[8:]), int.from_bytes(theirs[8:]))
        peer.proposal, peer.theirs = {}, {}
        peer.rekeys += 1

    def _verify(
        self, peer: Association, data: bytes, read: dict[int, w.Parameter], more: bytes = b""
    ) -> None:
        code = read[w.MAC_2 if more else w.MAC]
        found = w.mac(peer.name, peer.mac_in, w.up_to(data, code.start, more))
        w.check(found == code.value, "MAC")
        signature = read[w.SIGNATURE]
        w.check_signature(peer.host_id, w.up_to(data, signature.start), signature.value)


def shorts(numbers: Sequence[int]) -> bytes:
    """Return numbers of two octets each."""
    return struct.pack(f"!{len(numbers)}H", *numbers)


def first(offered: bytes, own: Sequence[int]) -> int:
    """Return the first of two octets each that is one's own as well, and known here."""
    for number in struct.unpack(f"!{len(offered) // 2}H", offered):
        if number in own and number != 1:
            return int(number)
    raise w.Wrong(f"nothing in common of {offered.hex()}")
