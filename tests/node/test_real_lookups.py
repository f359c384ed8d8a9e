"""All lookups of a node at once, over real sockets: one is honest, one lies, one is dead, one is slow, and one hears nobody."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from p2pship.interfaces import ILookup
from p2pship.lookup import search as comparing
from p2pship.lookup.candidate import Answer
from p2pship.lookup.facts import OtherKeyIgnored
from p2pship.lookup.http.protocol import HTTPLookup
from p2pship.lookup.lan import machine
from p2pship.lookup.lan.protocol import LANLookup
from p2pship.lookup.lan.settings import LANSettings
from p2pship.lookup.mainline import search
from p2pship.lookup.mainline.protocol import make as make_mainline
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.node import Node
from p2pship.testing.network import StaticNetwork, loopback
from p2pship.testing.nodes import MemoryNodes
from p2pship.testing.programs import free_ports
from p2pship.trust.pins import BY_CONFIRMING
from tests.lookup.dns.dnscase import DOMAIN
from tests.lookup.http.lookupcase import PuppetServer
from tests.node.test_dns_lookup import NEWCOMER, DNSNodes, NewcomerCase

ANN = "ann@example.org"
"Who calls with the honest lookup alone."

CALLEES = [f"bob{number}@{DOMAIN}" for number in range(2)]
"Whom each calls; the quickest call counts, as any machine is busy at times."

ASKED_FOR = 1.5
"Seconds that the lookup that hears nobody and the dead one take, and that others would be waited for to compare with; truly 2.5, 2.8 and 0.4."

LATER = 1.0
"Seconds that all may be behind one, on a machine that is busy: who waits for anybody is 1.5 behind at least."


class AllNodes(DNSNodes):
    """Alice's node has every lookup; the server named last in ``asked`` takes questions and never answers."""

    asked: tuple[str, ...] = ()

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make the lookups of a node."""
        if name not in ("alice", "ann"):
            return super().lookups_of(name, node)
        servers = self.asked if name == "alice" else self.asked[:1]
        honest: ILookup = HTTPLookup(
            reactor, servers, self.tls.policy(), {}, os.urandom, node.journal, node.network
        )
        if name == "ann":
            return {"http": honest}
        lan: ILookup = LANLookup(
            reactor, LANSettings(port=free_ports(1)), StaticNetwork(loopback()), os.urandom, node.journal
        )
        dead = MainlineSettings(
            enabled=True,
            listen=("127.0.101.1",),
            dht_port=free_ports(1),
            question_port=0,
            bootstrap=(f"127.0.102.1:{free_ports(1)}",),
            private=True,
        )
        mainline: ILookup = make_mainline(reactor, dead, node)
        return {"lan": lan, "mainline": mainline, **super().lookups_of(name, node), "http": honest}


class AllAtOnceTests(NewcomerCase):
    """Bob is on a rendezvous server; his domain's DNS leads to Mallory's, where somebody else has his name."""

    others = ("mallory", "ann")

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make the nodes, and a server that is never done."""
        self.slow = PuppetServer(lambda method, path: None)
        listening: Any = reactor
        port = listening.listenTCP(0, self.slow, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        asked = (f"https://localhost:{self.servers['bob']}", f"http://127.0.0.1:{port.getHost().port}")
        self.patch(AllNodes, "asked", asked)
        return AllNodes(folder, self.tls, self.port, self.servers)

    async def test_call(self) -> None:
        """They ring as soon as with the honest lookup alone; the liar is passed over, and what became of each lookup is told."""
        self.patch(machine, "QUESTION_TIME", ASKED_FOR)
        self.patch(search, "FIND_TIME", ASKED_FOR)
        self.patch(comparing, "WIDE_COLLECTING_TIME", ASKED_FOR)
        self.lead("mallory")
        alice, ann = await self.phone(NEWCOMER, node="alice"), await self.phone(ANN)
        liars = []
        for aor in CALLEES:
            await self.phone(aor, node="bob")
            liars.append(await self.phone(aor, node="mallory"))
            his = self.node("bob").keyring.identity(aor)
            assert his is not None
            for name, own in ("alice", NEWCOMER), ("ann", ANN):
                self.node(name).desk.trust.pin(own, aor, his.key, BY_CONFIRMING)
        alone = [await self.rings_after(ann, aor) for aor in CALLEES]
        with_all = [await self.rings_after(alice, aor) for aor in CALLEES]
        self.assertLess(min(with_all), min(alone) + LATER, (with_all, alone))
        self.assertEqual([liar.calls for liar in liars], [[], []])
        found = await self.node("alice").standing.find({"aor": CALLEES[0]})
        self.assertEqual([device["lookup"] for device in found["devices"]], ["http"])
        answers = {one["lookup"]: one["answer"] for one in found["asked"]}
        completed = dict.fromkeys(("lan", "dns", "http"), Answer.COMPLETED.value)
        self.assertEqual(answers, {**completed, "mainline": Answer.FAILED.value}, found)
        self.assertEqual({fact.lookup for fact in self.told("alice", OtherKeyIgnored)}, {"dns"})
        self.assertIn("GET", {method for method, _ in self.slow.asked})
