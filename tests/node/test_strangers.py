"""Tests of a node that sends what no honest node sends: it is refused and counted, and disturbs nobody."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from p2pship.commands.identity import list_identities
from p2pship.errors import LocalError, PayloadRefused
from p2pship.interfaces import IPeer
from p2pship.sip import transactions
from p2pship.sip.legs import LegToPhone
from p2pship.sip.message import Request, response_to
from p2pship.testing.phone import RING, IncomingCall, OutgoingCall
from p2pship.testing.phonecall import State
from tests.node.calling import ALICE, BOB, CAROL, refusal, requests
from tests.node.stranger import MALLORY, StrangerCase

FEW = 30
"Requests that one peer may have under way: fewer than in real life, so that the flood is over soon."


class StrangerTests(StrangerCase):
    """What Mallory sends is refused and counted."""

    async def test_forged_sender(self) -> None:
        """A message in another's name is refused."""
        await self.is_refused(self.request("MESSAGE", sender=f"<sip:{ALICE}>;tag=a"), "forged-from")

    async def test_forged_call(self) -> None:
        """So is a call, whatever it asserts about itself."""
        forged = self.request(
            "INVITE",
            sender=f"<sip:{ALICE}>;tag=a",
            Contact=f"<sip:{ALICE};gr=x.1>",
            P_Asserted_Identity=f"<sip:{ALICE}>",
        )
        await self.is_refused(forged, "forged-from")

    async def test_third_person(self) -> None:
        """A request to somebody who lives elsewhere is not passed on."""
        await self.is_refused(self.request("MESSAGE", f"sip:{ALICE}"), "open-relay")

    async def test_third_person_here(self) -> None:
        """Nor is one to somebody of this node whom the link was not made for."""
        carol = await self.phone(CAROL, node="bob")
        await self.is_refused(self.request("MESSAGE", f"sip:{CAROL}"), "open-relay")
        self.assertEqual(carol.texts, [])

    async def test_register(self) -> None:
        """Nobody registers a phone from elsewhere."""
        forged = self.request("REGISTER", Contact="<sip:bob@192.0.2.66>")
        await self.is_refused(forged, "remote-register")
        (identity,) = list_identities(self.node("bob").desk, {})
        self.assertEqual(identity["phones"], [self.bob.line.contact])

    async def test_request_in_a_dialog_of_others(self) -> None:
        """Who knows everything about a call of others can still not end it."""
        await self.set_up()
        dialog = self.call.dialog
        for method in ("BYE", "INVITE", "INFO"):
            forged = self.request(
                method,
                sender=str(dialog.local),
                To=str(dialog.remote),
                Call_ID=dialog.call_id,
                CSeq=f"{dialog.cseq + 1} {method}",
                Via=f"SIP/2.0/P2P [2001:20::1];branch=z9hG4bK{method}",
                Contact=f"<sip:{MALLORY};gr=x.1>",
            )
            await self.send(BOB, forged)
        await self.undisturbed()

    async def test_response_to_another(self) -> None:
        """A response to a request that was sent to somebody else is not taken, though all of it fits."""
        await self.set_up()
        call, rung = await self._another_call()
        forged = response_to(self._sent_to_bob(call), 200, to_tag="m")
        forged.append("Contact", f"<sip:{MALLORY};gr=x.1>")
        await self.send(ALICE, forged)
        await self.mallory.message(self.alice.aor, "after it")
        self.assertIs(call.state, State.RINGING)
        rung.reject(486)
        self.assertEqual((await refusal(call)).status, 486)

    async def test_cancel_for_another(self) -> None:
        """A CANCEL of a request that somebody else sent finds nothing to cancel, though its branch is right."""
        await self.set_up()
        call, rung = await self._another_call()
        asked = self._sent_to_bob(call)
        forged = self.request("CANCEL", CSeq=f"{asked.cseq[0]} CANCEL", Via=asked.first("Via") or "")
        await self.send(BOB, forged)
        await self.mallory.message(self.bob.aor, "after it")
        self.assertEqual((rung.state, requests(self.bob, "CANCEL")), (State.RINGING, []))

    async def _another_call(self) -> tuple[OutgoingCall, IncomingCall]:
        self.bob.answering = RING
        return await self.ringing(self.alice, self.bob)

    def _sent_to_bob(self, call: OutgoingCall) -> Request:
        """Return the INVITE of a call as Alice's node sent it over the link, which nobody else should ever see."""
        clients = self.node("alice").telephony.proxy.layer._clients.values()
        (sent,) = [
            each.request
            for each in clients
            if each.request.method == "INVITE" and each.request.call_id == call.dialog.call_id
        ]
        return sent

    async def test_garbage(self) -> None:
        """What is no SIP is refused, whatever its size, and the link stays."""
        await self.set_up()
        peer = self.peer(BOB)
        for payload in (
            b"",
            b"\r\n\r\n",
            b"\x00" * 65_536,
            b"INVITE",
            b"a" * 65_536,
            b"SIP/2.0 200 OK\r\n\r\n",
        ):
            await self._refuses(peer, payload)
        self.assertRaises(LocalError, peer.send, "sip", bytes(65_537))
        self.assertEqual(len(self.nodes.links.links), 6)
        await self.undisturbed()

    async def _refuses(self, peer: IPeer, payload: bytes) -> None:
        """Send what is refused, or taken and dropped."""
        try:
            self.assertEqual(await peer.send("sip", payload), b"")
        except PayloadRefused as error:
            self.assertTrue(str(error))

    async def test_flood(self) -> None:
        """Who begins more requests than one may have under way is refused, and others are served."""
        self.patch(transactions, "MAX_SERVERS_OF_PEER", FEW)
        self.patch(LegToPhone, "patience", 1.0)  # so long each of them waits for a phone that is switched off
        await self.set_up()
        carol = await self.phone(CAROL, node="bob")
        await self.mallory.message(carol.aor, "hello")
        await carol.stop()
        flood = [
            self.request(
                "OPTIONS",
                carol.aor,
                Via=f"SIP/2.0/P2P [2001:20::1];branch=z9hG4bK{number}",
                CSeq=f"{number} OPTIONS",
                Call_ID=f"flood{number}",
            )
            for number in range(3 * FEW)
        ]
        await gatherResults([self.send(CAROL, each) for each in flood])
        self.assertGreaterEqual(self.counts("bob")["sip.overload"], 1)
        await self.undisturbed()
