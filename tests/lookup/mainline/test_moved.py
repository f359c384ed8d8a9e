"""A node of the DHT whose machine has another address than before."""

from __future__ import annotations

import socket
from dataclasses import replace

from p2pship.testing.dht import BEGINNINGS
from p2pship.testing.network import StaticNetwork, loopback
from tests.lookup.mainline.privatedht import MainlineTestCase

ELSEWHERE = "127.0.150.1"


class MovedTests(MainlineTestCase):
    """Bob moves."""

    timeout = 30

    async def test_met_anew(self) -> None:
        """libtorrent's node at the new address knows nobody: those are tried that were known before."""
        bob = await self.lookup(1)
        bob._timer.cancel()
        bob._look()
        session = bob.session
        session._settings = replace(session._settings, bootstrap=())
        session._session.apply_settings({"listen_interfaces": f"{ELSEWHERE}:{self.dht.port}"})
        await self.until(self.is_there)
        network = bob._network
        assert isinstance(network, StaticNetwork)
        network.change(loopback())
        self.assertEqual(session.nodes, 0)
        await self.until(lambda: session.nodes >= BEGINNINGS, session.refresh)

    def is_there(self) -> bool:
        """Tell whether something listens at the new address."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((ELSEWHERE, self.dht.port))
            except OSError:
                return True
        return False
