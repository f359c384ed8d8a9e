"""How often a server may be asked."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.http.server.pace import BURST_SECONDS, Pace
from p2pship.lookup.http.server.source import NETWORKS_EACH
from tests.lookup.http.publishers import NOW


class PaceTests(SynchronousTestCase):
    """A minute's worth at once, and then the rate."""

    def test_address(self) -> None:
        """Each address of IPv4 has its own rate, and hears when it may ask again."""
        pace = Pace(2.0)
        self.assertEqual({pace.wait("192.0.2.1", NOW) for _ in range(2 * BURST_SECONDS)}, {0.0})
        self.assertEqual([pace.wait("192.0.2.1", NOW), pace.wait("192.0.2.2", NOW)], [0.5, 0.0])

    def test_site(self) -> None:
        """Whoever has a site of IPv6 may ask eight times as often as one network, and not as often as 65,536; so have others."""
        pace = Pace(1.0)
        sources = [f"2001:db8:1:{number:x}::/64" for number in range(1000)]
        asked = [pace.wait(source, NOW) == 0 for source in sources]
        self.assertEqual(sum(asked), NETWORKS_EACH * BURST_SECONDS)
        self.assertEqual(pace.wait("2001:db8:2::/64", NOW), 0.0)
