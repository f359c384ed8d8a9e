"""Tests of server transactions, in their layer."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from p2pship.interfaces import ISIPHop
from p2pship.sip.transaction import State
from p2pship.sip.transactions import Counts
from tests.sip.exchange import NOT_SENT, RecordingHop, received_request
from tests.sip.layer_case import OLD_VIA, PHONE_VIA, LayerCase


class ServerTests(LayerCase):
    """Requests that come."""

    def test_fakes(self) -> None:
        """The hop of these tests is one."""
        verifyObject(ISIPHop, self.phone)

    def test_retransmission(self) -> None:
        """A request is told once; its retransmissions get the last response, or none while there is none."""
        self.receive_request("INVITE")
        self.receive_request("INVITE")
        self.assertEqual(self.phone.brief(), [])
        self.user.transactions[0].answer(100)
        self.user.transactions[0].answer(180)
        self.receive_request("INVITE")
        self.assertEqual(self.user.told, ["INVITE"])
        self.assertEqual(self.phone.brief(), ["100/INVITE", "180/INVITE", "180/INVITE"])

    def test_retransmission_from_another_socket(self) -> None:
        """A phone's requests match by branch, sent-by and method, not by the socket that they come from."""
        self.receive_request("INVITE")
        self.receive_request("INVITE", hop=RecordingHop("TCP", "other socket"))
        self.receive_request("INVITE", PHONE_VIA.replace("phone.example.com", "PHONE.example.COM"))
        self.assertEqual(self.user.told, ["INVITE"])
        self.receive_request("INVITE", PHONE_VIA.replace(":5070", ":5071"))
        self.assertEqual(self.user.told, ["INVITE", "INVITE"])

    def test_default_port(self) -> None:
        """A sent-by without port means 5060."""
        self.receive_request("INVITE", PHONE_VIA.replace(":5070", ""))
        self.receive_request("INVITE", PHONE_VIA.replace(":5070", ":5060"))
        self.assertEqual(self.user.told, ["INVITE"])

    def test_peers_are_kept_apart(self) -> None:
        """A peer that copies another's branch, or a phone's, gets a transaction of its own."""
        self.receive_request("INVITE")
        self.receive_request("INVITE", hop=self.peer)
        self.receive_request("INVITE", hop=RecordingHop("P2P", "third"))
        self.receive_request("INVITE", hop=self.peer)
        self.assertEqual(self.layer.counts, Counts(clients=0, servers=3))

    def test_cancel_of_another_peer(self) -> None:
        """A peer cannot cancel what another has asked for."""
        self.receive_request("INVITE", hop=self.peer)
        self.receive_request("CANCEL", hop=RecordingHop("P2P", "third"))
        self.assertIsNone(self.user.transactions[1].cancels)

    def test_cancel(self) -> None:
        """A CANCEL has its own transaction, knows the INVITE that it cancels, and shares its To tag (§9.2)."""
        self.receive_request("INVITE")
        self.receive_request("CANCEL")
        invite, cancel = self.user.transactions
        self.assertIs(cancel.cancels, invite)
        self.assertEqual(cancel.tag, invite.tag)
        cancel.answer(200)
        invite.answer(487)
        self.assertEqual(self.phone.brief(), ["200/CANCEL", "487/INVITE"])
        self.assertEqual(self.phone.sent[0].to.tag, self.phone.sent[1].to.tag)

    def test_cancel_of_nothing(self) -> None:
        """A CANCEL that matches nothing says so."""
        self.receive_request("CANCEL")
        self.assertIsNone(self.user.transactions[0].cancels)

    def test_late_cancel(self) -> None:
        """A CANCEL still finds an INVITE that has its final response."""
        self.receive_request("INVITE")
        self.user.transactions[0].answer(486)
        self.receive_request("CANCEL")
        self.assertIs(self.user.transactions[1].cancels, self.user.transactions[0])
        self.assertTrue(self.user.transactions[0].final)

    def test_ack_to_failure(self) -> None:
        """The ACK to a failure is absorbed, and ends its retransmission."""
        self.receive_request("INVITE")
        self.user.transactions[0].answer(486)
        self.clock.advance(0.5)
        self.receive_request("ACK")
        self.clock.advance(1)
        self.assertEqual(self.phone.brief(), ["486/INVITE", "486/INVITE"])
        self.assertEqual(self.user.told, ["INVITE"])
        self.clock.advance(5)
        self.assertEqual(self.layer.counts.servers, 0)

    def test_ack_to_success(self) -> None:
        """An ACK to a 2xx passes, with a branch of its own or, from clients that do not know better, of the INVITE."""
        self.receive_request("INVITE")
        self.user.transactions[0].answer(200)
        self.receive_request("ACK", PHONE_VIA.replace("phone1", "phone2"))
        self.receive_request("ACK")
        self.assertEqual(self.user.told, ["INVITE", "ACK", "ACK"])

    def test_success_again(self) -> None:
        """The user may send a 2xx again, and another one, as long as the transaction lives (RFC 6026)."""
        self.receive_request("INVITE")
        transaction = self.user.transactions[0]
        transaction.answer(200)
        self.receive_request("INVITE")
        transaction.answer(200)
        transaction.answer(486)
        self.assertEqual(self.phone.brief(), ["200/INVITE", "200/INVITE"])
        self.clock.advance(32)
        transaction.answer(200)
        self.assertEqual(len(self.phone.sent), 2)
        self.assertEqual(self.layer.counts.servers, 0)

    def test_only_one_final_response(self) -> None:
        """What comes after the final response is not sent."""
        self.receive_request("MESSAGE")
        transaction = self.user.transactions[0]
        transaction.answer(202)
        transaction.answer(500)
        self.receive_request("MESSAGE")
        self.assertEqual(self.phone.brief(), ["202/MESSAGE", "202/MESSAGE"])

    def test_no_provisional_response_but_100(self) -> None:
        """To a request other than INVITE, only a 100 goes out, and not before 3.5 s (RFC 4320 §4.1)."""
        self.receive_request("MESSAGE")
        self.user.transactions[0].answer(100)
        self.user.transactions[0].answer(183)
        self.assertEqual(self.phone.brief(), [])
        self.clock.advance(3.5)
        self.assertEqual(self.phone.brief(), ["100/MESSAGE"])
        self.assertIsNone(self.phone.sent[0].to.tag)

    def test_no_408(self) -> None:
        """A 408 to a request other than INVITE ends it in silence, and retransmissions are absorbed (RFC 4320 §4.2)."""
        self.receive_request("MESSAGE")
        self.user.transactions[0].answer(408)
        self.receive_request("MESSAGE")
        self.clock.advance(10)
        self.assertEqual(self.phone.brief(), [])
        self.assertEqual(self.user.told, ["MESSAGE"])
        self.assertTrue(self.user.transactions[0].final)

    def test_408_to_invite(self) -> None:
        """To an INVITE a 408 is as good as any."""
        self.receive_request("INVITE")
        self.user.transactions[0].answer(408)
        self.assertEqual(self.phone.brief(), ["408/INVITE"])

    def test_late_response(self) -> None:
        """After 64*T1 nobody waits for the answer to a request other than INVITE: it is not sent (RFC 4320 §4.2)."""
        self.receive_request("MESSAGE")
        self.clock.pump([3.5, 28.5])
        self.user.transactions[0].answer(200)
        self.assertEqual(self.phone.brief(), ["100/MESSAGE"])
        self.assertEqual(self.user.told[1:], ["lost MESSAGE: MESSAGE was not answered within 32 s"])
        self.assertEqual(self.layer.counts.servers, 0)

    def test_invite_has_time(self) -> None:
        """An INVITE rings as long as its user wants."""
        self.receive_request("INVITE")
        self.clock.advance(3600)
        self.user.transactions[0].answer(200)
        self.assertEqual(self.phone.brief(), ["200/INVITE"])

    def test_no_ack(self) -> None:
        """A failure that nobody acknowledges is sent for 64*T1, and then the user hears of it."""
        self.receive_request("INVITE")
        self.user.transactions[0].answer(486)
        self.clock.pump([0.5] * 64)
        self.assertEqual(len(self.phone.sent), 11)
        self.assertEqual(self.user.told[1:], ["lost INVITE: INVITE was not acknowledged within 32 s"])

    def test_unsent_response(self) -> None:
        """The user hears, once and later, that a response could not be sent; the INVITE is still absorbed (RFC 6026)."""
        self.phone.failure = NOT_SENT
        self.receive_request("INVITE")
        self.user.transactions[0].answer(180)
        self.user.transactions[0].answer(180)
        self.assertEqual(self.user.told, ["INVITE"])
        self.clock.advance(0)
        self.assertEqual(self.user.told, ["INVITE", "lost INVITE: no way there"])
        self.receive_request("INVITE")
        self.assertEqual(self.layer.counts.servers, 1)

    def test_broken_hop(self) -> None:
        """A hop with a bug is logged, and is a transport error."""
        self.phone.raises = ZeroDivisionError("as it happens")
        self.receive_request("MESSAGE")
        self.user.transactions[0].answer(200)
        self.clock.advance(0)
        self.assertEqual(self.user.told[1:], ["lost MESSAGE: the hop failed"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_broken_user(self) -> None:
        """A user that fails harms nobody: the request is answered with 500, once."""
        self.user.fails = True
        self.receive_request("INVITE")
        self.receive_request("ACK", PHONE_VIA.replace("phone1", "phone2"))
        self.assertEqual(self.phone.brief(), ["500/INVITE"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(self.journal.counts["sip.user_failed"], 2)

    def test_reliable_hop_forgets_at_once(self) -> None:
        """Over a link a transaction ends with its answer, or for an INVITE with the ACK to it."""
        self.receive_request("MESSAGE", hop=self.peer)
        self.user.transactions[0].answer(200)
        self.assertEqual(self.layer.counts.servers, 0)
        self.receive_request("INVITE", hop=self.peer)
        self.user.transactions[1].answer(486)
        self.assertEqual(self.layer.counts.servers, 1)
        self.receive_request("ACK", hop=self.peer)
        self.assertEqual(self.layer.counts.servers, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hop_lost(self) -> None:
        """Losing a hop ends its transactions, and those of nobody else (§18.4)."""
        self.receive_request("INVITE")
        self.receive_request("INVITE", hop=self.peer)
        self.receive_request("MESSAGE", hop=self.peer)
        self.layer.hop_lost("peer", "it was restarted", [])
        self.assertEqual(
            self.user.told[3:], ["lost INVITE: it was restarted", "lost MESSAGE: it was restarted"]
        )
        self.assertEqual(self.layer.counts.servers, 1)

    def test_stop(self) -> None:
        """After the end nothing is left for the reactor to do, and late answers go nowhere."""
        self.receive_request("MESSAGE")
        self.send("INVITE")
        self.layer.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.layer.counts, Counts(0, 0))


class OldClientTests(LayerCase):
    """Clients of RFC 2543, whose branch, if there is one, says nothing (§17.2.3)."""

    def test_retransmission(self) -> None:
        """The same request is recognised by its Request-URI, tags, Call-ID, CSeq and Via."""
        for via in (OLD_VIA, f"{OLD_VIA};branch=1", f"{OLD_VIA};branch=z9hG4bK"):
            self.user.told.clear()
            self.receive_request("OPTIONS", via)
            self.receive_request("OPTIONS", via)
            self.assertEqual(self.user.told, ["OPTIONS"], via)

    def test_other_requests(self) -> None:
        """A request that differs in any of these is another one."""
        self.receive_request("OPTIONS", OLD_VIA)
        for changed in (
            received_request("OPTIONS", OLD_VIA, 2),
            received_request("OPTIONS", f"{OLD_VIA};branch=2"),
            received_request("OPTIONS", OLD_VIA, call_id="c2"),
            received_request("OPTIONS", OLD_VIA, from_="<sip:alice@example.com>;tag=a2"),
            received_request("OPTIONS", OLD_VIA, to="<sip:bob@example.com>;tag=b2"),
        ):
            self.receive(changed)
        self.assertEqual(len(self.user.transactions), 6)

    def test_ack(self) -> None:
        """The ACK to a failure has its To tag; one with another tag is not absorbed."""
        self.receive_request("INVITE", OLD_VIA)
        transaction = self.user.transactions[0]
        transaction.answer(486)
        self.receive(received_request("ACK", OLD_VIA, to="<sip:bob@example.com>;tag=other"))
        self.assertEqual(self.user.told, ["INVITE", "ACK"])
        self.receive(received_request("ACK", OLD_VIA, to=f"<sip:bob@example.com>;tag={transaction.tag}"))
        self.assertIs(transaction.state, State.CONFIRMED)
        self.assertEqual(self.user.told, ["INVITE", "ACK"])

    def test_ack_to_success(self) -> None:
        """The ACK to a 2xx has the key of the INVITE, and passes to the user all the same (RFC 6026 §6)."""
        self.receive_request("INVITE", OLD_VIA)
        transaction = self.user.transactions[0]
        transaction.answer(200)
        self.receive(received_request("ACK", OLD_VIA, to=f"<sip:bob@example.com>;tag={transaction.tag}"))
        self.assertEqual(self.user.told, ["INVITE", "ACK"])

    def test_early_ack(self) -> None:
        """An ACK before the final response passes to the user, who knows nothing that it could be for."""
        self.receive_request("INVITE", OLD_VIA)
        self.receive_request("ACK", OLD_VIA)
        self.assertEqual(self.user.told, ["INVITE", "ACK"])

    def test_cancel(self) -> None:
        """A CANCEL finds its INVITE."""
        self.receive_request("INVITE", OLD_VIA)
        self.receive_request("CANCEL", OLD_VIA)
        self.assertIs(self.user.transactions[1].cancels, self.user.transactions[0])
