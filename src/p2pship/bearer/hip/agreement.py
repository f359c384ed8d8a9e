"""What two hosts have agreed on in a base exchange: who they are, the keys of their packets, the ciphers, the SPIs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from p2pship.bearer.hip.esp import Inbound, Outbound, inbound, outbound
from p2pship.bearer.hip.hostidentity import HostIdentity, OwnHostIdentity
from p2pship.bearer.hip.keymat import HIPKeys, Keymat
from p2pship.bearer.hip.numbers import Cipher, ESPSuite
from p2pship.bearer.hip.suites import CIPHER_KEY, ESP_KEYS, RHash


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """The outcome of one base exchange, as one of the two sees it."""

    own: OwnHostIdentity
    peer: HostIdentity
    rhash: RHash
    "of the Responder's HIT"
    cipher: Cipher
    suite: ESPSuite
    group: int
    "the Diffie-Hellman group"
    peer_public: bytes
    "the other side's public value"
    keymat: Keymat
    own_keys: HIPKeys
    peer_keys: HIPKeys
    own_spi: int
    "to which the peer sends"
    peer_spi: int
    "to which we send; 0 as long as the R2 has not come"

    def with_peer_spi(self, spi: int) -> Agreement:
        """Return the same with the SPI that the R2 names."""
        return replace(self, peer_spi=spi)


def esp_index(rhash: RHash, cipher: Cipher) -> int:
    """Return where in KEYMAT the keys of the first pair of SAs are: behind those of the HIP packets (RFC 7402 §7)."""
    return 2 * (CIPHER_KEY[cipher] + rhash.size)


def associations(
    agreement: Agreement,
    keymat: Keymat,
    index: int,
    own_spi: int,
    peer_spi: int,
    random: Callable[[int], bytes],
) -> tuple[Inbound, Outbound]:
    """Return a pair of SAs with keys from a place in KEYMAT; nobody may draw from there again.

    :raises BadPacket: if KEYMAT is used up.
    """
    sizes = ESP_KEYS[agreement.suite]
    own_is_greater = agreement.own.hit > agreement.peer.hit
    own, peer = keymat.draw(index, (sizes.encryption, sizes.authentication), own_is_greater)
    return (
        inbound(agreement.suite, own_spi, peer.encryption + peer.mac),
        outbound(agreement.suite, peer_spi, own.encryption + own.mac, random),
    )
