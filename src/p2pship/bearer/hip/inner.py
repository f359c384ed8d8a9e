"""What travels inside ESP between two HITs: UDP for our frames and media, and ICMPv6 echo (RFC 768, RFC 4443, RFC 7402 App. B).

In BEET mode there is no inner IP header; checksums are made as if there was one with the HITs as addresses (RFC 7401 §4.5.1).
"""

from __future__ import annotations

import struct

from p2pship.bearer.hip.packet import ones_complement
from p2pship.errors import RemoteError

UDP = 17
ICMPV6 = 58

FRAMES_PORT = 5566
"Where the reliable channel of frames is, behind one octet that says what it is."

MEDIA_PORT = 5567
"Where single datagrams are, with nothing around them."

UDP_HEADER = 8
"Octets before the data."

ECHO_REQUEST = 128
ECHO_REPLY = 129

_pack = struct.Struct(">HHHH").pack
_unpack = struct.Struct(">2xHH").unpack_from
_PSEUDO = struct.Struct(">I3xB")
_CHECKED = 0xFFFF


class BadInner(RemoteError):
    """What was in an ESP packet is not what it says."""


class InnerUDP:
    """UDP headers between two HITs, from and to one port."""

    def __init__(self, own: bytes, their: bytes, port: int) -> None:
        self._port = port
        fixed = own + their + _PSEUDO.pack(0, UDP) + struct.pack(">HH", port, port)
        self._fixed = int.from_bytes(fixed, "big") % _CHECKED

    def header(self, data: bytes) -> bytes:
        """Return what stands before the data in a UDP datagram.

        A number in base 65536 has the same remainder by 65535 as the sum of its digits, so one division is the whole
        checksum; the length is in it twice, once as the pseudo header's.
        """
        length = len(data) + UDP_HEADER
        number = int.from_bytes(data, "big")
        summed = self._fixed + 2 * length + (number << 8 if length & 1 else number)
        return _pack(self._port, self._port, length, _CHECKED - summed % _CHECKED)


def unwrap(datagram: bytes) -> tuple[int, bytes]:
    """Return the port to which a UDP datagram goes, and its data. The ICV has shown that it came as it was sent.

    :raises BadInner: if its length is not that of what came.
    """
    if len(datagram) < UDP_HEADER:
        raise BadInner("a UDP datagram is too short")
    port, length = _unpack(datagram)
    if length != len(datagram):
        raise BadInner("the length of a UDP datagram is wrong")
    return port, datagram[UDP_HEADER:]


def echo(type_: int, own: bytes, their: bytes, rest: bytes) -> bytes:
    """Return an ICMPv6 echo message with identifier, number and data in ``rest``, from one HIT to the other."""
    message = bytes((type_, 0, 0, 0)) + rest
    pseudo = own + their + _PSEUDO.pack(len(message), ICMPV6)
    checksum = ones_complement(pseudo + message + bytes(len(message) & 1))
    return message[:2] + checksum.to_bytes(2, "big") + rest


def echo_answer(message: bytes, own: bytes, their: bytes) -> bytes | None:
    """Return the reply to an ICMPv6 message from the other side, if it is an echo request (RFC 4443 §4.2).

    :raises BadInner: if it is too short for what it is, or its checksum is wrong.
    """
    if len(message) < 8 or echo(message[0], their, own, message[4:]) != message:
        raise BadInner("an ICMPv6 message is not valid")
    return echo(ECHO_REPLY, own, their, message[4:]) if message[0] == ECHO_REQUEST else None
