"""Tests of the node as a service: starting, stopping, failing to start, and what it says of itself."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

import p2pship.node
from p2pship import standing
from p2pship.address import HostPort
from p2pship.commands.identity import list_identities
from p2pship.commands.identitystatus import IdentityStatus
from p2pship.config import load
from p2pship.errors import ConfigError, LocalError
from p2pship.identity.aor import BadAOR
from p2pship.interfaces import IIdentity, INode
from p2pship.lookup.collected import Collected
from p2pship.node import Node
from p2pship.sections import sections
from p2pship.sip.message import Response
from p2pship.standing import commands
from p2pship.status import AskedStatus, CallStatus, FindStatus, FoundStatus, LookupStatus, Status, TraceStep
from p2pship.storage import ports
from p2pship.testing.lookup import MemoryDirectory, MemoryLookup
from p2pship.testing.network import StaticNetwork
from p2pship.testing.phone import Phone
from tests.node.calling import ALICE, BOB, NodeTestCase, error_of


def nothing(node: Node) -> Mapping[str, Any]:
    """Make no lookup and no bearer."""
    return {}


class ServiceTests(TestCase):
    """One node, without any way to others."""

    def setUp(self) -> None:
        """Choose a state folder."""
        self.state = Path(self.mktemp()).absolute()
        self.nodes: list[Node] = []

    def _node(self, *options: str, lookups: Any = nothing, bearers: Any = nothing) -> Node:
        config = load(None, sections(), ["sip.port=0", *options])
        node = Node(reactor, config, self.state, lookups=lookups, bearers=bearers, network=StaticNetwork())
        self.addCleanup(node.stopService)
        self.nodes.append(node)
        return node

    async def _registers(self, node: Node) -> None:
        """Look that a phone can register."""
        phone = Phone(reactor, ALICE, proxy=HostPort("127.0.0.1", node.status()["sip"]["port"]))
        phone.start()
        try:
            answer: Response = await phone.register()
            self.assertEqual(answer.status, 200)
        finally:
            await phone.stop()

    def test_interface(self) -> None:
        """What lookups, bearers and applications may use is there once it has started."""
        node = self._node()
        node.startService()
        self.assertTrue(verifyObject(INode, node))

    async def test_started_and_stopped_twice(self) -> None:
        """The same node can be started again when it has stopped, and has what it had."""
        node = self._node()
        keys = set()
        for _ in range(2):
            node.startService()
            await node.when_started()
            await self._registers(node)
            keys.add(node.keyring.device.key)
            self.assertEqual([identity.aor for identity in node.keyring.identities()], [ALICE])
            await node.stopService()
            self.assertFalse(node.running)
        self.assertEqual(len(keys), 1)

    async def test_stopped_twice(self) -> None:
        """Stopping twice is stopping once; whoever stops second hears when all is done, too."""
        node = self._node()
        node.startService()
        first = node.stopService()
        await node.stopService()
        self.assertTrue(first.called)
        await first

    async def test_part_that_does_not_stop(self) -> None:
        """Parts that fail when they are stopped are told of in the log, and hold neither the state folder nor each other."""
        lookup = MemoryLookup(reactor, MemoryDirectory())
        lookup.stop = lambda: fail(RuntimeError("stuck"))  # type: ignore[method-assign]
        first = self._node(lookups=lambda _: {"memory": lookup})
        first.startService()
        await first.when_started()
        stop = first.overlay.stop
        stuck = RuntimeError("stuck")
        first.overlay.stop = lambda: stop().addCallback(lambda _: fail(stuck))  # type: ignore[method-assign]
        await first.stopService()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        second = self._node()
        second.startService()
        await second.when_started()

    async def test_lookup_that_never_stops(self) -> None:
        """A lookup that never says that it has stopped is told of in the log, and holds up nobody."""
        self.patch(p2pship.node, "STOPPING_TIME", 0.01)
        lookup = MemoryLookup(reactor, MemoryDirectory())
        lookup.stop = Deferred  # type: ignore[method-assign]
        node = self._node(lookups=lambda _: {"memory": lookup})
        node.startService()
        await node.when_started()
        await node.stopService().addTimeout(5, reactor)
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 1)

    async def test_never_started(self) -> None:
        """A node that was never started can be stopped."""
        await self._node().stopService()

    async def test_when_started(self) -> None:
        """Whoever waits before, while and after it starts hears that it has."""
        lookup = SlowLookup(reactor, MemoryDirectory())
        node = self._node(lookups=lambda _: {"slow": lookup})
        before = node.when_started()
        node.startService()
        during = node.when_started()
        self.assertNoResult(before)
        lookup.starting.callback(None)
        for waiting in (before, during, node.when_started()):
            await waiting

    async def test_stopped_while_starting(self) -> None:
        """A node that is stopped while it starts ends that, and starts when it is asked again."""
        lookup = SlowLookup(reactor, MemoryDirectory())
        node = self._node(lookups=lambda _: {"slow": lookup})
        node.startService()
        waiting = node.when_started()
        await node.stopService()
        self.assertEqual(len(self.failureResultOf(waiting).getErrorMessage()), 0)
        lookup.starting = Deferred()
        node.startService()
        lookup.starting.callback(None)
        await node.when_started()

    def test_folder_in_use(self) -> None:
        """Two nodes cannot have the same state, and the second says who has it; the first goes on."""
        node = self._node()
        node.startService()
        other = self._node()
        error = self.assertRaises(ConfigError, other.startService)
        self.assertIn("in use by process", str(error))
        self.assertFalse(other.running)
        self.assertEqual(node.status()["identities"], 0)

    async def test_folder_is_a_file(self) -> None:
        """A state folder that is none is an error of the configuration."""
        self.state.write_text("not a folder")
        self.assertRaises(ConfigError, self._node().startService)

    async def test_database_is_damaged(self) -> None:
        """So is a database that cannot be read; the folder is not held."""
        self.state.mkdir(0o700)
        database = self.state / "p2pship.sqlite"
        database.write_bytes(b"no database" * 1000)
        self.assertRaises(ConfigError, self._node().startService)
        database.unlink()
        node = self._node()
        node.startService()
        await node.when_started()

    async def test_part_cannot_be_made(self) -> None:
        """A bearer that cannot be made stops the node from starting, and nothing is held."""

        def broken(node: Node) -> Mapping[str, Any]:
            raise LocalError("no such bearer")

        self.assertRaises(LocalError, self._node(bearers=broken).startService)
        node = self._node()
        node.startService()
        await node.when_started()

    async def test_port_taken(self) -> None:
        """When no port can be had for phones the node says so, and holds nothing."""
        self.patch(ports, "TRIES", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            node = self._node(f"sip.port={port}")
            error = self.assertRaises(LocalError, node.startService)
            self.assertIn(str(port), str(error))
            failure = await error_of(node.when_started(), LocalError)
            self.assertEqual(str(failure), str(error))
            await node.stopService()
        node.startService()
        await node.when_started()
        await self._registers(node)

    async def test_port_moves(self) -> None:
        """When the port is taken the next free one is used, said, and kept."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            node = self._node(f"sip.port={port}")
            node.startService()
            await node.when_started()
            moved = node.status()["sip"]["port"]
            self.assertGreater(moved, port)
            await self._registers(node)
            await node.stopService()
        node.startService()
        self.assertEqual(node.status()["sip"]["port"], moved)

    async def test_lookup_fails_to_start(self) -> None:
        """A lookup that cannot begin at all is why the node does not start."""
        lookup = SlowLookup(reactor, MemoryDirectory())
        node = self._node(lookups=lambda _: {"slow": lookup})
        node.startService()
        waiting = node.when_started()
        lookup.starting.errback(LocalError("no such network"))
        error = await error_of(waiting, LocalError)
        self.assertEqual(str(error), "no such network")
        await error_of(node.when_started(), LocalError)

    async def test_lookup_with_a_bug(self) -> None:
        """A lookup that raises when it is started, or never has, keeps the node from nothing; the log names it."""
        self.patch(p2pship.node, "STARTING_TIME", 0.01)
        slow, broken = (SlowLookup(reactor, MemoryDirectory(), name) for name in ("slow", "broken"))
        broken.starting.errback(ZeroDivisionError())
        node = self._node(lookups=lambda _: {"broken": broken, "slow": slow})
        with capturedLogs() as events:
            node.startService()
            await node.when_started()
        said = [formatEvent(event) for event in events if event["log_level"] is LogLevel.critical]
        self.assertEqual(said, [f"the lookup {name} did not start" for name in ("broken", "slow")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, TimeoutError)), 2)

    async def test_failure_that_nobody_waits_for(self) -> None:
        """That it cannot start is in the log when nobody asked to be told."""
        lookup = SlowLookup(reactor, MemoryDirectory())
        node = self._node(lookups=lambda _: {"slow": lookup})
        node.startService()
        with capturedLogs() as events:
            lookup.starting.errback(LocalError("no such network"))
        self.assertIn("the node cannot start: no such network", [formatEvent(event) for event in events])

    async def test_part_fails_at_once(self) -> None:
        """What fails at once is told to who starts the node, and nothing is held."""
        lookup = SlowLookup(reactor, MemoryDirectory())
        lookup.starting.errback(LocalError("no such network"))
        self.assertRaises(LocalError, self._node(lookups=lambda _: {"slow": lookup}).startService)
        await self.nodes[-1].stopService()
        node = self._node()
        node.startService()
        await node.when_started()


class SlowLookup(MemoryLookup):
    """A lookup that begins when the test says."""

    def __init__(self, reactor: Any, directory: MemoryDirectory, name: str = "slow") -> None:
        super().__init__(reactor, directory, name)
        self.starting: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        """Wait for the test."""
        return self.starting


class CommandTests(NodeTestCase):
    """What a node answers on its control socket."""

    def _ask(self, command: str, **arguments: Any) -> Any:
        return commands(lambda: self.node("alice").standing)[command](arguments)

    def _fits(self, answer: Mapping[str, Any], shape: type) -> None:
        """Look that an answer has the keys that its shape has, and no others."""
        self.assertEqual(set(answer), set(shape.__annotations__))

    async def test_status(self) -> None:
        """The status says where phones register, and what runs."""
        status = self._ask("status")
        self._fits(status, Status)
        self.assertEqual(status["sip"]["udp"], f"127.0.0.1:{status['sip']['port']}")
        self.assertEqual([bearer["name"] for bearer in status["bearers"]], ["memory"])
        self.assertEqual(len(status["bearers"][0]["locators"]), 1)
        lookup: LookupStatus = {
            "name": "memory",
            "wide_area": False,
            "trouble": "",
            "read_back": 0.0,
            "servers": [],
        }
        self.assertEqual((status["lookups"], status["phones"], status["calls"]), ([lookup], 0, 0))
        await self.up(*await self.two_phones())
        status = self._ask("status")
        self.assertEqual((status["identities"], status["phones"], status["calls"]), (1, 1, 1))
        (peer,) = status["peers"]
        self.assertEqual((peer["own"], peer["aor"], peer["encrypted"]), (ALICE, BOB, True))
        self.assertEqual(
            {each: status["counts"][each] for each in ("relays", "dialogs", "watched")},
            {"relays": 1, "dialogs": 1, "watched": 1},
        )

    async def test_identities(self) -> None:
        """Each identity has a fingerprint, and the phones that are registered."""
        alice = await self.phone(ALICE)
        (identity,) = list_identities(self.node("alice").desk, {})
        self._fits(identity, IdentityStatus)
        self.assertEqual((identity["aor"], identity["phones"]), (ALICE, [alice.line.contact]))
        await alice.unregister()
        (identity,) = list_identities(self.node("alice").desk, {})
        self.assertEqual(identity["phones"], [])

    async def test_calls(self) -> None:
        """A call is listed while it rings and while it is up, with the stages of its set-up."""
        alice, bob = await self.two_phones()
        self.assertEqual(self._ask("calls"), [])
        call, rung = await self.ringing(alice, bob)
        (listed,) = self._ask("calls")
        self._fits(listed, CallStatus)
        self.assertEqual((listed["caller"], listed["callee"], listed["state"]), (ALICE, BOB, "ringing"))
        await rung.answer()
        await call.answered
        (listed,) = self._ask("calls")
        self.assertEqual((listed["call_id"], listed["state"]), (call.dialog.call_id, "up"))
        self.assertEqual((listed["media"], listed["encrypted"]), ("1 line", True))
        stages = listed["stages"]
        self.assertEqual(set(stages), {"lookup", "dial", "hello", "remote", "total"})
        parts = sum(seconds for stage, seconds in stages.items() if stage != "total")
        self.assertLess(abs(parts - stages["total"]), 0.0005)  # each is rounded to 0.1 ms
        self.assertGreater(stages["total"], 0)
        (theirs,) = self.node("bob").standing.live_calls()
        self.assertEqual((theirs["caller"], theirs["state"], theirs["stages"]), (ALICE, "up", None))

    async def test_find(self) -> None:
        """A search says which devices were found, where, and how true the name is."""
        await self.two_phones()
        found = await self._ask("find", aor=f"sip:{BOB}")
        self._fits(found, FindStatus)
        self._fits(found["asked"][0], AskedStatus)
        (device,) = found["devices"]
        self._fits(device, FoundStatus)
        self.assertEqual((found["aor"], device["lookup"], device["name_grade"]), (BOB, "memory", "unproven"))
        self.assertTrue(device["locators"])

    async def test_find_followed(self) -> None:
        """Who follows a search is told each step as it happens, which is then not in the answer."""
        await self.two_phones()
        steps: list[TraceStep] = []
        found = await self._ask("find", aor=BOB, trace=True, follow=True)(steps.append)
        self.assertEqual((len(found["devices"]), found["trace"]), (1, []))
        traced = await self._ask("find", aor=BOB, trace=True)
        self.assertEqual([each["step"] for each in steps], [each["step"] for each in traced["trace"]])

    async def test_find_for_the_default(self) -> None:
        """It is searched for the default identity, as in every command that names none."""
        asked: list[str] = []

        def collected(finder: object, aor: str, own: IIdentity) -> Deferred[Collected]:
            asked.append(own.aor)
            return Deferred()

        await self.two_phones()
        self.patch(standing, "collect", collected)
        keyring = self.node("alice").desk.keyring
        keyring.set_default(keyring.create("second@example.com").aor)
        self._ask("find", aor=BOB)
        self.assertEqual(asked, ["second@example.com"])

    async def test_find_nobody(self) -> None:
        """A name that is none, and a search before anybody has registered, are errors in words."""
        self.assertRaises(LocalError, self._ask, "find", aor=BOB)
        await self.phone(ALICE)
        for wrong in ({}, {"aor": "nobody"}, {"aor": 7}):
            self.assertRaises(BadAOR, lambda wrong=wrong: self._ask("find", **wrong))
