"""Which parameters a packet has to have, and which of them more than once (RFC 7401 §5.2, §5.3, RFC 7402 §5.2, RFC 8046 §5.3).

What is known and means nothing in a packet of its type is passed over: RFC 7401 does not forbid it, and other programs do it.
"""

from __future__ import annotations

from itertools import pairwise

from p2pship.bearer.hip.numbers import NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, Packet, UnknownCritical
from p2pship.bearer.hip.suites import is_hit

_P = ParameterType

_NEEDED: dict[int, frozenset[int]] = {
    PacketType.I1: frozenset({_P.DH_GROUP_LIST}),
    PacketType.R1: frozenset({
        _P.PUZZLE, _P.DH_GROUP_LIST, _P.DIFFIE_HELLMAN, _P.HIP_CIPHER, _P.HOST_ID, _P.HIT_SUITE_LIST,
        _P.TRANSPORT_FORMAT_LIST, _P.ESP_TRANSFORM, _P.HIP_SIGNATURE_2,
    }),
    PacketType.I2: frozenset({
        _P.ESP_INFO, _P.SOLUTION, _P.DIFFIE_HELLMAN, _P.HIP_CIPHER, _P.TRANSPORT_FORMAT_LIST, _P.ESP_TRANSFORM,
        _P.HIP_MAC, _P.HIP_SIGNATURE,
    }),
    PacketType.R2: frozenset({_P.ESP_INFO, _P.HIP_MAC_2, _P.HIP_SIGNATURE}),
    PacketType.UPDATE: frozenset({_P.HIP_MAC, _P.HIP_SIGNATURE}),
    PacketType.NOTIFY: frozenset({_P.NOTIFICATION, _P.HIP_SIGNATURE}),
    PacketType.CLOSE: frozenset({_P.ECHO_REQUEST_SIGNED, _P.HIP_MAC, _P.HIP_SIGNATURE}),
    PacketType.CLOSE_ACK: frozenset({_P.ECHO_RESPONSE_SIGNED, _P.HIP_MAC, _P.HIP_SIGNATURE}),
}  # fmt: skip
"By the type of the packet."

_ONCE = frozenset(ParameterType) - {
    _P.CERT,
    _P.NOTIFICATION,
    _P.REG_REQUEST,
    _P.REG_RESPONSE,
    _P.REG_FAILED,
    _P.PEER_PERMISSION,
    _P.ECHO_RESPONSE_UNSIGNED,
    _P.ECHO_REQUEST_UNSIGNED,
    _P.FROM,
}
"Those of which a second one would leave open which is meant (RFC 7401 §5.2.20, §5.3.5, RFC 8046 §5.3), or that are a list already."

MOST_ECHOED = 256
"""Octets of all echo requests of a packet: each comes back in ours, and the largest that we make, an I2 with an RSA key of 4096 bits
and a public value of MODP 3072, has room for so many. Anybody may append them to an R1, so they must not spoil our I2."""

_ECHOED = frozenset({_P.ECHO_REQUEST_SIGNED, _P.ECHO_REQUEST_UNSIGNED})

_TO_ANYBODY = frozenset({PacketType.I1, PacketType.NOTIFY})
"What may be sent to no HIT (RFC 7401 §5.3.1, §5.3.6)."

_KNOWN = frozenset(int(each) for each in ParameterType)


def check(packet: Packet) -> None:
    """Check that a packet is of a known type, and has all that it needs, once, and nothing critical that is not known.

    :raises UnknownCritical: for the first critical parameter that is not known (RFC 7401 §5.2.1).
    :raises BadPacket: for anything else.
    """
    needed = _NEEDED.get(packet.type)
    if needed is None:
        raise BadPacket(f"packets of type {packet.type} are not known")
    types = [parameter.type for parameter in packet.parameters]
    check_critical(types)
    missing = needed.difference(types)
    if missing:
        raise BadPacket(f"the parameter {min(missing)} is missing")
    if packet.type == PacketType.UPDATE and _P.SEQ not in types and _P.ACK not in types:
        raise BadPacket("an UPDATE has neither SEQ nor ACK")
    for one, other in pairwise(types):
        if one == other and one in _ONCE:
            raise BadPacket(f"the parameter {one} is there twice")
    if sum(each.end - each.start for each in packet.parameters if each.type in _ECHOED) > MOST_ECHOED:
        raise BadPacket("more is to be echoed than is echoed")


def check_hits(packet: Packet, own: bytes) -> None:
    """Check that a packet is from a HIT that is not ours, and for the host with ours, or for nobody in particular where that may be.

    :raises BadPacket: if it is not.
    """
    if packet.receiver != own and (any(packet.receiver) or packet.type not in _TO_ANYBODY):
        raise BadPacket("the packet is for another host", NotifyType.INVALID_HIT)
    if packet.sender == own:
        raise BadPacket("the packet is from ourselves", NotifyType.INVALID_HIT)
    if not is_hit(packet.sender):
        raise BadPacket("the packet is from no HIT", NotifyType.INVALID_HIT)


def check_critical(types: list[int]) -> None:
    """Check that there is no critical parameter that is not known.

    :raises UnknownCritical: for the first one.
    """
    for type_ in types:
        if type_ & 1 and type_ not in _KNOWN:
            raise UnknownCritical(type_)
