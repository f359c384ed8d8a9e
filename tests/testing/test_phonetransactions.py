"""Tests of the test phone's own transactions."""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.sip.message import Message, Request, Response, request, response_to
from p2pship.testing.phonetransactions import T1, NoAnswer, ServerTransaction, Transactions, cancel_of
from p2pship.testing.timers import Timers


@dataclass(eq=False)
class Wire:
    """A channel that keeps what is sent."""

    reliable: bool = False
    remote: HostPort = HostPort("192.0.2.1", 5060)  # noqa: RUF009 (it is frozen)
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        """Keep it."""
        self.sent.append(message)


def asked(method: str, branch: str = "1", cseq: int = 1) -> Request:
    """Make a request."""
    return request(
        method,
        "sip:b@192.0.2.1",
        [
            ("Via", f"SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{branch}"),
            ("From", "<sip:a@example.com>;tag=a"),
            ("To", "<sip:b@example.com>"),
            ("Call-ID", "1"),
            ("CSeq", f"{cseq} {method}"),
        ],
    )


class TransactionsTests(SynchronousTestCase):
    """Sending, answering and repeating."""

    def setUp(self) -> None:
        """Make transactions with a clock of our own."""
        self.clock = Clock()
        self.wire = Wire()
        self.taken: list[ServerTransaction] = []
        self.acked: list[Request] = []
        self.heard: list[Response] = []
        self.failed: list[Exception] = []
        self.transactions = Transactions(
            Timers(self.clock), self.taken.append, lambda ack, server: self.acked.append(ack)
        )

    def _send(self, message: Request) -> None:
        self.transactions.send(message, self.wire, self.heard.append, self.failed.append)

    def _receive(self, message: Message) -> None:
        self.transactions.message_received(message, self.wire)

    def _kinds(self) -> list[str | int]:
        return [
            each.method if isinstance(each, Request) else getattr(each, "status", 0)
            for each in self.wire.sent
        ]

    def test_repeats(self) -> None:
        """Without an answer a request is repeated at growing intervals, and fails after 64 T1."""
        for method, count in (("INVITE", 7), ("OPTIONS", 11)):
            self.wire.sent.clear()
            self._send(asked(method))
            self.clock.pump([T1 / 2] * 127)
            self.assertEqual(self._kinds(), [method] * count)
            self.assertEqual(self.failed, [])
            self.clock.pump([T1])
            self.assertIsInstance(self.failed.pop(), NoAnswer)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reliable(self) -> None:
        """Over a connection nothing is repeated."""
        self.wire.reliable = True
        self._send(asked("OPTIONS"))
        self.clock.pump([T1] * 60)
        self.assertEqual(self._kinds(), ["OPTIONS"])

    def test_provisional(self) -> None:
        """A 1xx ends the repeating of an INVITE for good, of others not."""
        for method, count in (("INVITE", 1), ("OPTIONS", 5)):
            self.wire.sent.clear()
            message = asked(method)
            self._send(message)
            self._receive(response_to(message, 100))
            self.clock.pump([T1] * 20)
            self.assertEqual(len(self.wire.sent), count)
        self.assertEqual([response.status for response in self.heard], [100, 100])

    def test_failure_acknowledged(self) -> None:
        """A refusal of an INVITE is heard once and acknowledged each time, in the same branch."""
        message = asked("INVITE")
        self._send(message)
        for _ in range(3):
            self._receive(response_to(message, 486, to_tag="b"))
        self.assertEqual([response.status for response in self.heard], [486])
        self.assertEqual(self._kinds(), ["INVITE", "ACK", "ACK", "ACK"])
        ack = self.wire.sent[-1]
        self.assertEqual((ack.via.branch, ack.to.tag, ack.cseq), ("z9hG4bK1", "b", (1, "ACK")))

    def test_success_heard_each_time(self) -> None:
        """A 2xx to an INVITE is heard each time, since its ACK is the caller's; others are heard once."""
        for method, count in (("INVITE", 2), ("OPTIONS", 1)):
            self.heard.clear()
            message = asked(method)
            self._send(message)
            for _ in range(2):
                self._receive(response_to(message, 200, to_tag="b"))
            self.assertEqual(len(self.heard), count)

    def test_strangers(self) -> None:
        """What belongs to nothing, or cannot be read, is passed over."""
        self._receive(response_to(asked("OPTIONS", "other"), 200))
        broken = asked("OPTIONS")
        broken.set("CSeq", "x")
        self._receive(broken)
        self._receive(asked("ACK"))
        self.assertEqual((self.heard, self.taken, self.wire.sent), ([], [], []))

    def test_request_taken_once(self) -> None:
        """A repeated request is answered as before, and not taken anew."""
        for _ in range(2):
            self._receive(asked("OPTIONS"))
        self.assertEqual((len(self.taken), self._kinds()), (1, []))
        self.taken[0].respond(response_to(self.taken[0].request, 200))
        self._receive(asked("OPTIONS"))
        self.taken[0].respond(response_to(self.taken[0].request, 500))
        self.assertEqual(self._kinds(), [200, 200])

    def test_final_repeated_until_ack(self) -> None:
        """The final response to an INVITE is repeated until its ACK, which may have another branch."""
        for reliable, status, times in ((False, 200, 3), (False, 486, 3), (True, 200, 3), (True, 486, 1)):
            self.wire.reliable = reliable
            self.wire.sent.clear()
            number = len(self.taken) + 1
            self._receive(asked("INVITE", cseq=number))
            self.taken[-1].respond(response_to(self.taken[-1].request, status, to_tag="b"))
            self.clock.pump([T1] * 3)
            self._receive(asked("ACK", "another", cseq=number))
            self.clock.pump([T1] * 100)
            self.assertEqual(self._kinds(), [status] * times)
            self.assertEqual(self.acked.pop().cseq, (number, "ACK"))

    def test_no_ack(self) -> None:
        """Without ACK the callee is told after 64 T1."""
        told: list[bool] = []
        self._receive(asked("INVITE"))
        self.taken[0].unacknowledged = lambda: told.append(True)
        self.taken[0].respond(response_to(self.taken[0].request, 200, to_tag="b"))
        self.clock.pump([T1] * 65)
        self.assertEqual((told, self.clock.getDelayedCalls()), ([True], []))

    def test_cancel_finds_its_invite(self) -> None:
        """A CANCEL belongs to the INVITE with its branch."""
        invite = asked("INVITE")
        self._receive(invite)
        self.assertIs(self.transactions.invite_of(cancel_of(invite)), self.taken[0])
        self.assertIsNone(self.transactions.invite_of(cancel_of(asked("INVITE", "2"))))

    def test_connection_lost(self) -> None:
        """What waits for an answer over a connection that is gone fails, once."""
        self._send(asked("OPTIONS"))
        self.transactions.channel_lost(Wire())
        self.assertEqual(self.failed, [])
        self.transactions.channel_lost(self.wire)
        self.transactions.end("over")
        self.assertEqual((len(self.failed), self.clock.getDelayedCalls()), (1, []))
