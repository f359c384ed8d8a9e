"""Tests of the transaction layer: limits, garbage, and whole exchanges over a line that loses messages."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip import transactions
from p2pship.sip.message import response_to
from p2pship.sip.transactions import Counts
from tests.sip.exchange import NOT_SENT, Exchange, RecordingHop, make_request, received_request
from tests.sip.layer_case import OLD_VIA, LayerCase


class GarbageTests(LayerCase):
    """Messages that cannot be read."""

    def test_bad_request(self) -> None:
        """A request whose key cannot be read is refused, if it can be answered at all."""
        bad = received_request("OPTIONS", OLD_VIA, from_="<<>>")
        self.receive(bad)
        self.assertEqual(self.user.told, [])
        self.assertEqual(self.phone.brief(), ["400/OPTIONS"])
        self.assertEqual(self.journal.counts["sip.garbage"], 1)

    def test_bad_ack(self) -> None:
        """An ACK is never answered."""
        self.receive(received_request("ACK", OLD_VIA, from_="<<>>"))
        self.assertEqual(self.phone.brief(), [])

    def test_no_via(self) -> None:
        """Where there is no Via, there is nobody to answer."""
        self.receive(make_request("OPTIONS"))
        self.assertEqual(self.phone.brief(), [])

    def test_bad_response(self) -> None:
        """A response that cannot be read is dropped."""
        client = self.send("OPTIONS")
        bad = response_to(client.request, 200)
        bad.set("CSeq", "nonsense")
        self.receive(bad)
        self.assertEqual(self.user.told, [])
        self.assertEqual(self.phone.brief(), ["OPTIONS"])

    def test_refusal_is_the_same_again(self) -> None:
        """A retransmission of a bad request gets the same To tag (§8.2.7)."""
        for _ in range(2):
            self.receive(received_request("OPTIONS", OLD_VIA, from_="<<>>"))
        self.assertEqual(self.phone.sent[0].to.tag, self.phone.sent[1].to.tag)
        self.assertIsNotNone(self.phone.sent[0].to.tag)

    def test_refusal_that_cannot_be_sent(self) -> None:
        """It is counted, and that is all."""
        self.phone.failure = NOT_SENT
        self.receive(received_request("OPTIONS", OLD_VIA, from_="<<>>"))
        self.phone.raises = ZeroDivisionError()
        self.receive(received_request("OPTIONS", OLD_VIA, from_="<<>>"))
        self.assertEqual(self.journal.counts["sip.unsent"], 2)


class LimitTests(LayerCase):
    """How many server transactions there can be."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(transactions, "MAX_SERVERS", 6)
        self.patch(transactions, "MAX_SERVERS_OF_PHONE", 4)
        self.patch(transactions, "MAX_SERVERS_OF_PEER", 2)

    def flood(self, number: int, hop: RecordingHop, method: str = "OPTIONS") -> None:
        """Receive many different requests from a hop."""
        for each in range(number):
            self.receive_request(method, f"SIP/2.0/UDP x;branch=z9hG4bK{each}{hop.key}", hop)

    def test_share_of_a_phone(self) -> None:
        """One address has so many; the rest is refused with 500, and others are served."""
        self.flood(5, self.phone)
        self.assertEqual(self.phone.brief(), ["500/OPTIONS"])
        other = RecordingHop("UDP", "other")
        self.flood(1, other)
        self.assertEqual(other.brief(), [])
        self.assertEqual(self.journal.counts["sip.overload"], 1)

    def test_share_of_a_peer(self) -> None:
        """A peer has fewer."""
        self.flood(3, self.peer)
        self.assertEqual(self.peer.brief(), ["500/OPTIONS"])

    def test_all(self) -> None:
        """When the node is full, 503 says when to come again; an ACK is not answered."""
        hops = [RecordingHop("UDP", name) for name in "abcd"]
        for hop in hops:
            self.flood(2, hop)
        self.assertEqual(hops[3].brief(), ["503/OPTIONS", "503/OPTIONS"])
        self.assertEqual(hops[3].sent[0].first("Retry-After"), "5")
        self.flood(1, hops[3], "ACK")
        self.assertEqual(len(hops[3].sent), 2)

    def test_room_again(self) -> None:
        """A transaction that has ended makes room."""
        self.flood(2, self.peer)
        self.user.transactions[0].answer(200)
        self.receive_request("OPTIONS", "SIP/2.0/UDP x;branch=z9hG4bKanother", self.peer)
        self.assertEqual(self.peer.brief(), ["200/OPTIONS"])
        self.assertEqual(len(self.user.transactions), 3)

    def test_accepted_calls(self) -> None:
        """A call that was accepted makes room, though its transaction stays for 32 s (RFC 6026 §7.1); a refused one does not."""
        self.flood(2, self.peer, "INVITE")
        for transaction in self.user.transactions:
            transaction.answer(200)
            transaction.answer(200)
        self.assertEqual(self.layer.counts.servers, 2)
        for each in "abc":
            self.receive_request("INVITE", f"SIP/2.0/UDP x;branch=z9hG4bK{each}", self.peer)
            self.user.transactions[-1].answer(486)
        self.assertEqual(self.peer.brief()[4:], ["486/INVITE", "486/INVITE", "500/INVITE"])
        self.clock.advance(32)
        self.assertEqual(self.layer.counts.servers, 0)
        self.receive_request("INVITE", "SIP/2.0/UDP x;branch=z9hG4bKd", self.peer)
        self.assertEqual(self.layer.counts.servers, 1)

    def test_dialogs_find_room(self) -> None:
        """A call that is up can be ended when no new one is taken; this has its bound too."""
        self.flood(3, self.peer, "INVITE")
        for each in "abc":
            bye = received_request(
                "BYE", f"SIP/2.0/UDP x;branch=z9hG4bK{each}", to="<sip:bob@example.com>;tag=b1"
            )
            self.receive(bye, self.peer)
        self.assertEqual(self.peer.brief(), ["500/INVITE", "500/BYE"])

    def test_cancel_finds_room(self) -> None:
        """A call can be cancelled whatever is going on."""
        self.flood(2, self.peer, "INVITE")
        self.receive_request("CANCEL", "SIP/2.0/UDP x;branch=z9hG4bK1peer", self.peer)
        self.assertIs(self.user.transactions[2].cancels, self.user.transactions[1])


class LossTests(SynchronousTestCase):
    """Whole exchanges over a line that loses messages."""

    def completes(self, method: str, status: int, lost: set[int], cancel_at: float | None = None) -> Exchange:
        """Run an exchange over UDP to its end."""
        exchange = Exchange("UDP", status, 1.0 if cancel_at is None else 30.0, lost)
        client = exchange.send(method)
        if cancel_at is not None:
            exchange.clock.callLater(cancel_at, client.cancel)
        exchange.run(80)
        return exchange

    def assert_clean(self, exchange: Exchange, lost: object) -> None:
        """Nothing is left in either layer."""
        self.assertEqual(exchange.here.counts, Counts(0, 0), lost)
        self.assertEqual(exchange.there.counts, Counts(0, 0), lost)
        self.assertEqual(exchange.clock.getDelayedCalls(), [], lost)

    def test_each_message_lost(self) -> None:
        """Whichever message of an exchange is lost, or two in a row, the same comes out on both sides, once."""
        cases = (("INVITE", 200), ("INVITE", 486), ("MESSAGE", 200), ("MESSAGE", 404))
        for method, status in cases:
            for at in range(6):
                for lost in ({at}, {at, at + 1}):
                    exchange = self.completes(method, status, lost)
                    case = (method, status, lost, exchange.line.log)
                    self.assertEqual(exchange.caller.finals, [f"{status}/{method}"], case)
                    self.assertEqual(exchange.callee.heard.count(method), 1, case)
                    self.assertEqual(exchange.callee.acknowledged, (method, status) == ("INVITE", 200), case)
                    self.assertEqual(exchange.callee.lost, [], case)
                    self.assert_clean(exchange, case)

    def test_each_message_of_a_cancelled_call_lost(self) -> None:
        """A call that is cancelled, before or after the 100, ends with 487 whatever is lost."""
        for cancel_at in (0.0, 0.015, 2.0):
            for at in range(8):
                exchange = self.completes("INVITE", 200, {at}, cancel_at)
                case = (cancel_at, at, exchange.line.log)
                self.assertEqual(exchange.caller.finals, ["487/INVITE"], case)
                self.assertEqual(exchange.callee.heard, ["INVITE", "CANCEL"], case)
                self.assert_clean(exchange, case)

    def test_everything_lost(self) -> None:
        """Where nothing passes, the caller hears 408 and the callee nothing."""
        for method in ("INVITE", "MESSAGE"):
            exchange = self.completes(method, 200, set(range(100)))
            self.assertEqual(exchange.caller.finals, ["failed 408"])
            self.assertEqual(exchange.callee.heard, [])
            self.assert_clean(exchange, method)

    def test_over_a_link(self) -> None:
        """Over a reliable hop each message is sent exactly once."""
        expected = {
            ("INVITE", 486): ["INVITE", "100/INVITE", "486/INVITE", "ACK"],
            ("INVITE", 200): ["INVITE", "100/INVITE", "200/INVITE", "ACK"],
            ("MESSAGE", 200): ["MESSAGE", "200/MESSAGE"],
        }
        for (method, status), log in expected.items():
            exchange = Exchange("P2P", status, 0.1, ())
            exchange.send(method)
            exchange.run(1)
            self.assertEqual(exchange.line.log, log)
            if (method, status) != ("INVITE", 200):
                self.assert_clean(exchange, method)
            exchange.run(80)
            self.assert_clean(exchange, method)

    def test_slow_answer(self) -> None:
        """A slow answer to a request other than INVITE is announced by a 100 after 3.5 s, which slows the caller down."""
        exchange = Exchange("UDP", 200, 9.0, ())
        exchange.send("MESSAGE")
        exchange.run(60)
        self.assertEqual(exchange.caller.heard, ["100/MESSAGE"] * 3 + ["200/MESSAGE"])
        self.assertEqual(exchange.line.log.count("MESSAGE"), 5)
        self.assert_clean(exchange, None)
