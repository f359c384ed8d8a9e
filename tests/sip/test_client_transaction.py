"""Tests of client transactions, in their layer."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from p2pship.errors import LocalError, PeerLost, PeerRestarted
from p2pship.sip.message import Request, response_to
from p2pship.sip.transactions import Counts
from tests.sip.exchange import NOT_SENT, RecordingHop, make_request
from tests.sip.layer_case import LayerCase


class ClientTests(LayerCase):
    """Requests that are sent."""

    def test_via(self) -> None:
        """A request gets our Via on top, with a branch of its own and rport."""
        first, second = self.send("OPTIONS"), self.send("OPTIONS", self.peer)
        via = first.request.via
        self.assertEqual((via.transport, via.sent_by), ("UDP", "192.0.2.1:5060"))
        self.assertIn("rport", via.parameters)
        self.assertEqual(second.request.via.transport, "P2P")
        assert via.branch is not None
        self.assertTrue(via.branch.startswith("z9hG4bK"))
        self.assertNotEqual(via.branch, second.request.via.branch)

    def test_incomplete_request(self) -> None:
        """A request without the headers that each has is our own mistake."""
        request = make_request("INVITE")
        request.remove("To")
        self.assertRaises(LocalError, self.layer.send_request, request, self.phone, self.user)

    def test_responses(self) -> None:
        """Each provisional response is told, and the final one once."""
        client = self.send("INVITE")
        self.assertFalse(client.final)
        for status in (100, 180, 180, 486, 486):
            self.answer(client, status)
        self.assertEqual(self.user.told, ["100/INVITE", "180/INVITE", "180/INVITE", "486/INVITE"])
        self.assertEqual(self.phone.brief(), ["INVITE", "ACK", "ACK"])
        self.assertTrue(client.final)

    def test_ack(self) -> None:
        """The ACK to a failure is made as §17.1.1.3 says."""
        request = make_request("INVITE", 7)
        request.append("Route", "<sip:192.0.2.9;lr>")
        request.append("Proxy-Authorization", "Digest x")
        client = self.layer.send_request(request, self.phone, self.user)
        self.answer(client, 404)
        ack = self.phone.sent[1]
        assert isinstance(ack, Request)
        self.assertEqual(ack.uri, client.request.uri)
        self.assertEqual(ack.cseq, (7, "ACK"))
        self.assertEqual(ack.values("Via"), [str(client.request.via)])
        self.assertEqual(ack.to.tag, "b1")
        self.assertEqual(ack.first("From"), client.request.first("From"))
        self.assertEqual(ack.call_id, client.request.call_id)
        self.assertEqual(ack.values("Route"), ["<sip:192.0.2.9;lr>"])
        self.assertNotIn("Proxy-Authorization", ack)

    def test_failure_without_to(self) -> None:
        """A failure that lacks its To is told and acknowledged all the same."""
        client = self.send("INVITE")
        response = response_to(client.request, 404)
        response.remove("To")
        self.receive(response)
        self.assertEqual(self.user.told, ["404/INVITE"])
        self.assertEqual(self.phone.brief(), ["INVITE", "ACK"])

    def test_every_success_is_told(self) -> None:
        """A 2xx to an INVITE is not acknowledged here; each that comes within 64*T1 is told (RFC 6026)."""
        client = self.send("INVITE")
        self.answer(client, 200)
        self.answer(client, 200)
        self.answer(client, 486)
        self.assertEqual(self.user.told, ["200/INVITE", "200/INVITE"])
        self.assertEqual(self.phone.brief(), ["INVITE"])

    def test_stray_response(self) -> None:
        """What comes later goes to the user of the layer, if the Via is ours at all (§18.1.2)."""
        client = self.send("INVITE")
        self.answer(client, 200)
        self.clock.advance(32)
        self.answer(client, 200)
        self.assertEqual(self.user.told, ["200/INVITE", "200/INVITE"])
        response = response_to(client.request, 200)
        response.set("Via", "SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKx")
        self.receive(response)
        self.assertEqual(len(self.user.told), 2)
        self.assertEqual(self.journal.counts["sip.not_ours"], 1)

    def test_method_is_matched(self) -> None:
        """A response to a CANCEL is not one to its INVITE, though the branch is the same (§17.1.3)."""
        client = self.send("INVITE")
        response = response_to(client.request, 200)
        response.set("CSeq", "1 CANCEL")
        self.receive(response)
        self.assertFalse(client.final)

    def test_response_over_another_socket(self) -> None:
        """A phone may answer from elsewhere, a peer may not."""
        client = self.send("OPTIONS")
        self.answer(client, 200, RecordingHop("TCP", "other socket"))
        self.assertTrue(client.final)
        client = self.send("OPTIONS", self.peer)
        self.answer(client, 200, RecordingHop("P2P", "third"))
        self.answer(client, 200, self.phone)
        self.assertFalse(client.final)
        self.answer(client, 200, self.peer)
        self.assertTrue(client.final)

    def test_timeout(self) -> None:
        """Nobody answers: 408, and nothing is left."""
        self.send("INVITE")
        self.send("OPTIONS")
        self.clock.pump([0.5] * 64)
        reason = "failed 408: test UDP phone did not answer within 32 s"
        self.assertEqual(self.user.told, [reason, reason])
        self.assertEqual(self.phone.brief().count("INVITE"), 7)
        self.assertEqual(self.phone.brief().count("OPTIONS"), 11)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unsent(self) -> None:
        """The hop cannot be reached: 503, but not before the caller has its transaction."""
        self.phone.failure = NOT_SENT
        client = self.send("INVITE")
        self.assertFalse(client.final)
        self.clock.advance(0)
        self.assertEqual(self.user.told, ["failed 503: no way there"])
        self.assertEqual(self.layer.counts.clients, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hop_lost(self) -> None:
        """Losing the hop is 503 for what waits, ringing or not; what is answered just ends."""
        self.send("INVITE", self.peer)
        self.answer(self.send("INVITE", self.peer), 180, self.peer)
        self.answer(self.send("INVITE", self.peer), 200, self.peer)
        self.send("INVITE")
        self.user.told.clear()
        self.layer.hop_lost("peer", "it is gone", self.layer.clients_of("peer"))
        self.assertEqual(self.user.told, ["failed 503: it is gone"] * 2)
        self.assertEqual(self.layer.counts.clients, 1)

    def test_nothing_is_sent_after_the_timeout(self) -> None:
        """What still waits to be sent when nobody expects an answer any more is taken back."""
        taken_back: list[Deferred[None]] = []
        self.peer.waiting = Deferred(taken_back.append)
        self.send("INVITE", self.peer)
        self.clock.advance(31)
        self.assertEqual(taken_back, [])
        self.clock.advance(1)
        self.assertEqual(taken_back, [self.peer.waiting])
        self.assertEqual(self.user.told, ["failed 408: test P2P peer did not answer within 32 s"])

    def test_withdrawn(self) -> None:
        """What still waits can be taken back; what was sent stays sent, and its answer is told."""
        taken_back: list[object] = []
        self.peer.waiting = Deferred(taken_back.append)
        self.send("MESSAGE", self.peer).withdraw()
        self.assertEqual(len(taken_back), 1)
        client = self.send("MESSAGE")
        client.withdraw()
        self.answer(client, 200)
        self.assertEqual(self.user.told, ["200/MESSAGE"])

    def test_broken_user(self) -> None:
        """A user that fails harms nobody."""
        self.user.fails = True
        client = self.send("INVITE")
        self.answer(client, 486)
        self.assertEqual(self.phone.brief(), ["INVITE", "ACK"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_ack_again(self) -> None:
        """An ACK that is sent again has the same octets; that of another call has not."""
        for ack in (make_request("ACK"), make_request("ACK"), make_request("ACK", call_id="another")):
            self.layer.send_ack(ack, self.phone)
        first, again, other = (message.encode() for message in self.phone.sent)
        self.assertEqual(first, again)
        self.assertNotEqual(self.phone.sent[0].via.branch, self.phone.sent[2].via.branch)
        self.assertNotEqual(first, other)

    def test_ack_to_success(self) -> None:
        """The ACK to a 2xx gets a Via with a branch of its own, and no transaction."""
        self.layer.send_ack(make_request("ACK"), self.phone)
        self.assertEqual(self.phone.brief(), ["ACK"])
        self.assertTrue((self.phone.sent[0].via.branch or "").startswith("z9hG4bK"))
        self.assertEqual(self.layer.counts, Counts(0, 0))


class RestartedPeerTests(LayerCase):
    """A peer whose node is restarted before it has taken what was sent to it."""

    def setUp(self) -> None:
        super().setUp()
        self.waiting = self.peer.waiting = Deferred()
        self.client = self.send("INVITE", self.peer)

    def restart(self) -> None:
        """Hear that the peer was restarted, as the overlay says it: of each payload, and of the peer."""
        waiting, self.peer.waiting = self.peer.waiting, None
        if waiting is not None:
            waiting.errback(PeerRestarted("the other node was restarted"))
        self.layer.hop_lost("peer", "the other node was restarted", [self.client])

    def test_sent_again(self) -> None:
        """The request goes to its next life, and nobody is told."""
        self.restart()
        self.clock.advance(0)
        self.assertEqual((self.peer.brief(), self.user.told), (["INVITE", "INVITE"], []))
        self.answer(self.client, 180, self.peer)
        self.assertEqual(self.user.told, ["180/INVITE"])

    def test_told_late(self) -> None:
        """Also when the peer's loss is told after that."""
        self.peer.waiting = None
        self.waiting.errback(PeerRestarted("the other node was restarted"))
        self.clock.advance(0)
        self.restart()
        self.clock.advance(0)
        self.assertEqual((self.peer.brief(), self.user.told), (["INVITE", "INVITE"], []))

    def test_once(self) -> None:
        """A second time it has failed."""
        self.peer.failure = PeerRestarted("gone")
        self.restart()
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual((self.peer.brief(), self.user.told), (["INVITE"], ["failed 503: gone"]))

    def test_taken(self) -> None:
        """What it has taken before is not sent again: a phone may have rung."""
        self.waiting.callback(None)
        self.peer.waiting = None
        self.restart()
        self.clock.advance(0)
        self.assertEqual(self.peer.brief(), ["INVITE"])
        self.assertEqual(self.user.told, ["failed 503: the other node was restarted"])

    def test_gone(self) -> None:
        """A peer that is gone for good, or has another identity now, gets nothing more."""
        self.peer.waiting = None
        self.waiting.errback(PeerLost("gone"))
        self.restart()
        self.clock.advance(0)
        self.assertEqual((self.peer.brief(), len(self.user.told)), (["INVITE"], 1))

    def test_given_up(self) -> None:
        """What is cancelled meanwhile is not sent again."""
        self.restart()
        self.client.cancel()
        self.clock.advance(0)
        self.assertEqual(self.peer.brief(), ["INVITE"])


class CancelTests(LayerCase):
    """Cancelling an INVITE (§9.1)."""

    def test_before_any_response(self) -> None:
        """The CANCEL waits for a provisional response."""
        client = self.send("INVITE")
        client.cancel()
        self.assertEqual(self.phone.brief(), ["INVITE"])
        self.answer(client, 100)
        self.assertEqual(self.phone.brief(), ["INVITE", "CANCEL"])

    def test_while_ringing(self) -> None:
        """The CANCEL goes out at once, and only once."""
        client = self.send("INVITE")
        self.answer(client, 180)
        client.cancel('SIP;cause=200;text="Call completed elsewhere"')
        client.cancel()
        self.answer(client, 180)
        self.assertEqual(self.phone.brief(), ["INVITE", "CANCEL"])

    def test_after_the_final_response(self) -> None:
        """It is too late, and nothing is sent."""
        for status in (200, 486):
            client = self.send("INVITE")
            self.answer(client, status)
            client.cancel()
        self.assertNotIn("CANCEL", self.phone.brief())

    def test_other_methods(self) -> None:
        """Nothing but an INVITE is cancelled."""
        client = self.send("OPTIONS")
        client.cancel()
        self.answer(client, 100)
        self.assertEqual(self.phone.brief(), ["OPTIONS"])

    def test_form(self) -> None:
        """A CANCEL is made as §9.1 says, with the Reason that was given (RFC 3326)."""
        request = make_request("INVITE", 9)
        request.append("Route", "<sip:192.0.2.9;lr>")
        request.append("Require", "100rel")
        client = self.layer.send_request(request, self.phone, self.user)
        self.answer(client, 180)
        client.cancel("SIP;cause=200")
        cancel = self.phone.sent[1]
        assert isinstance(cancel, Request)
        self.assertEqual(cancel.uri, client.request.uri)
        self.assertEqual(cancel.cseq, (9, "CANCEL"))
        self.assertEqual(cancel.values("Via"), [str(client.request.via)])
        self.assertIsNone(cancel.to.tag)
        self.assertEqual(cancel.values("Route"), ["<sip:192.0.2.9;lr>"])
        self.assertEqual(cancel.first("Reason"), "SIP;cause=200")
        self.assertNotIn("Require", cancel)

    def test_not_sent_yet(self) -> None:
        """An INVITE that still waits to be sent is taken back: nobody is called who was not called before."""
        taken_back: list[object] = []
        self.peer.waiting = Deferred(taken_back.append)
        client = self.send("INVITE", self.peer)
        client.cancel()
        client.cancel()
        self.assertEqual(len(taken_back), 1)
        self.assertEqual((self.peer.brief(), self.user.told), (["INVITE"], []))

    def test_own_transaction(self) -> None:
        """The CANCEL is retransmitted by itself; its response ends it, and says nothing about the INVITE."""
        client = self.send("INVITE")
        self.answer(client, 180)
        client.cancel()
        self.clock.advance(0.5)
        self.assertEqual(self.phone.brief(), ["INVITE", "CANCEL", "CANCEL"])
        cancel = self.phone.sent[1]
        assert isinstance(cancel, Request)
        self.receive(response_to(cancel, 200))
        self.clock.advance(5)
        self.assertEqual(self.phone.brief(), ["INVITE", "CANCEL", "CANCEL"])
        self.assertFalse(client.final)
        self.answer(client, 487)
        self.assertEqual(self.user.told, ["180/INVITE", "487/INVITE"])

    def test_no_final_response(self) -> None:
        """A server that never ends the INVITE is given up 64*T1 after the CANCEL."""
        client = self.send("INVITE")
        self.answer(client, 180)
        self.clock.advance(100)
        client.cancel()
        self.clock.pump([0.5] * 64)
        self.assertEqual(self.user.told[1:], ["failed 408: test UDP phone did not answer within 32 s"])
        self.assertEqual(self.layer.counts.clients, 0)

    def test_never_answered(self) -> None:
        """If no response comes at all, no CANCEL is ever sent, and the INVITE times out as usual."""
        self.send("INVITE").cancel()
        self.clock.pump([0.5] * 64)
        self.assertNotIn("CANCEL", self.phone.brief())
        self.assertEqual(len(self.user.told), 1)
