"""MACs and signatures of packets: what they cover, and how they are checked (RFC 7401 §5.2.12 to §5.2.15, §6.4)."""

from __future__ import annotations

import hmac

from p2pship.bearer.hip.hostidentity import HostIdentity, OwnHostIdentity
from p2pship.bearer.hip.numbers import NotifyType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Builder, Packet, Parameter, scope
from p2pship.bearer.hip.parameters import Puzzle, Signature
from p2pship.bearer.hip.suites import RHash

_RECEIVER = slice(24, 40)
_PUZZLE_OPAQUE = 6
"Where the opaque octets, and behind them #I, begin in a PUZZLE, counted from its type (RFC 7401 §5.2.4)."


def add_mac(builder: Builder, rhash: RHash, key: bytes) -> None:
    """Add HIP_MAC, made with the key for what we send, over what is in the packet so far."""
    builder.add(ParameterType.HIP_MAC, rhash.mac(key, builder.octets()))


def add_mac_2(builder: Builder, rhash: RHash, key: bytes, host_id: bytes) -> None:
    """Add HIP_MAC_2, which also covers the Responder's HOST_ID as the R1 had it: all octets of the parameter."""
    builder.add(ParameterType.HIP_MAC_2, rhash.mac(key, scope(builder.octets() + host_id)))


def add_signature(builder: Builder, own: OwnHostIdentity) -> None:
    """Add HIP_SIGNATURE over what is in the packet so far."""
    builder.add(ParameterType.HIP_SIGNATURE, own.sign(builder.octets()))


def add_signature_2(builder: Builder, own: OwnHostIdentity) -> None:
    """Add HIP_SIGNATURE_2 to an R1 that has no receiver yet, and zeros as #I and opaque octets of its PUZZLE."""
    builder.add(ParameterType.HIP_SIGNATURE_2, own.sign(builder.octets()))


def check_mac(packet: Packet, rhash: RHash, key: bytes) -> None:
    """Check HIP_MAC with the key for what the other side sends.

    :raises BadPacket: if it is missing or wrong.
    """
    found = _needed(packet, ParameterType.HIP_MAC, NotifyType.HIP_MAC_FAILED)
    _compare(rhash.mac(key, packet.before(found)), found)


def has_mac(packet: Packet, rhash: RHash, key: bytes) -> bool:
    """Tell whether a packet has a HIP_MAC that was made with a key."""
    try:
        check_mac(packet, rhash, key)
    except BadPacket:
        return False
    return True


def check_mac_2(packet: Packet, rhash: RHash, key: bytes, host_id: bytes) -> None:
    """Check HIP_MAC_2; ``host_id`` is the parameter of the R1, all its octets.

    :raises BadPacket: if it is missing or wrong.
    """
    found = _needed(packet, ParameterType.HIP_MAC_2, NotifyType.HIP_MAC_FAILED)
    _compare(rhash.mac(key, scope(packet.raw[: found.start] + host_id)), found)


def check_signature(packet: Packet, identity: HostIdentity) -> None:
    """Check HIP_SIGNATURE.

    :raises BadPacket: if it is missing or not by this identity.
    """
    found = _needed(packet, ParameterType.HIP_SIGNATURE, NotifyType.AUTHENTICATION_FAILED)
    identity.verify(Signature.decode(found.contents), packet.before(found))


def check_signature_2(packet: Packet, identity: HostIdentity) -> None:
    """Check HIP_SIGNATURE_2, which was made before the receiver, the opaque octets and #I were known.

    :raises BadPacket: if it is missing or not by this identity.
    """
    found = _needed(packet, ParameterType.HIP_SIGNATURE_2, NotifyType.AUTHENTICATION_FAILED)
    puzzle = _needed(packet, ParameterType.PUZZLE, NotifyType.INVALID_SYNTAX)
    Puzzle.decode(puzzle.contents)  # one that is cut off has no place for what is left out
    covered = bytearray(packet.before(found))
    covered[_RECEIVER] = bytes(16)
    start, end = puzzle.start + _PUZZLE_OPAQUE, puzzle.start + 4 + len(puzzle.contents)
    covered[start:end] = bytes(end - start)
    identity.verify(Signature.decode(found.contents), bytes(covered))


def _needed(packet: Packet, type_: ParameterType, notify: NotifyType) -> Parameter:
    found = packet.parameter(type_)
    if found is None:
        raise BadPacket(f"{type_.name} is missing", notify)
    return found


def _compare(expected: bytes, found: Parameter) -> None:
    if not hmac.compare_digest(expected, found.contents):
        raise BadPacket("the MAC is not valid", NotifyType.HIP_MAC_FAILED)
