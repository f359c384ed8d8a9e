"""Recorded base exchanges as our own package reads them."""

from __future__ import annotations

from functools import cached_property

from p2pship.bearer.hip.agreement import esp_index
from p2pship.bearer.hip.encrypted import decrypt
from p2pship.bearer.hip.hostidentity import HostIdentity, read_host_identity
from p2pship.bearer.hip.keymat import HIPKeys, Keymat
from p2pship.bearer.hip.numbers import Cipher, PacketType, ParameterType
from p2pship.bearer.hip.packet import parse, parse_parameters
from p2pship.bearer.hip.parameters import ESPInfo, Solution, decode_ciphers, decode_esp_transform
from p2pship.bearer.hip.suites import CIPHER_KEY, rhash_of
from tests.bearer.hip.captures import WITH_SECRET, control, exchanges, secret


class Recorded:
    """An exchange with its secret."""

    def __init__(self, name: str, packets: list[bytes], secret: bytes) -> None:
        self.name = name
        self.packets = [parse(octets) for octets in packets]
        self.secret = secret
        self.i1, self.r1, self.i2, self.r2 = (
            next(packet for packet in self.packets if packet.type == type_)
            for type_ in (PacketType.I1, PacketType.R1, PacketType.I2, PacketType.R2)
        )
        self.rhash = rhash_of(self.r1.sender)
        self.solution = Solution.decode(self.i2.need(ParameterType.SOLUTION))
        self.cipher = Cipher(decode_ciphers(self.i2.need(ParameterType.HIP_CIPHER))[0])
        self.suite = decode_esp_transform(self.i2.need(ParameterType.ESP_TRANSFORM))[0]
        self.index = esp_index(self.rhash, self.cipher)

    @cached_property
    def keymat(self) -> Keymat:
        """The keys of the association."""
        solution = self.solution
        hits = self.i2.sender, self.i2.receiver
        return Keymat(self.rhash, solution.random, solution.solution, self.secret, *hits)

    def keys(self, sender: bytes) -> HIPKeys:
        """Return the keys of what a host sends."""
        other = self.i2.sender if sender == self.i2.receiver else self.i2.receiver
        return self.keymat.draw(0, (CIPHER_KEY[self.cipher], self.rhash.size), sender > other)[0]

    def host_id(self) -> bytes:
        """Return the contents of the Initiator's HOST_ID, which may be encrypted."""
        found = self.i2.find(ParameterType.HOST_ID)
        if found is not None:
            return found
        inner = decrypt(self.keys(self.i2.sender).encryption, self.i2.need(ParameterType.ENCRYPTED))
        (parameter,) = parse_parameters(inner)
        assert parameter.type == ParameterType.HOST_ID
        return parameter.contents

    def identity(self, hit: bytes) -> HostIdentity:
        """Return a host's identity."""
        is_responder = hit == self.r1.sender
        return read_host_identity(self.r1.need(ParameterType.HOST_ID) if is_responder else self.host_id())

    def spis(self) -> dict[int, bytes]:
        """Return which SPI leads to which host."""
        return {
            ESPInfo.decode(packet.need(ParameterType.ESP_INFO)).new_spi: packet.sender
            for packet in (self.i2, self.r2)
        }


def all_recorded() -> list[Recorded]:
    """Return every exchange whose secret is known."""
    found = [Recorded(name, control(name), secret(name)) for name in WITH_SECRET]
    for number, each in enumerate(exchanges()):
        packets = [bytes.fromhex(octets) for octets in each["packets"].values()]
        found.append(Recorded(f"exchange {number}", packets, bytes.fromhex(each["kij"])))
    return found
