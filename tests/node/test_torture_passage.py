"""The torture messages that are sent on: each goes from phone to phone through two nodes, octet for octet.

Only what shows where the phones are, and who they are, is another at the other phone (see ``REWRITTEN``). The phones are
registered under the names in From and Request-URI, and in To where that is another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor

from p2pship.config import load
from p2pship.node import Node
from p2pship.sections import sections
from p2pship.sip.message import Message, Request, Response, parse
from p2pship.sip.uri import NameAddr
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.programs import free_ports
from tests.node.rawphones import RawPhone, via_port
from tests.node.test_torture import TortureTestCase, header_lines, key_of_line
from tests.scale import SCALE
from tests.sip.torture import HANDLING, RFC4475, RFC5118, USER, Fate, octets

reactor: Any = _reactor

REWRITTEN = {
    "via": "each side has its own (RFC 3261 §16.6 item 8)",
    "route": "a phone's routes lead to its own node",
    "record-route": "the only one towards a phone is its own node",
    "max-forwards": "one less for each node (§16.6 item 3)",
    "max-breadth": "shared out among the branches (RFC 5393 §5.3.3)",
    "session-expires": "the caller's node asks for a timer where the phone does not (RFC 4028 §8.1)",
    "contact": "a GRUU, which shows no address (RFC 5627)",
    "content-length": "written anew with a session description",
    "p-asserted-identity": "each node tells its own phone who the peer is (RFC 3325)",
}
"The header fields that are other ones at the other phone. From is, if it has a display name: that ends with the AOR there."

LAST = "ipv6-correct-abnf-2-colons"
ODDEST = ["intmeth", "mpart01", "inv2543"]
TO_BE_BUSY = 486
LIMIT = 70
"Max-Forwards for a request without."


class PassageTestCase(TortureTestCase):
    """Phones that exchange torture messages through two nodes."""

    names = ("alice", "bob")

    async def pass_all(self, chosen: list[str]) -> None:
        passing = [name for name in chosen if HANDLING[name].fate in (Fate.PASSED, Fate.WITHIN)]
        self.people: dict[str, RawPhone] = {}
        for name in passing:
            await self._callee(name)
        await self.eventually(lambda: all(self._is_published(node) for node in self.names))
        for name in passing:
            caller = await self._caller(name)
            await self._passes(name, caller, self.people[HANDLING[name].callees[0]])
            await self._register(caller, HANDLING[name].caller, ";expires=0")

    # The phones.

    async def _caller(self, name: str) -> RawPhone:
        """Return a phone that sends one message: it is registered no longer, so that it does not ring for others."""
        phone = await self.raw_phone(_home(name, HANDLING[name].caller), via_port(octets(name)))
        await self._register(phone, HANDLING[name].caller)
        return phone

    async def _callee(self, name: str) -> None:
        """Register a phone under all the names by which a message calls it; one phone has each name."""
        people = HANDLING[name].callees
        known = [self.people[each] for each in people if each in self.people]
        phone = known[0] if known else await self.raw_phone(_home(name, people[0]))
        for person in people:
            if person not in self.people:
                self.people[person] = phone
                await self._register(phone, person)

    async def _register(self, phone: RawPhone, person: str, expires: str = "") -> None:
        before = len(phone.finals("REGISTER"))
        phone.register(person, expires)
        await self.eventually(lambda: len(phone.finals("REGISTER")) > before)
        self.assertEqual(phone.finals("REGISTER")[-1].status, 200, person)

    # The messages.

    async def _passes(self, name: str, caller: RawPhone, callee: RawPhone) -> None:
        message = parse(octets(name))
        assert isinstance(message, Request)
        within = HANDLING[name].fate is Fate.WITHIN
        if within:
            await self._talk(message, caller, callee)
        before = len(callee.requests)
        caller.send(octets(name))
        came = await self._request(name, callee, before)
        self._compare(name, came)
        callee.answer(came, TO_BE_BUSY if message.method == "INVITE" else 200, "b")
        await self._answered(name, message, caller, TO_BE_BUSY if message.method == "INVITE" else 200)
        if within and message.method != "BYE":
            await self._hang_up(message, caller, callee)

    async def _request(self, name: str, callee: RawPhone, before: int) -> bytes:
        await self.eventually(
            lambda: len(callee.requests) > before, lambda: f"{name} did not arrive: {self.reasons('alice')}"
        )
        return callee.requests[before]

    async def _answered(self, name: str, message: Request, caller: RawPhone, status: int) -> None:
        """Wait for the answer, and look that it is the answer to this message."""

        def heard() -> list[Response]:
            return [each for each in caller.finals(message.method) if each.cseq == message.cseq]

        await self.eventually(lambda: bool(heard()), lambda: f"{name} was not answered")
        answer = heard()[0]
        self.assertEqual(answer.status, status, name)
        self.assertEqual(answer.values("Via")[1:], message.values("Via")[1:], name)
        self.assertEqual(
            (answer.first("From"), answer.call_id), (message.first("From"), message.call_id), name
        )
        if message.method == "INVITE":
            caller.acknowledge(octets(name), answer)

    async def _talk(self, message: Request, caller: RawPhone, callee: RawPhone) -> None:
        """Make the dialog to which a message belongs, up to its first request."""
        to = str(message.to.without_parameter("tag"))
        common = (message.first("From") or "", to, f"Call-ID: {message.call_id}", "CSeq: 1 INVITE")
        contact = f"Contact: <sip:raw@{caller.address}>"
        uri = message.to.uri
        before = len(callee.requests)
        caller.send(caller.request("INVITE", uri, *common, contact))
        callee.answer(await self._request("INVITE", callee, before), 200, message.to.tag or "")
        await self.eventually(lambda: bool(caller.finals("INVITE")))
        acknowledged = (message.first("From") or "", message.first("To") or "", common[2], "CSeq: 1 ACK")
        caller.send(caller.request("ACK", uri, *acknowledged))
        await self.eventually(lambda: any(each.startswith(b"ACK ") for each in callee.received))

    async def _hang_up(self, message: Request, caller: RawPhone, callee: RawPhone) -> None:
        before = len(callee.requests)
        parties = (message.first("From") or "", message.first("To") or "", f"Call-ID: {message.call_id}")
        caller.send(caller.request("BYE", message.to.uri, *parties, "CSeq: 99999 BYE"))
        callee.answer(await self._request("BYE", callee, before), 200, "")
        await self.eventually(lambda: bool(caller.finals("BYE")))

    # What came.

    def _compare(self, name: str, came: bytes) -> None:
        """Look that what came is what was sent, but for what is rewritten."""
        sent, got = parse(octets(name)), parse(came)
        same = _kept(octets(name))
        if sent.from_.display:
            self._amended(name, sent, got)
            same = [line for line in same if key_of_line(line) != "from"]
        kept = [line for line in _kept(came) if not (sent.from_.display and key_of_line(line) == "from")]
        self.assertEqual(kept, same, name)
        self._rewritten(name, sent, got)
        if sent.first("Content-Type") != "application/sdp":
            self.assertEqual(got.body, sent.body, name)
            self.assertEqual(got.first("Content-Length"), sent.first("Content-Length"), name)
        else:
            self._described(name, sent.body, got.body)

    def _amended(self, name: str, sent: Message, got: Message) -> None:
        """Look that a display name ends with the AOR of who sends it, and the rest is as it was."""
        caller = HANDLING[name].caller.removeprefix("sip:")
        self.assertEqual(got.from_.display, f"{sent.from_.display} {caller}", name)
        self.assertEqual((got.from_.uri, got.from_.parameters), (sent.from_.uri, sent.from_.parameters), name)

    def _rewritten(self, name: str, sent: Message, got: Message) -> None:
        """Look at the fields that are rewritten."""
        hops = LIMIT if sent.max_forwards is None else sent.max_forwards - 1
        self.assertEqual(got.max_forwards, hops - 1, name)
        self.assertEqual((len(got.values("Via")), got.values("Route")), (1, []), name)
        self.assertIn(
            got.values("Record-Route"), ([], [f"<sip:{got.via.sent_by};transport={self.kind};lr>"]), name
        )
        self.assertEqual(len(got.values("Contact")), int("Contact" in sent or name == "inv2543"), name)
        for value in got.values("Contact"):
            contact = NameAddr.parse(value)
            self.assertTrue(contact.uri.startswith(f"{HANDLING[name].caller};gr="), (name, value))
            for was in sent.values("Contact"):
                self.assertEqual(contact.parameters, NameAddr.parse(was).parameters, name)

    def _described(self, name: str, sent: bytes, got: bytes) -> None:
        """Look that only addresses and ports have changed in a description."""
        before, after = (
            sent.split(b"\r\n"),
            [line for line in got.split(b"\r\n") if not line.startswith(b"a=rtcp:")],
        )
        self.assertEqual([_anonymous(line) for line in after], [_anonymous(line) for line in before], name)
        for line in after:
            if line[:2] in (b"o=", b"c="):
                self.assertTrue(line.endswith(b"IN IP4 127.0.0.1"), (name, line))


class PassageOverUDPTests(PassageTestCase):
    """Phones that use UDP."""

    async def test_rfc4475(self) -> None:
        """Each valid request of RFC 4475 arrives."""
        await self.pass_all([name for name in RFC4475 if (name, self.kind) != ("inv2543", "tcp")])

    async def test_rfc5118(self) -> None:
        """Each valid request of RFC 5118 arrives; the last names the same transaction as one of these."""
        await self.pass_all([name for name in RFC5118 if name != LAST])

    async def test_last(self) -> None:
        """So does the last (RFC 5118 §4.10)."""
        await self.pass_all([LAST])


class PassageOverTCPTests(PassageOverUDPTests):
    """Phones that use TCP."""

    kind = "tcp"


class RealNodes(MemoryNodes):
    """Nodes that find each other over multicast and reach each other over TLS, with all their real parts."""

    def _make(self, name: str) -> Node:
        node = Node(self._reactor, load(None, sections(), self._options), self.state(name))
        node.journal.watch(self.facts[name].append)
        return node


class PassageOverTLSTests(PassageTestCase):
    """A real link between the nodes."""

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Return the nodes, whose multicast nobody else hears."""
        options = (
            f"lookup.lan.port={free_ports(1)}",
            'lookup.lan.interfaces=["lo"]',
            "bearer.tls.port=0",
            'bearer.tls.listen=["127.0.0.1"]',
        )
        return RealNodes(reactor, folder, self.names, options)

    async def test_some(self) -> None:
        """Those arrive whose names and octets are the oddest; all of RFC 4475 in the long version of the tests."""
        await self.pass_all(list(RFC4475) if SCALE else ODDEST)


def _kept(message: bytes) -> list[bytes]:
    """Return the header lines that nobody may change."""
    return [line for line in header_lines(message) if key_of_line(line) not in REWRITTEN]


def _anonymous(line: bytes) -> bytes:
    """Return a line of a description without the address or port in it."""
    if line[:2] in (b"o=", b"c="):
        return line.rpartition(b"IN ")[0]
    if line[:2] == b"m=":
        media, _port, rest = line.split(b" ", 2)
        return media + b" " + rest
    return line


def _home(name: str, person: str) -> str:
    """Return the node of a person: callers of RFC 4475 are Alice's, who in RFC 5118 is mostly the same user."""
    if name in RFC5118:
        return "alice" if person == USER else "bob"
    return "alice" if person == HANDLING[name].caller else "bob"
