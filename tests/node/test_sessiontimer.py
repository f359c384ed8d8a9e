"""Tests of session timers between two phones and their nodes (RFC 4028): who asks, who refreshes, and what ends when nobody does."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor

from p2pship.cli.story import story_text
from p2pship.sip.message import Request, Response, response_to
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.phone import IncomingCall, OutgoingCall, Phone
from tests.node.calling import NodeTestCase, refusal, requests
from tests.node.lateclock import LateReactor

KNOWS = ("Supported", "timer")
"What a phone says that knows session timers."

SHORT = 90
"Seconds: the shortest interval that there may be (RFC 4028 §5)."


class TimerTests(NodeTestCase):
    """Alice calls Bob; both nodes take part."""

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make nodes whose time can be put forward."""
        self.late = LateReactor(reactor)
        return MemoryNodes(self.late, folder, self.names)

    async def called(
        self, asked: tuple[tuple[str, str], ...] = (), granted: tuple[tuple[str, str], ...] = ()
    ) -> tuple[OutgoingCall, IncomingCall]:
        """Return both ends of a call that is up, whose INVITE and 200 have these headers."""
        alice, bob = await self.two_phones()
        return await self.answered(alice, bob, asked, granted)

    async def answered(
        self,
        caller: Phone,
        callee: Phone,
        asked: tuple[tuple[str, str], ...],
        granted: tuple[tuple[str, str], ...],
    ) -> tuple[OutgoingCall, IncomingCall]:
        """Bring a call up with these headers in its INVITE and 200, and return both ends."""
        call = caller.call(callee.aor, asked)
        await call.ringing
        rung = callee.calls[-1]
        assert isinstance(rung, IncomingCall)
        await rung.answer(granted)
        await call.answered
        return call, rung

    async def still_up(self, call: OutgoingCall, answered: IncomingCall) -> None:
        """Look that a call goes on: it is heard at both ends for longer than the second between two looks at the time."""
        await self.talk(call, answered, packets=60)
        self.assertEqual([self.counts(node)["dialogs"] for node in self.names], [1, 1])

    async def test_nobody_knows(self) -> None:
        """The caller's node asks for half an hour; where no phone knows timers the call has none, and lasts."""
        call, answered = await self.called()
        self.assertEqual(answered.invite.values("Session-Expires"), ["1800"])
        self.assertNotIn("Session-Expires", call.responses[-1])
        self.late.put_forward(2_000)
        await self.still_up(call, answered)

    async def test_only_the_caller_knows(self) -> None:
        """The node of who was called has the caller's phone refresh, and both nodes hold to it (§8.2)."""
        call, answered = await self.called((KNOWS,))
        response = call.responses[-1]
        self.assertEqual(response.values("Session-Expires"), ["1800;refresher=uac"])
        self.assertEqual(response.values("Require"), ["timer"])
        self.late.put_forward(1_790)
        await self.still_up(call, answered)
        self.late.put_forward(20)
        await self.ran_out(call, answered)

    async def test_only_the_callee_knows(self) -> None:
        """What who was called grants to the node's question reaches the caller's phone as it is."""
        call, answered = await self.called((), (("Session-Expires", "600;refresher=uas"),))
        self.assertEqual(call.responses[-1].values("Session-Expires"), ["600;refresher=uas"])
        self.late.put_forward(610)
        await self.ran_out(call, answered)

    async def ran_out(self, call: OutgoingCall, answered: IncomingCall) -> None:
        """Look that both nodes have hung up at their own phones, and say why."""
        for each in (call, answered):
            ending = await each.ended
            self.assertTrue(ending.remote)
            self.assertIn("session timer", ending.reason)
        for node in self.names:
            book = self.node(node).telephony.book
            (line,) = book.recent(2)
            self.assertIn("nobody has refreshed the call", story_text(book.story(line["id"])))

    async def test_refreshed(self) -> None:
        """An UPDATE from either side starts the time anew at both nodes."""
        interval = ("Session-Expires", f"{SHORT};refresher=uac")
        call, answered = await self.called((KNOWS, ("Session-Expires", f"{SHORT}")), (interval,))
        for end in (call, answered):
            end.on_request = _granting
        for end in (call, answered, call):
            self.late.put_forward(SHORT - 30)
            refreshed = await end.request("UPDATE", [KNOWS, interval, end.phone.line.contact_header])
            self.assertEqual(refreshed.values("Session-Expires"), [interval[1]])
        await self.still_up(call, answered)
        self.late.put_forward(SHORT)
        await self.ran_out(call, answered)

    async def test_given_up(self) -> None:
        """A refresh that is answered without a timer ends it, and the call lasts (§7.2)."""
        call, answered = await self.called((KNOWS, ("Session-Expires", f"{SHORT}")))
        await call.reinvite()
        self.late.put_forward(SHORT * 2)
        await self.still_up(call, answered)

    async def test_too_small(self) -> None:
        """An interval that is too small is refused with 422 by the caller's node, which Bob's phone does not hear (§8.1)."""
        alice, bob = await self.two_phones()
        call = alice.call(bob.aor, (KNOWS, ("Session-Expires", "30")))
        refused = await refusal(call)
        self.assertEqual((refused.status, refused.response.values("Min-SE")), (422, [f"{SHORT}"]))
        self.assertEqual(requests(bob, "INVITE"), [])

    async def test_longer_is_wanted(self) -> None:
        """422 of Bob's phone reaches Alice's with what is enough, and with that the call comes up."""
        alice, bob = await self.two_phones()
        bob.on_call = lambda rung: rung.reject(422, [("Min-SE", "600")])
        refused = await refusal(alice.call(bob.aor, (KNOWS, ("Session-Expires", f"{SHORT}"))))
        self.assertEqual((refused.status, refused.response.values("Min-SE")), (422, ["600"]))
        bob.on_call = lambda rung: None
        asked = (KNOWS, ("Session-Expires", "600"), ("Min-SE", "600"))
        _, rung = await self.answered(alice, bob, asked, (("Session-Expires", "600;refresher=uac"),))
        self.assertEqual(rung.invite.values("Session-Expires"), ["600"])
        self.assertEqual(rung.invite.values("Min-SE"), ["600"])


def _granting(request: Request) -> Response | None:
    """Grant what a refresh asks for."""
    if request.method != "UPDATE":
        return None
    response = response_to(request, 200)
    response.append("Session-Expires", request.first("Session-Expires") or "")
    return response
