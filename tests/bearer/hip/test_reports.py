"""Tests for p2pship.bearer.hip.reports, over real sockets on loopback: what is said of associations."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.bearer.fakes import Recorder
from tests.bearer.hip.deskcase import DeskCase
from tests.bearer.hip.pair import HOST


class ReportTests(DeskCase, TestCase):
    """What both ends say."""

    async def test_associations(self) -> None:
        """Both ends agree on who has sent how much, and on the algorithms."""
        near = await self.linked()
        near.start(Recorder())
        for number in range(5):
            near.cast(b"%d" % number)
        await self.until(lambda: self.pinged.desk.associations()[0]["packets_received"] >= 5)
        [here], [there] = self.pinger.desk.associations(), self.pinged.desk.associations()
        self.assertEqual(here["packets_sent"], there["packets_received"])
        self.assertEqual(here["octets_sent"], there["octets_received"])
        self.assertEqual((here["dialled"], there["dialled"]), (True, False))
        self.assertEqual(here["peer_address"], self.at(self.pinged))
        for key in ("dh_group", "cipher", "esp_suite"):
            self.assertEqual(here[key], there[key])
        self.assertEqual((there["lost"], there["replayed"], there["forged"]), (0, 0, 0))

    async def test_losses(self) -> None:
        """What was lost, came twice, or was forged is counted, also once the keys have changed."""
        near = await self.linked()
        near.start(Recorder())
        port, at = near._way.port, near._way.address
        kept = [near.association.outbound.seal(59, bytes(8)) for _ in range(4)]
        for packet in (kept[0], kept[3], kept[3], kept[0][:-1] + b"\0"):
            port.send(packet, at)
        await self.until(lambda: self.pinged.desk.associations()[0]["replayed"] >= 1)
        await self.turn()
        self.pinger._house.tired(near.association)
        await self.until(lambda: self.pinged.desk.associations()[0]["rekeys"])
        self.advance(11)
        near.cast(b"after")
        await self.turn()
        [there] = self.pinged.desk.associations()
        self.assertEqual(there["lost"], 2)
        self.assertEqual(there["replayed"] + there["forged"], 2)

    async def test_elsewhere(self) -> None:
        """Attack: who sends copies of packets on from other addresses does not have these shown as the other side's."""
        near = await self.linked()
        paths = near.association.paths
        paths.heard_elsewhere(paths.current._replace(host="127.0.0.9"), self.clock.seconds())
        self.assertEqual([each.host for each in paths.locators()], [HOST, "127.0.0.9"])
        [here] = self.pinger.desk.associations()
        self.assertEqual(here["locators"], [HOST])
