"""QR codes in a terminal."""

from __future__ import annotations

import segno
from twisted.trial.unittest import SynchronousTestCase

from p2pship.relations.qr import QUIET_ZONE, qr_text
from tests.relations.test_codes import PAIR

_DARK = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}


class QRTextTests(SynchronousTestCase):
    """Two rows of squares in a line."""

    def test_shows_every_square(self) -> None:
        """The lines say the same as the matrix of the QR code, with a light border around it."""
        wanted = [
            list(row) for row in segno.make(PAIR.uri, micro=False, error="l").matrix_iter(border=QUIET_ZONE)
        ]
        lines = qr_text(PAIR.uri).split("\n")
        shown = [[_DARK[each][half] for each in line] for line in lines for half in (0, 1)]
        self.assertEqual(shown[: len(wanted)], [[int(bool(square)) for square in row] for row in wanted])
        self.assertLessEqual(len(lines[0]), 80)
        self.assertLessEqual(len(lines), 40)

    def test_too_long(self) -> None:
        """What no QR code can hold is said in its place."""
        self.assertIn("send the file", qr_text("A" * 5_000))
