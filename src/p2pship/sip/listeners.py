"""The two places at which phones register: loopback, and, where that is wanted, an address for phones of other machines."""

from __future__ import annotations

from p2pship.address import HostPort, is_loopback
from p2pship.interfaces import ISIPHop
from p2pship.sip.hops import PhoneHops


class Listeners:
    """Finds the hop to a phone by where it is: what goes to loopback goes by the one, all else by the other."""

    def __init__(self, local: PhoneHops, network: PhoneHops | None) -> None:
        """``network`` is None where no phones of other machines are served."""
        self._local = local
        self._network = network or local

    def hop_for(self, host: str, port: int, transport: str) -> ISIPHop:
        """Return the hop to a phone's address; as :meth:`~p2pship.sip.transport.PhoneTransport.hop_for`."""
        return self._of(host).hop_for(host, port, transport)

    def is_connected(self, address: HostPort) -> bool:
        """Tell whether a TCP connection with this very address is up."""
        return self._local.is_connected(address) or self._network.is_connected(address)

    def _of(self, host: str) -> PhoneHops:
        if self._network is self._local or is_loopback(host):
            return self._local
        return self._network
