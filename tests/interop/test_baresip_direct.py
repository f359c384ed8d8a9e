"""Two baresip phones call each other without anything between: what the driver says is true before nodes are judged by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.address import HostPort
from p2pship.testing.audio import Sound, compare, speech
from p2pship.testing.baresip import Baresip
from p2pship.testing.programs import ProgramFailed, require_program

HOST = "127.0.0.1"


class Registrar(DatagramProtocol):
    """Answers every request with one status; not at all if that is empty."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.requests: list[str] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer with the header fields that must be the same (RFC 3261 §8.2.6)."""
        first, *lines = datagram.decode().split("\r\n")
        self.requests.append(first)
        if not self.status:
            return
        same = [
            line
            for line in lines
            if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:"))
        ]
        answer = [f"SIP/2.0 {self.status}", *same, "Content-Length: 0", "", ""]
        cast(Any, self.transport).write("\r\n".join(answer).encode(), addr)


class BaresipCase(TestCase):
    """Skipped where baresip is not installed."""

    timeout = 120

    def setUp(self) -> None:
        """Look for the program."""
        require_program("baresip")

    async def phone(self, name: str, proxy: HostPort | None = None, **options: Any) -> Baresip:
        """Start a phone that the test stops."""
        phone = Baresip(reactor, Path(self.mktemp()).absolute(), f"{name}@example.com", proxy, **options)
        self.addCleanup(phone.stop)
        await phone.start()
        return phone

    async def call(self, caller: Baresip, callee: Baresip) -> None:
        """Bring a call up."""
        await caller.dial(callee.uri)
        await callee.when("CALL_INCOMING")
        await callee.accept()
        await caller.when("CALL_ESTABLISHED")
        await callee.when("CALL_ESTABLISHED")

    async def talk(self, seconds: float) -> None:
        """Let them talk: there is no sign of how much has been said but the time."""
        await deferLater(cast(Any, reactor), seconds)


class BaresipDirectTests(BaresipCase):
    """Calls and messages."""

    async def check_audio(self, codec: str, seconds: float) -> None:
        """Call, talk, hang up, and compare what each has heard with what the other has said."""
        alice = await self.phone("alice", codec=codec, voice=speech(30, 1))
        bob = await self.phone("bob", codec=codec, voice=speech(30, 2))
        await self.call(alice, bob)
        await self.talk(seconds)
        await alice.hangup()
        await bob.when("CALL_CLOSED")
        for speaker, listener in ((alice, bob), (bob, alice)):
            found = compare(speaker.voice, await listener.heard())
            self.assertTrue(found.alike, f"{found}\n{listener.log()}")
            self.assertGreaterEqual(found.seconds, seconds - 1)
            self.assertTrue(compare(speaker.voice, await speaker.spoken()).alike)

    async def test_audio(self) -> None:
        """With G.711 each hears what the other says."""
        await self.check_audio("pcmu/8000/1", 5)

    async def test_opus(self) -> None:
        """With Opus too, at 48 kHz and in stereo."""
        await self.check_audio("opus/48000/2", 5)

    async def test_wrong_audio_is_noticed(self) -> None:
        """What alice hears is not what alice says."""
        alice, bob = await self.phone("alice"), await self.phone("bob")
        await self.call(alice, bob)
        await self.talk(3)
        await alice.hangup()
        self.assertFalse(compare(alice.voice, await alice.heard()).alike)

    async def test_hold(self) -> None:
        """A call is held and resumed, and packets flow on both ways."""
        alice, bob = await self.phone("alice"), await self.phone("bob")
        await self.call(alice, bob)
        await alice.hold()
        await alice.resume()
        before = await alice.packets()
        await self.talk(1)
        after = await alice.packets()
        self.assertGreater(after[0], before[0] + 20)
        self.assertGreater(after[1], before[1] + 20)

    async def test_keys(self) -> None:
        """Each key that is pressed arrives, in order."""
        alice, bob = await self.phone("alice"), await self.phone("bob", answer="auto")
        await alice.dial(bob.uri)
        await bob.when("CALL_ESTABLISHED")
        await alice.when("CALL_ESTABLISHED")
        await alice.dtmf("15#")
        pressed = [(await bob.when("CALL_DTMF_START")).param for _ in range(3)]
        self.assertEqual(pressed, ["1", "5", "#"])

    async def test_reject(self) -> None:
        """The callee hangs up instead of answering, and the caller learns it."""
        alice, bob = await self.phone("alice"), await self.phone("bob")
        await alice.dial(bob.uri)
        await bob.when("CALL_INCOMING")
        await bob.hangup()
        self.assertIn("486", (await alice.when("CALL_CLOSED")).param)

    async def test_voice_ends(self) -> None:
        """When all has been said the call ends."""
        alice, bob = await self.phone("alice", voice=speech(1, 1)), await self.phone("bob")
        await self.call(alice, bob)
        self.assertEqual((await alice.when("CALL_CLOSED")).param, "end of file")

    async def test_message(self) -> None:
        """A text arrives as it was written, with its sender."""
        bob = await self.phone("bob")
        address = bob.uri.removeprefix("sip:")
        alice = await self.phone("alice", contacts=("carol@example.com", address))
        await alice.message(address, 'see you at "five", Zoë?')
        text = await bob.when_text()
        self.assertEqual(
            (text.sender, text.text), (alice.uri.removeprefix("sip:"), 'see you at "five", Zoë?')
        )

    async def test_message_to_each(self) -> None:
        """Each contact can be written to, wherever it stands in the list."""
        bob = await self.phone("bob")
        address = bob.uri.removeprefix("sip:")
        for contacts in (
            (address,),
            (address, "carol@example.com"),
            ("carol@example.com", "dora@example.com", address),
        ):
            alice = await self.phone("alice", contacts=contacts)
            await alice.message(address, "hello")
            self.assertEqual((await bob.when_text()).text, "hello")

    async def test_message_to_nobody(self) -> None:
        """Only contacts can be written to."""
        alice = await self.phone("alice")
        await self.assertFailure(alice.message("bob@example.com", "hello"), ProgramFailed)


class BaresipRegistrationTests(BaresipCase):
    """How it registers and ends."""

    def registrar(self, status: str) -> tuple[Registrar, HostPort]:
        """Listen as a registrar."""
        registrar = Registrar(status)
        port = cast(Any, reactor).listenUDP(0, registrar, interface=HOST)
        self.addCleanup(port.stopListening)
        return registrar, HostPort(HOST, port.getHost().port)

    async def test_registers(self) -> None:
        """It is started when it has registered, and unregisters when it is stopped."""
        registrar, proxy = self.registrar("200 OK")
        alice = await self.phone("alice", proxy)
        self.assertEqual(registrar.requests, ["REGISTER sip:example.com SIP/2.0"])
        self.assertEqual(await alice.stop(), 0)
        self.assertEqual(registrar.requests, ["REGISTER sip:example.com SIP/2.0"] * 2)

    async def test_refused(self) -> None:
        """A registration that is refused fails the start, with the status."""
        _, proxy = self.registrar("403 Forbidden")
        started: Deferred[Baresip] = Deferred.fromCoroutine(self.phone("alice", proxy))
        error: Any = await self.assertFailure(started, ProgramFailed)
        self.assertIn("403 Forbidden", str(error))

    async def test_stop_without_registrar(self) -> None:
        """When nobody answers any more it is ended all the same."""
        registrar, proxy = self.registrar("200 OK")
        alice = await self.phone("alice", proxy)
        registrar.status = ""
        self.assertLessEqual(await alice.stop(), 0)

    async def test_event_that_does_not_come(self) -> None:
        """Waiting in vain fails with the log."""
        alice = await self.phone("alice")
        error = await self.assertFailure(alice.when("CALL_INCOMING", 0.1), ProgramFailed)
        self.assertIn("baresip is ready", str(error))

    async def test_refused_command(self) -> None:
        """A command that does not exist fails."""
        alice = await self.phone("alice")
        await self.assertFailure(alice.command("nonsense"), ProgramFailed)

    async def test_never_started(self) -> None:
        """Stopping a phone that was not started is harmless."""
        alice = Baresip(reactor, Path(self.mktemp()), "alice@example.com", None, voice=speech(1, 1))
        self.assertEqual(await alice.stop(), 0)
        await self.assertFailure(alice.heard(), ProgramFailed)
        self.assertIsInstance(alice.voice, Sound)
