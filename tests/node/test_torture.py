"""The torture messages of RFC 4475 and RFC 5118 at a node's sockets: what it answers of itself.

What each message must meet with is said in :mod:`tests.sip.torture`; what is sent on is tested in
``test_torture_passage``.
"""

from __future__ import annotations

from p2pship.sip import connection
from p2pship.sip.fields import key_of
from p2pship.sip.message import Response
from tests.node.calling import NodeTestCase
from tests.node.rawphones import KINDS, SIP_PORT, RawPhone, via_port
from tests.sip.torture import HANDLING, Fate, names, octets

CONTACTS = {
    "dblreq": ["<sip:j.user@host.example.com>"],
    "regaut01": [],
    "cparam01": ["<sip:+19725552222@gw1.example.net>;unknownparam"],
    "cparam02": ["<sip:+19725552222@gw1.example.net;unknownparam>"],
    "regescrt": ["<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"],
    "ipv6-good": ["<sip:caller@[2001:db8::1]>"],
    "port-ambiguous": ["<sip:caller@[2001:db8::1]>"],
    "port-unambiguous": ["<sip:caller@[2001:db8::1]>"],
}
"The bindings in the answer to each REGISTER, but for the time that they last."


class TortureTestCase(NodeTestCase):
    """Sends torture messages."""

    kind = "udp"

    async def raw_phone(self, node: str, port: int = SIP_PORT) -> RawPhone:
        """Return a phone that sends to a node, and hears responses at a port."""
        phone = KINDS[self.kind](self.nodes.proxy(node), port)
        await phone.open()
        self.addCleanup(phone.close)
        return phone

    async def sent(self, chosen: list[str]) -> dict[str, RawPhone]:
        """Send each message from a phone of its own.

        They go to the nodes in turn, because some neighbours name the same transaction.
        """
        phones = {}
        for number, name in enumerate(chosen):
            phone = await self.raw_phone(self.names[number % len(self.names)], via_port(octets(name)))
            phone.send(octets(name) + (HANDLING[name].tail if self.kind == "tcp" else b""))
            phones[name] = phone
        return phones

    async def answer(self, name: str, phone: RawPhone) -> Response:
        """Return what a message was answered with, when it has the status of the table."""
        await self.eventually(lambda: bool(phone.finals()), lambda: f"{name} got no answer")
        answer = phone.finals()[0]
        self.assertEqual(answer.status, HANDLING[name].status, f"{name}: {answer.reason}")
        self._repeats(answer, name)
        return answer

    def _repeats(self, answer: Response, name: str) -> None:
        """Look that an answer has what its sender knows it by, as often as the request has it (RFC 3261 §8.2.6.2)."""
        for key in ("call-id", "cseq", "from"):
            asked = [line for line in header_lines(octets(name)) if key_of_line(line) == key]
            given = [line for line in header_lines(answer.encode()) if key_of_line(line) == key]
            self.assertEqual(given, asked, name)


def header_lines(message: bytes) -> list[bytes]:
    """Return the header lines of a message as they are, folded ones with their continuations, by hand."""
    lines: list[bytes] = []
    for line in message.partition(b"\r\n\r\n")[0].removesuffix(b"\r\n").split(b"\r\n")[1:]:
        if line.startswith((b" ", b"\t")):
            lines[-1] += b"\r\n" + line
        else:
            lines.append(line)
    return lines


def key_of_line(line: bytes) -> str:
    """Return the name of a header line, in lower case and long."""
    return key_of(line.partition(b":")[0].strip(b" \t").decode())


class AnswersOverUDPTests(TortureTestCase):
    """What a node answers of itself to datagrams."""

    async def test_refused(self) -> None:
        """Each bad request is answered with its own status; over TCP a connection whose framing is lost is closed.

        ``clerr`` has a test of its own over TCP.
        """
        chosen = [name for name in names(Fate.REFUSED) if (name, self.kind) != ("clerr", "tcp")]
        await self._refused(chosen)

    async def _refused(self, chosen: list[str]) -> None:
        for name, phone in (await self.sent(chosen)).items():
            await self.answer(name, phone)
            if self.kind == "tcp" and HANDLING[name].closes:
                await self._closed(name, phone)

    async def _closed(self, name: str, phone: RawPhone) -> None:
        await self.eventually(lambda: phone.closed, lambda: f"the connection of {name} is open")

    async def test_null_in_a_name(self) -> None:
        """Who registers ``escnull`` is told in the reason phrase why no identity is made, and none is."""
        phones = await self.sent(["escnull"])
        answer = await self.answer("escnull", phones["escnull"])
        self.assertIn("no control character: null-%00-null@example.com", answer.reason)
        self.assertEqual(self.node("alice").desk.keyring.identities(), ())

    async def test_unsupported(self) -> None:
        """The 420 to ``bext01`` lists what a proxy was asked for (§3.3.5)."""
        phones = await self.sent(["bext01"])
        answer = await self.answer("bext01", phones["bext01"])
        self.assertEqual(answer.lines("Unsupported"), ["noProxiesSupportThis, norDoAnyProxiesSupportThis"])

    async def test_dropped(self) -> None:
        """A response that answers nothing gets no answer, harms no connection, and goes nowhere."""
        for name, phone in (await self.sent(names(Fate.DROPPED))).items():
            await self._heard_only_probe(name, phone)

    async def _heard_only_probe(self, name: str, phone: RawPhone) -> None:
        phone.probe()
        await self.eventually(lambda: bool(phone.finals()), lambda: f"no answer after {name}")
        answers = [(each.status, each.cseq) for each in phone.finals()]
        self.assertEqual(answers, [(200, (1, "OPTIONS"))], name)


class NoiseTests(TortureTestCase):
    """What stands behind the message of a datagram."""

    async def test_second_message(self) -> None:
        """What follows the REGISTER of ``dblreq`` is not looked at (§3.1.1.8)."""
        phone = (await self.sent(["dblreq"]))["dblreq"]
        await self.answer("dblreq", phone)
        phone.probe()
        await self.eventually(lambda: len(phone.finals()) == 2)
        self.assertEqual([each.cseq[1] for each in phone.finals()], ["REGISTER", "OPTIONS"])


class AnswersOverTCPTests(AnswersOverUDPTests):
    """Likewise over TCP."""

    kind = "tcp"

    async def test_too_short(self) -> None:
        """More of ``clerr`` is waited for, and when it is there, it is a message (§3.1.2.2)."""
        phone = (await self.sent(["clerr"]))["clerr"]
        witness = await self.raw_phone("alice")
        witness.probe()
        await self.eventually(lambda: bool(witness.finals()))
        self.assertEqual((phone.received, phone.closed), ([], False))
        phone.send(b"a=x\r\n" * 2_000)
        await self.eventually(lambda: bool(phone.finals()))
        self.assertEqual(phone.finals()[0].status, 403)

    async def test_never_whole(self) -> None:
        """When no more of ``clerr`` comes within a reasonable time, the connection is closed (§3.1.2.2)."""
        self.patch(connection, "PATIENCE", 0.3)
        phone = (await self.sent(["clerr"]))["clerr"]
        await self._closed("clerr", phone)
        self.assertEqual((phone.received, self.counts("alice")["sip.tcp_slow"]), ([], 1))

    async def test_second_message(self) -> None:
        """What follows the REGISTER of ``dblreq`` is noise in a datagram (§3.1.1.8), and the next message here."""
        phone = (await self.sent(["dblreq"]))["dblreq"]
        await self.eventually(lambda: len(phone.finals()) == 2)
        self.assertEqual(
            [(each.status, each.cseq) for each in phone.finals()],
            [(200, (8, "REGISTER")), (403, (8, "INVITE"))],
        )

    async def test_body_without_length(self) -> None:
        """The body of ``inv2543`` has no length: nobody knows where the next message begins (§3.3.9)."""
        phone = (await self.sent(["inv2543"]))["inv2543"]
        await self.eventually(lambda: phone.closed)
        self.assertEqual([each.status for each in phone.finals()], [400])


class NobodyOverUDPTests(TortureTestCase):
    """What a node answers that would be sent on, were there somebody."""

    names = ("alice", "bob")

    async def test_not_registered(self) -> None:
        """What comes of who has not registered is refused; and so is what belongs to no dialog."""
        chosen = [name for name in names(Fate.PASSED, Fate.WITHIN) if (name, self.kind) != ("inv2543", "tcp")]
        for name, phone in (await self.sent(chosen)).items():
            await self.answer(name, phone)

    async def test_server_itself(self) -> None:
        """An OPTIONS without a user is answered, however its Via shows where it came from (RFC 5118 §4.5)."""
        for name, phone in (await self.sent(names(Fate.ANSWERED))).items():
            self.assertIn("MESSAGE", (await self.answer(name, phone)).first("Allow") or "")


class NobodyOverTCPTests(NobodyOverUDPTests):
    """Likewise over TCP."""

    kind = "tcp"


class RegistersOverUDPTests(TortureTestCase):
    """A node for each REGISTER, as several are of one person."""

    names = tuple(names(Fate.REGISTERED))

    async def test_bound(self) -> None:
        """Each REGISTER is answered with its bindings, and so is one that asks for them later."""
        for name, phone in (await self.sent(list(self.names))).items():
            bound = [_without_time(value) for value in (await self.answer(name, phone)).lines("Contact")]
            self.assertEqual(bound, CONTACTS[name], name)
            self.assertEqual(await self._fetched(name), CONTACTS[name], name)

    async def _fetched(self, name: str) -> list[str]:
        (to,) = [line for line in header_lines(octets(name)) if key_of_line(line) == "to"]
        person = to.partition(b":")[2].strip().decode()
        phone = await self.raw_phone(name)
        phone.send(phone.request("REGISTER", "sip:example.com", f"<{person}>;tag=x", f"<{person}>"))
        await self.eventually(lambda: bool(phone.finals()))
        return [_without_time(value) for value in phone.finals()[0].lines("Contact")]


class RegistersOverTCPTests(RegistersOverUDPTests):
    """Likewise over TCP."""

    kind = "tcp"


def _without_time(contact: str) -> str:
    return contact.rpartition(";expires=")[0]
