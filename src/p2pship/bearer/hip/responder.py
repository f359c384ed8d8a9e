"""The Responder's side of a base exchange: R1 without state, then an I2 that is checked, cheapest first (RFC 7401 §6.7, §6.9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from p2pship.bearer.hip.agreement import Agreement, esp_index
from p2pship.bearer.hip.authentication import add_mac_2, add_signature, check_mac, check_signature
from p2pship.bearer.hip.composition import check, check_critical
from p2pship.bearer.hip.encrypted import decrypt
from p2pship.bearer.hip.esp import SMALLEST_SPI
from p2pship.bearer.hip.hostidentity import HostIdentity, OwnHostIdentity, read_host_identity
from p2pship.bearer.hip.keymat import HIPKeys, Keymat
from p2pship.bearer.hip.load import Load
from p2pship.bearer.hip.natparameters import decode_modes
from p2pship.bearer.hip.numbers import (
    Cipher,
    ESPSuite,
    NATTraversalMode,
    NotifyType,
    PacketType,
    ParameterType,
    TransportFormat,
)
from p2pship.bearer.hip.packet import BadPacket, Builder, Packet, UnknownCritical, parse_parameters
from p2pship.bearer.hip.parameters import (
    DiffieHellman,
    ESPInfo,
    Solution,
    decode_ciphers,
    decode_esp_transform,
    decode_list,
)
from p2pship.bearer.hip.r1pool import R1, R1Pool, Stale, check_group
from p2pship.bearer.hip.suites import CIPHER_KEY, OFFERED_CIPHERS, OFFERED_ESP, rhash_of


class Rejected(BadPacket):
    """An I2 has solved its puzzle, and is not valid all the same: its sender may be told why (RFC 7401 §6.9.1)."""

    def __init__(self, error: BadPacket, told: NotifyType | None) -> None:
        super().__init__(str(error), error.notify)
        self.told = told
        "what its sender is told; None for nothing"
        self.data = error.type.to_bytes(2, "big") if isinstance(error, UnknownCritical) else b""


class Malformed(BadPacket):
    """A packet is truly from its sender, and not as it should be."""


class Accepted(NamedTuple):
    """A valid I2."""

    agreement: Agreement
    i2: Packet
    r2: bytes
    "the answer, which is sent again when the I2 comes again"


class Responder:
    """Answers for one Host Identity."""

    def __init__(
        self,
        own: OwnHostIdentity,
        pool: R1Pool,
        random: Callable[[int], bytes],
        new_spi: Callable[[], int],
        load: Load,
    ) -> None:
        self._load = load
        self._own = own
        self._pool = pool
        self._random = random
        self._new_spi = new_spi
        self._rhash = rhash_of(own.hit)

    def i2(self, packet: Packet, host: str, incarnation: int, now: float, has_room: bool) -> Accepted:
        """Take an I2 that came from an IP address, unless there are too many associations.

        ``incarnation`` is the number of the association that stands with its sender, 0 if none does.

        :raises Rejected: if it has solved its puzzle, and is not valid otherwise.
        :raises BadPacket: if it is not valid. Nothing is kept of either but that its solution was wrong.
        """
        rhash_of(packet.sender)
        r1, solution = self._pool.solved(packet, host, incarnation, now)
        if not self._load.admits(r1.difficulty, now):
            raise Stale("the puzzle is easier than those that are given out now")
        self._load.i2_received(now)
        try:
            if not has_room:
                raise BadPacket("there are too many associations", NotifyType.RESPONDER_BUSY_PLEASE_RETRY)
            check(packet)
            agreement = self._agree(packet, r1, solution)
        except BadPacket as error:
            self._pool.was_wrong(r1, solution)
            raise Rejected(error, _told(error)) from None
        self._pool.accepted(r1, solution, self._load.is_high(now))
        return Accepted(agreement, packet, self._r2(agreement, r1))

    def _agree(self, packet: Packet, r1: R1, solution: Solution) -> Agreement:
        cipher, suite = _chosen(packet)
        their = DiffieHellman.decode(packet.need(ParameterType.DIFFIE_HELLMAN))
        check_group(r1, their)
        secret = r1.key_pair.secret(their.public)
        keymat = Keymat(self._rhash, solution.random, solution.solution, secret, packet.sender, self._own.hit)
        sizes = CIPHER_KEY[cipher], self._rhash.size
        own_keys, peer_keys = keymat.draw(0, sizes, self._own.hit > packet.sender)
        check_mac(packet, self._rhash, peer_keys.mac)
        peer = _initiator(packet, peer_keys)
        check_signature(packet, peer)
        info = ESPInfo.decode(packet.need(ParameterType.ESP_INFO))
        if info.keymat_index != esp_index(self._rhash, cipher) or info.old_spi or info.new_spi < SMALLEST_SPI:
            raise Malformed("ESP_INFO is not that of a new association")
        return Agreement(
            self._own,
            peer,
            self._rhash,
            cipher,
            suite,
            their.group,
            their.public,
            keymat,
            own_keys,
            peer_keys,
            self._new_spi(),
            info.new_spi,
        )

    def _r2(self, agreement: Agreement, r1: R1) -> bytes:
        builder = Builder(PacketType.R2, self._own.hit, agreement.peer.hit)
        index = esp_index(agreement.rhash, agreement.cipher)
        builder.add(ParameterType.ESP_INFO, ESPInfo(index, 0, agreement.own_spi).encode())
        add_mac_2(builder, agreement.rhash, agreement.own_keys.mac, r1.host_id)
        add_signature(builder, self._own)
        return builder.octets()


def _told(error: BadPacket) -> NotifyType | None:
    """Return what the sender of an I2 is told.

    Of syntax only if it is truly from its sender (RFC 7401 §5.2.19), and of its kind of HIT nothing (§6.9, step 3).
    """
    if isinstance(error, Malformed):
        return error.notify
    silent = NotifyType.INVALID_SYNTAX, NotifyType.UNSUPPORTED_HIT_SUITE
    return None if error.notify in silent else error.notify


def _chosen(packet: Packet) -> tuple[Cipher, ESPSuite]:
    """Return what the Initiator chose of what was offered to it."""
    cipher = _single(decode_ciphers(packet.need(ParameterType.HIP_CIPHER)), OFFERED_CIPHERS)
    if cipher is None:
        raise BadPacket("the cipher was not offered", NotifyType.INVALID_HIP_CIPHER_CHOSEN)
    formats = decode_list(
        ParameterType.TRANSPORT_FORMAT_LIST, packet.need(ParameterType.TRANSPORT_FORMAT_LIST)
    )
    suite = _single(decode_esp_transform(packet.need(ParameterType.ESP_TRANSFORM)), OFFERED_ESP)
    if suite is None or formats != (TransportFormat.ESP,):
        raise BadPacket("the ESP suite was not offered", NotifyType.INVALID_ESP_TRANSFORM_CHOSEN)
    mode = packet.find(ParameterType.NAT_TRAVERSAL_MODE)
    if mode is not None and decode_modes(mode) != (NATTraversalMode.UDP_ENCAPSULATION,):
        raise BadPacket(
            "the mode of NAT traversal was not offered", NotifyType.NO_VALID_NAT_TRAVERSAL_MODE_PARAMETER
        )
    return Cipher(cipher), ESPSuite(suite)


def _single(chosen: Sequence[int], offered: Sequence[int]) -> int | None:
    return chosen[0] if len(chosen) == 1 and chosen[0] in offered else None


def _initiator(packet: Packet, keys: HIPKeys) -> HostIdentity:
    """Return the Initiator's Host Identity, which may be encrypted."""
    contents = packet.find(ParameterType.HOST_ID)
    hidden = packet.find(ParameterType.ENCRYPTED)
    if hidden is not None:
        inner = parse_parameters(decrypt(keys.encryption, hidden))
        check_critical([each.type for each in inner])
        contents = next((each.contents for each in inner if each.type == ParameterType.HOST_ID), contents)
    if contents is None:
        raise BadPacket("there is no HOST_ID")
    identity = read_host_identity(contents)
    if identity.hit != packet.sender:
        raise BadPacket("the HIT is not that of the Host Identity", NotifyType.INVALID_HIT)
    return identity
