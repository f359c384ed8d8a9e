"""The size of the datagrams that p2pship.bearer.arq sends follows the path."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.bearer.pathmtu import BASE
from tests.bearer.arqpath import OVERHEAD, Path, always


class PathMTUTests(TestCase):
    """Two ends, one of which has much to send."""

    def test_grows(self) -> None:
        """When there is much to send, larger datagrams are tried, and used."""
        path = Path(always(0.02))
        path.send(0, *[bytes(60_000)] * 30)
        path.run()
        path.run(3, until=lambda: path.mtus[0].room == 1500 - OVERHEAD)
        self.assertEqual(path.mtus[0].room, 1500 - OVERHEAD)
        self.assertEqual(path.ends[0].resent, 0)

    def test_between(self) -> None:
        """On a path that carries less, the size that passes is found, and lost probes are not taken for congestion."""
        path = Path(always(0.02))
        path.largest = 1460
        path.send(0, *[bytes(60_000)] * 30)
        path.run()
        window = path.ends[0]._sender._window.octets
        path.run(20, until=lambda: False)
        self.assertEqual(path.mtus[0].room, 1460 - OVERHEAD)
        self.assertGreaterEqual(path.ends[0]._sender._window.octets, window)
        self.assertEqual((len(path.frames[1]), path.ends[0].resent), (30, 0))

    def test_lossy(self) -> None:
        """That some are lost here and there does not make them smaller: others between them arrive."""
        path = Path(always(0.02))
        path.send(0, *[bytes(60_000)] * 30)
        path.run()
        path.run(3, until=lambda: path.mtus[0].room == 1500 - OVERHEAD)
        path._fates = lambda number: [0.02] if number % 40 else [], always(0.02)
        path.send(0, *[bytes(60_000)] * 30)
        path.run()
        self.assertGreater(path.ends[0].resent, 20)
        self.assertEqual(path.mtus[0].room, 1500 - OVERHEAD)

    def test_not_wanted(self) -> None:
        """Where only little is sent nothing is tried."""
        path = Path(always(0.02))
        for _ in range(50):
            path.send(0, bytes(500))
            path.run()
        self.assertEqual(path.datagrams[0], 51)

    def test_black_hole(self) -> None:
        """When a path of 1500 suddenly carries 1280 without a word, what was lost is sent in smaller pieces, soon."""
        path = Path(always(0.02))
        path.send(0, *[bytes(60_000)] * 30)
        path.run()
        path.run(3, until=lambda: path.mtus[0].room == 1500 - OVERHEAD)
        path.largest = BASE
        began = path.now
        sent = [b"%d " % number + bytes(50 * number) for number in range(60)]
        path.send(0, *sent)
        path.run()
        self.assertEqual(path.frames[1][30:], sent)
        self.assertEqual(path.mtus[0].room, BASE - OVERHEAD)
        self.assertLess(path.now - began, 3)
