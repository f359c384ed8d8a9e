"""HIP packets that are not quite what they were."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from p2pship.bearer.hip.numbers import ParameterType
from p2pship.bearer.hip.packet import HEADER_SIZE, LARGEST, Builder, Packet, tlv

Listed = list[tuple[int, bytes]]

_EDGES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 32, 64, 127, 128, 254, 255)
_LONGEST = 64


class Mutator:
    """Changes packets, each time in another way."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def raw(self, octets: bytes) -> bytes:
        """Return a packet with octets changed, taken away, put in or moved; its length is right most of the time."""
        ways = (self._flipped, self._cut, self._stretched, self._moved, self._relisted)
        changed = self._dice.choice(ways)(octets)[:LARGEST]
        if self._dice.random() < 0.9 and len(changed) >= HEADER_SIZE:
            changed = changed[: len(changed) // 8 * 8]
            changed = changed[:1] + bytes([len(changed) // 8 - 1]) + changed[2:]
        return changed

    def _flipped(self, octets: bytes) -> bytes:
        changed = bytearray(octets)
        for _ in range(self._dice.randint(1, 4)):
            changed[self._dice.randrange(len(changed))] = self._octet()
        return bytes(changed)

    def _octet(self) -> int:
        return self._dice.choice(_EDGES) if self._dice.random() < 0.5 else self._dice.randrange(256)

    def _cut(self, octets: bytes) -> bytes:
        return octets[: self._dice.randrange(len(octets))]

    def _stretched(self, octets: bytes) -> bytes:
        at = self._dice.randrange(HEADER_SIZE, len(octets) + 1) // 8 * 8
        return octets[:at] + self._dice.randbytes(8 * self._dice.randint(1, 4)) + octets[at:]

    def _moved(self, octets: bytes) -> bytes:
        one, two, three = sorted(
            self._dice.randrange(HEADER_SIZE, len(octets) + 1) // 8 * 8 for _ in range(3)
        )
        return octets[:one] + octets[two:three] + octets[one:two] + octets[three:]

    def _relisted(self, octets: bytes) -> bytes:
        """Change one length of a parameter, wherever one may be."""
        at = self._dice.randrange(HEADER_SIZE, len(octets), 8)
        return octets[: at + 2] + bytes([self._octet() & 7, self._octet()]) + octets[at + 4 :]

    def listed(self, packet: Packet) -> Listed:
        """Return the parameters of a packet before its MAC or signature, one or two of them changed, in order."""
        listed = [
            (each.type, each.contents) for each in packet.parameters if each.type < ParameterType.HIP_MAC
        ]
        for _ in range(self._dice.randint(1, 2)):
            listed = self._changed(listed)
        return sorted(listed, key=lambda each: each[0])

    def _changed(self, listed: Listed) -> Listed:
        if not listed:
            return [self._any()]
        at = self._dice.randrange(len(listed))
        type_, contents = listed[at]
        way = self._dice.randrange(8)
        if way == 0:
            return listed[:at] + listed[at + 1 :]
        if way == 1:
            return [
                *listed,
                self._dice.choice([(type_, contents), (type_, self._altered(contents)), self._any()]),
            ]
        if way == 2:
            return [*listed[:at], (self._any()[0], contents), *listed[at + 1 :]]
        return [*listed[:at], (type_, self._altered(contents)), *listed[at + 1 :]]

    def _any(self) -> tuple[int, bytes]:
        known = [type_ for type_ in ParameterType if type_ < ParameterType.HIP_MAC]
        type_ = self._dice.choice([self._dice.randrange(4096) * 2, self._dice.randrange(8192), *known])
        return type_, self._dice.randbytes(self._dice.choice(_EDGES) % _LONGEST)

    def _altered(self, contents: bytes) -> bytes:
        way = self._dice.randrange(5)
        if way == 0 or not contents:
            return self._dice.randbytes(self._dice.choice(_EDGES) % _LONGEST)
        if way == 1:
            return contents[: self._dice.randrange(len(contents))]
        if way == 2:
            return contents + self._dice.randbytes(self._dice.randint(1, 16))
        if way == 3:
            return bytes([self._dice.choice((0, 255))]) * len(contents)
        return self._flipped(contents)


def built(
    packet: Packet, listed: Iterable[tuple[int, bytes]], *protect: Callable[[Builder], object]
) -> bytes:
    """Return a packet like another one, with other parameters, protected anew."""
    builder = Builder(packet.type, packet.sender, packet.receiver, packet.controls)
    for type_, contents in listed:
        builder.add(type_, contents)
    for each in protect:
        each(builder)
    return builder.octets()


def appended(octets: bytes, *parameters: tuple[int, bytes]) -> bytes:
    """Return a packet with parameters behind it."""
    longer = octets + b"".join(tlv(*each) for each in parameters)
    return longer[:1] + bytes([len(longer) // 8 - 1]) + longer[2:]
