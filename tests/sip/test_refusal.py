"""Tests of answers without a transaction."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.message import BadMessage, Request, request, response_to
from p2pship.sip.refusal import LONGEST_REASON, LONGEST_WARNING, add_warning, refusal, stateless

HEADERS = [
    ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
    ("CSeq", "1 OPTIONS"),
    ("From", "<sip:a@example.com>;tag=1"),
    ("To", "<sip:b@example.com>"),
    ("Call-ID", "1"),
]


def asked(method: str = "OPTIONS", headers: int = len(HEADERS)) -> Request:
    """Return a request that has the first of the headers."""
    return request(method, "sip:b@example.com", HEADERS[:headers])


class RefusalTests(SynchronousTestCase):
    """What is answered to what cannot be accepted."""

    def test_copies_what_there_is(self) -> None:
        """A request that names its transaction is answered, whatever else it lacks (RFC 4475 §3.3.1)."""
        for count in range(2, len(HEADERS) + 1):
            answer = stateless(asked(headers=count), 400, "Bad")
            assert answer is not None
            self.assertEqual(
                [name for name, _ in HEADERS if name in answer], [name for name, _ in HEADERS[:count]]
            )

    def test_nobody_to_answer(self) -> None:
        """Nothing is answered to an ACK, a response, or what does not name its transaction."""
        self.assertIsNone(stateless(asked("ACK"), 400, "Bad"))
        self.assertIsNone(stateless(asked(headers=1), 400, "Bad"))
        self.assertIsNone(stateless(request("OPTIONS", "sip:b", HEADERS[1:]), 400, "Bad"))
        self.assertIsNone(refusal(BadMessage(400, "Bad", response_to(asked(), 200))))

    def test_same_tag(self) -> None:
        """Each retransmission gets the same answer, and another request another tag (RFC 3261 §8.2.7)."""
        first, again, other = (stateless(each, 400, "Bad") for each in (asked(), asked(), asked(headers=4)))
        assert first is not None and again is not None and other is not None
        self.assertEqual(first.encode(), again.encode())
        self.assertNotEqual(first.to.tag, other.to.tag)

    def test_reason(self) -> None:
        """A reason cannot end its line, nor be without end."""
        answer = stateless(asked(), 400, "a\r\nContact: <sip:evil.example>\udc80" + "x" * 1_000)
        assert answer is not None
        self.assertNotIn("Contact", answer)
        self.assertEqual(answer.reason[:3], "a??")
        self.assertEqual(len(answer.reason), LONGEST_REASON)

    def test_warning(self) -> None:
        """A Warning cannot end its line or its quotes, nor be without end."""
        answer = response_to(asked(), 500)
        add_warning(answer, 'a"\r\nContact: <sip:evil.example>\\' + "x" * 1_000)
        self.assertNotIn("Contact", answer)
        warning = answer.first("Warning") or ""
        self.assertEqual(warning[:16], "399 p2pship \"a''")
        self.assertEqual((warning.count('"'), len(warning)), (2, LONGEST_WARNING + len('399 p2pship ""')))
