"""Tests for p2pship.sip.best."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.sip.best import best
from p2pship.sip.message import request, response_to

ASKED = request(
    "INVITE",
    "sip:a@b",
    [("From", "<sip:a@b>;tag=1"), ("To", "<sip:b@b>"), ("Call-ID", "c"), ("CSeq", "1 INVITE")],
)


class BestTests(TestCase):
    """RFC 3261 §16.7 item 6."""

    def test_order(self) -> None:
        """A 6xx wins, then the lowest class; what tells how to go on wins within 4xx, silence loses."""
        for expected, statuses in [
            (603, (486, 603, 302)),
            (302, (486, 302, 500)),
            (486, (486, 500)),
            (407, (480, 486, 407)),
            (486, (408, 480, 486)),
            (486, (404, 482, 486)),
            (480, (404, 480)),
            (404, (404, 500)),
            (480, (480, 500)),
            (500, (503, 500)),
        ]:
            responses = [response_to(ASKED, status) for status in statuses]
            self.assertEqual(best(responses).status, expected, statuses)
