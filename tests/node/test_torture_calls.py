"""What some torture messages mean for the calls that come of them: whole calls, not only the message."""

from __future__ import annotations

from p2pship.sip.message import Request, parse
from p2pship.sip.uri import NameAddr
from tests.node.rawphones import RawPhone
from tests.node.test_torture import TortureTestCase
from tests.sip.torture import HANDLING, USER, octets

USER_B = HANDLING["inv2543"].callees[0]
MUNDANE = "sip:mundane@example.com"


class TortureCallTests(TortureTestCase):
    """Raw phones of two nodes."""

    names = ("alice", "bob")

    async def _registered(self, node: str, *people: str) -> RawPhone:
        phone = await self.raw_phone(node)
        for person in people:
            phone.register(person)
        await self._heard(phone, "REGISTER", len(people))
        await self.eventually(lambda: self._is_published(node))
        return phone

    async def _heard(self, phone: RawPhone, method: str, number: int = 1) -> None:
        await self.eventually(
            lambda: len(phone.finals(method)) >= number, lambda: f"{number} answers to {method} did not come"
        )

    async def _asked(self, phone: RawPhone, number: int = 1) -> tuple[bytes, Request]:
        """Return the last of the requests that a phone gets."""
        await self.eventually(lambda: len(phone.requests) >= number, lambda: f"request {number} did not come")
        request = parse(phone.requests[number - 1])
        assert isinstance(request, Request)
        return phone.requests[number - 1], request

    async def test_header_in_contact(self) -> None:
        """Who is called by the Contact of ``regescrt`` gets no header of its making (§3.3.14, RFC 3261 §19.1.5)."""
        caller, callee = await self._registered("alice", MUNDANE), await self.raw_phone("bob")
        callee.send(octets("regescrt"))
        await self._heard(callee, "REGISTER")
        await self.eventually(lambda: self._is_published("bob"))
        caller.send(caller.request("OPTIONS", USER, f"<{MUNDANE}>;tag=1", f"<{USER}>"))
        came, request = await self._asked(callee)
        callee.answer(came, 200, "b")
        await self._heard(caller, "OPTIONS")
        self.assertEqual((request.uri, request.values("Route")), (USER, []))

    async def test_reasons(self) -> None:
        """The reason phrases of ``unreason`` and ``noreason`` reach the caller as they are (§3.1.1.12, §3.1.1.13)."""
        caller, callee = await self._registered("alice", MUNDANE), await self._registered("bob", USER)
        unusual, empty = (octets(name).partition(b"\r\n")[0] for name in ("unreason", "noreason"))
        for number, line in enumerate((unusual, empty.replace(b"100", b"200")), 1):
            caller.send(caller.request("OPTIONS", USER, f"<{MUNDANE}>;tag=1", f"<{USER}>"))
            came, _ = await self._asked(callee, number)
            callee.answer(came, 200, "b", line)
            await self._heard(caller, "OPTIONS", number)
            self.assertEqual(caller.received[-1].partition(b"\r\n")[0], line)

    async def test_no_contact(self) -> None:
        """A client of RFC 3261 must say where it is called back (§8.1.1.8): its call without a Contact is refused."""
        caller = await self._registered("alice", MUNDANE)
        for method in ("INVITE", "SUBSCRIBE"):
            caller.send(caller.request(method, USER, f"<{MUNDANE}>;tag=1", f"<{USER}>"))
            await self._heard(caller, method)
            self.assertEqual(caller.finals(method)[0].status, 400)

    async def _rfc2543_call(self) -> tuple[RawPhone, RawPhone, Request]:
        """Return both phones of a call by ``inv2543``, and the INVITE as the one who was called has it."""
        handling = HANDLING["inv2543"]
        caller = await self._registered("alice", handling.caller)
        callee = await self._registered("bob", handling.callees[0])
        caller.send(octets("inv2543"))
        came, invite = await self._asked(callee)
        callee.answer(came, 200, "b")
        await self._heard(caller, "INVITE")
        caller.send(
            caller.request("ACK", USER_B, *_parties(invite), f"Call-ID: {invite.call_id}", "CSeq: 56 ACK")
        )
        await self.eventually(lambda: any(each.startswith(b"ACK ") for each in callee.received))
        self.assertEqual((self.counts("alice")["dialogs"], self.counts("bob")["dialogs"]), (1, 1))
        return caller, callee, invite

    async def test_rfc2543_caller_hangs_up(self) -> None:
        """A client of RFC 2543, which writes no tag of its own, calls and hangs up (§3.4.1, RFC 3261 §12.1.1)."""
        caller, callee, invite = await self._rfc2543_call()
        caller.send(
            caller.request("BYE", USER_B, *_parties(invite), f"Call-ID: {invite.call_id}", "CSeq: 57 BYE")
        )
        came, bye = await self._asked(callee, 2)
        self.assertEqual((bye.method, bye.from_.tag, bye.to.tag), ("BYE", None, "b"))
        callee.answer(came, 200, "b")
        await self._heard(caller, "BYE")

    async def test_rfc2543_callee_hangs_up(self) -> None:
        """Who was called by such a client hangs up: the request finds its dialog by the one tag that there is."""
        caller, callee, invite = await self._rfc2543_call()
        receiver, sender = _parties(invite)
        target = NameAddr.parse(invite.values("Contact")[0]).uri
        callee.send(
            callee.request("BYE", target, sender, receiver, f"Call-ID: {invite.call_id}", "CSeq: 1 BYE")
        )
        came, bye = await self._asked(caller)
        self.assertEqual((bye.method, bye.from_.tag, bye.to.tag), ("BYE", "b", None))
        self.assertEqual(bye.uri, f"sip:raw@{caller.address}")
        caller.answer(came, 200, "")
        await self._heard(callee, "BYE")


def _parties(invite: Request) -> tuple[str, str]:
    """Return From and To within the dialog of an INVITE without a tag."""
    return invite.first("From") or "", f"{invite.first('To')};tag=b"
