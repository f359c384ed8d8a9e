"""SIPp's caller and callee without anything between, and each against a few lines of SIP that look closely."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.testing.programs import ProgramFailed, require_program
from p2pship.testing.sipp import Load, SIPp, SIPpRun

HOST = "127.0.0.1"
SCENARIOS = Path(__file__).parent / "sipp"
ROUTES = ["<sip:127.0.0.1:9;lr>", "<sip:127.0.0.1:7;lr;transport=udp>"]


def fields(message: str, name: str) -> list[str]:
    """Return the values of a header field."""
    return [line.partition(": ")[2] for line in message.split("\r\n") if line.startswith(f"{name}:")]


class Witness(DatagramProtocol):
    """The other side of SIPp: answers requests as it is told, and keeps what it received."""

    def __init__(self, answers: dict[str, tuple[str, list[str]]]) -> None:
        """:param answers: for each method a status and more header fields"""
        self.answers = answers
        self.received: list[str] = []
        self.waiting: dict[str, Deferred[str]] = {}

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Keep a message and answer it if it is a request."""
        message = datagram.decode()
        self.received.append(message)
        first = message.split(" ")
        word = first[1] if first[0] == "SIP/2.0" else first[0]
        if word in self.answers:
            status, more = self.answers[word]
            same = [
                f"{name}: {value}"
                for name in ("Via", "From", "Call-ID", "CSeq")
                for value in fields(message, name)
            ]
            to = fields(message, "To")[0]
            tag = "" if ";tag=" in to else ";tag=witness"
            self.send([f"SIP/2.0 {status}", *same, f"To: {to}{tag}", *more], addr)
        if word in self.waiting:
            self.waiting.pop(word).callback(message)

    def send(self, lines: list[str], addr: Any) -> None:
        """Send a message without a body."""
        cast(Any, self.transport).write("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode(), addr)

    def when(self, word: str) -> Deferred[str]:
        """Return a Deferred of the next message with this method or status."""
        return self.waiting.setdefault(word, Deferred())

    def of(self, method: str) -> str:
        """Return the first request of a method."""
        return next(message for message in self.received if message.startswith(f"{method} "))


class SIPpCase(TestCase):
    """Skipped where SIPp is not installed."""

    def setUp(self) -> None:
        """Look for the program, and make alice and bob."""
        require_program("sipp")
        self.alice, self.bob = (
            SIPp(reactor, Path(self.mktemp()).absolute(), f"{name}@example.com") for name in ("alice", "bob")
        )

    def witness(self, answers: dict[str, tuple[str, list[str]]]) -> tuple[Witness, HostPort]:
        """Listen."""
        witness = Witness(answers)
        port = cast(Any, reactor).listenUDP(0, witness, interface=HOST)
        self.addCleanup(port.stopListening)
        return witness, HostPort(HOST, port.getHost().port)

    def run_scenario(
        self, who: SIPp, name: str, remote: HostPort | None = None, load: Load | None = None, **keys: str
    ) -> SIPpRun:
        """Start a run that the test ends."""
        run = who.run(SCENARIOS / name, remote, load, **keys)
        self.addCleanup(run.stop)
        return run

    def calling(self, remote: HostPort, load: Load) -> SIPpRun:
        """Let alice call bob."""
        return self.run_scenario(self.alice, "uac.xml", remote, load, peer="bob@example.com")


class SIPpDirectTests(SIPpCase):
    """The two scenarios against each other."""

    async def check_calls(self, wait: float) -> None:
        """Make 40 calls from alice to bob, who waits so long for a repeated BYE."""
        load = Load(calls=40, rate=20, hold=0.1, limit=20)
        answering = self.run_scenario(self.bob, "uas.xml", None, replace(load, hold=wait))
        await answering.listening()
        calling = self.calling(HostPort(HOST, self.bob.port), load)
        called, answered = await gatherResults([calling.ended(), answering.ended()])
        for found in (called, answered):
            self.assertEqual(
                (found.exit_code, found.calls, found.succeeded, found.failed), (0, 40, 40, 0), found.errors
            )
            self.assertEqual((found.unexpected, found.unfinished, found.failures), (0, 0, {}), found.errors)
        self.assertEqual(
            {name: sum(times.values()) for name, times in called.response_times.items()}["answer"], 40
        )

    async def test_calls(self) -> None:
        """All calls over UDP succeed, and every answer is timed."""
        await self.check_calls(0.5)

    async def test_tcp(self) -> None:
        """All calls over TCP succeed."""
        self.alice, self.bob = (
            SIPp(reactor, Path(self.mktemp()).absolute(), f"{name}@example.com", transport="tcp")
            for name in ("alice", "bob")
        )
        await self.check_calls(0)

    async def test_nobody_there(self) -> None:
        """A call that nobody answers is counted as such when the time is over, and its retransmissions are."""
        _, nowhere = self.witness({})
        found = await self.calling(nowhere, Load(limit=2)).ended()
        self.assertNotEqual(found.exit_code, 0)
        self.assertEqual(found.succeeded, 0)
        self.assertEqual(found.failed + found.unfinished, 1)
        self.assertGreaterEqual(found.retransmissions, 1)

    async def test_rejected(self) -> None:
        """A call that is rejected has failed, and the statistics and errors say why."""
        _, busy = self.witness({"INVITE": ("486 Busy Here", [])})
        found = await self.calling(busy, Load(limit=10)).ended()
        self.assertEqual((found.exit_code, found.failed, found.unexpected), (1, 1, 1))
        self.assertEqual(found.failures, {"UnexpectedMessage": 1})
        self.assertIn("486 Busy Here", found.errors)

    async def test_not_a_scenario(self) -> None:
        """A scenario that cannot be read fails with what SIPp says."""
        error: Any = await self.assertFailure(
            self.run_scenario(self.alice, "../test_sipp_direct.py").ended(), ProgramFailed
        )
        self.assertIn("counted nothing", str(error))

    async def test_does_not_listen(self) -> None:
        """A run that ended at once never listens."""
        run = self.run_scenario(self.alice, "nonexistent.xml")
        await self.assertFailure(run.listening(), ProgramFailed)

    async def test_stop(self) -> None:
        """A callee that nobody calls is ended when it is told to."""
        run = self.run_scenario(self.bob, "uas.xml", None, Load(calls=5))
        await run.listening()
        await run.stop()
        self.assertEqual((await run.ended()).calls, 0)


class SIPpScenarioTests(SIPpCase):
    """What the scenarios put into their messages."""

    async def test_register(self) -> None:
        """It registers the AOR with the address at which it will listen."""
        registrar, at = self.witness({"REGISTER": ("200 OK", [])})
        found = await self.run_scenario(self.bob, "register.xml", at, expires="600").ended()
        self.assertEqual(found.succeeded, 1)
        request = registrar.of("REGISTER")
        self.assertTrue(request.startswith("REGISTER sip:example.com SIP/2.0\r\n"))
        self.assertEqual(fields(request, "To"), ["<sip:bob@example.com>"])
        self.assertEqual(fields(request, "Contact"), [f"<sip:bob@127.0.0.1:{self.bob.port};transport=UDP>"])
        self.assertEqual(fields(request, "Expires"), ["600"])

    async def test_caller_keeps_the_dialog(self) -> None:
        """ACK and BYE go to the callee's Contact by the reversed Record-Route, with the AORs and both tags."""
        route = [f"Record-Route: {value}" for value in ROUTES]
        ok = ["Contact: <sip:bob@192.0.2.1:5070;gr=abc>", *route]
        callee, at = self.witness({"INVITE": ("200 OK", ok), "BYE": ("200 OK", [])})
        found = await self.calling(at, Load(limit=10)).ended()
        self.assertEqual(found.succeeded, 1, found.errors)
        invite = callee.of("INVITE")
        self.assertTrue(invite.startswith("INVITE sip:bob@example.com SIP/2.0\r\n"))
        self.assertIn("<sip:alice@example.com>;tag=", fields(invite, "From")[0])
        for method in ("ACK", "BYE"):
            request = callee.of(method)
            self.assertTrue(
                request.startswith(f"{method} sip:bob@192.0.2.1:5070;gr=abc SIP/2.0\r\n"), request
            )
            self.assertEqual(", ".join(fields(request, "Route")).split(", "), ROUTES[::-1])
            self.assertEqual(fields(request, "To"), ["<sip:bob@example.com>;tag=witness"])
            self.assertEqual(fields(request, "From"), fields(invite, "From"))

    async def test_callee_keeps_the_dialog(self) -> None:
        """180 and 200 echo every Record-Route and have one tag and a Contact; BYE is answered."""
        caller, at = self.witness({})
        answering = self.run_scenario(self.bob, "uas.xml", None, Load(limit=10))
        await answering.listening()
        there = (HOST, self.bob.port)
        dialog = [
            f"Via: SIP/2.0/UDP {at};branch=z9hG4bK1",
            "From: <sip:alice@example.com>;tag=a",
            "Call-ID: one",
            "Max-Forwards: 70",
        ]
        routes = [f"Record-Route: {value}" for value in ROUTES]
        ok = caller.when("200")
        contact = f"Contact: <sip:alice@{at}>"
        invite = [
            "INVITE sip:bob@example.com SIP/2.0",
            "To: <sip:bob@example.com>",
            "CSeq: 1 INVITE",
            contact,
        ]
        caller.send([*invite, *routes, *dialog], there)
        to = fields(await ok, "To")
        for answer in (message for message in caller.received if not message.startswith("SIP/2.0 100")):
            self.assertEqual(", ".join(fields(answer, "Record-Route")).split(", "), ROUTES)
            self.assertEqual(
                fields(answer, "Contact"), [f"<sip:bob@127.0.0.1:{self.bob.port};transport=UDP>"]
            )
            self.assertEqual(fields(answer, "To"), to)
        caller.send(["ACK sip:bob SIP/2.0", f"To: {to[0]}", "CSeq: 1 ACK", *dialog], there)
        ok = caller.when("200")
        caller.send(["BYE sip:bob SIP/2.0", f"To: {to[0]}", "CSeq: 2 BYE", *dialog], there)
        self.assertEqual(fields(await ok, "CSeq"), ["2 BYE"])
        self.assertEqual((await answering.ended()).succeeded, 1)
