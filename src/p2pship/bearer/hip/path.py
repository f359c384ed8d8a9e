"""A path: a socket of ours and an address of the other side's."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple


class Path(NamedTuple):
    """Where packets leave and where they go to. The machines only compare and keep it."""

    carrier: Hashable
    "what sends: a socket that is bound to one of our addresses"
    address: Hashable
    "as that socket gives and takes it"
    own_host: str
    "our IP address, in its canonical spelling"
    host: str
    "the other side's IP address"
    port: int
    "the other side's UDP port; 0 for raw IP"

    @property
    def is_encapsulated(self) -> bool:
        """Whether packets travel in UDP (RFC 9028 §5.1), not in IP alone."""
        return bool(self.port)


class Send(NamedTuple):
    """A control packet that is to be sent: without checksum, which raw IP adds."""

    octets: bytes
    path: Path
