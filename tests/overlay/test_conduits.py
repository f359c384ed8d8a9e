"""Tests for :mod:`p2pship.overlay.conduits`: how many links there may be."""

from __future__ import annotations

from p2pship.address import HostPort
from p2pship.bearer.admission import Admission
from p2pship.bearer.sendqueue import WINDOW
from p2pship.overlay import conduits
from p2pship.overlay.wire import Payload, Received
from tests.overlay.nodes import BOB, OverlayCase
from tests.overlay.strangers import Stranger

MALLORY = "mallory@example.com"


class RoomTests(OverlayCase):
    """How many links there may be."""

    def test_all(self) -> None:
        """Links in all are bounded, and none is taken after the end."""
        self.patch(conduits, "MAX_LINKS", 2)
        bob, home = self.node(BOB), self.node(MALLORY)
        self.assertEqual(Stranger(self, bob, home).lost, [])
        bob.overlay._conduits._most = 1
        self.assertEqual(len(Stranger(self, bob, home).lost), 1)
        bob.overlay.stop()
        self.clock.pass_time(5)
        self.assertEqual(len(Stranger(self, bob, home).lost), 1)

    def test_idle_goes(self) -> None:
        """When there are as many links as there may be, the one that was idle for longest goes, but none in use."""
        self.patch(conduits, "MAX_LINKS", 8)
        bob, home = self.node(BOB), self.node(MALLORY)
        strangers = [Stranger(self, bob, self.node(f"m{number}@example.com")) for number in range(3)]
        for stranger in strangers:
            stranger.greet(BOB)
            self.clock.pass_time(1)
            stranger.send(Received(0))
        self.clock.pass_time(1)
        bob.peer("m0@example.com").watch(True)
        bob.overlay._conduits._most = 3
        self.assertEqual(Stranger(self, bob, home).lost, [])
        self.assertEqual([len(one.lost) for one in strangers], [0, 1, 0])

    def test_one_source(self) -> None:
        """One address never takes more than half of the links: who comes then takes the place of an idle one of them."""
        self.patch(conduits, "MAX_LINKS", 4)
        bob = self.node(BOB)
        strangers = [Stranger(self, bob, self.node(f"m{number}@example.com")) for number in range(3)]
        self.assertEqual([len(one.lost) for one in strangers], [0, 0, 1])
        strangers[1].greet(BOB)
        self.clock.pass_time(0.1)
        strangers.append(Stranger(self, bob, self.node("m3@example.com")))
        self.assertEqual([len(one.lost) for one in strangers], [0, 1, 1, 0])

    def test_source_moves(self) -> None:
        """A link that goes on from another address still counts as one from where it came, and is taken off there."""
        self.patch(conduits, "MAX_LINKS", 4)
        bob = self.node(BOB)
        for number in range(5):
            stranger = Stranger(self, bob, self.node(f"m{number}@example.com"))
            ((taken,),) = bob.overlay._conduits._all.values()
            taken.link.remote = HostPort("203.0.112.9", 1000 + number)
            stranger.link.close("enough")
            self.clock.pass_time(1)
            self.assertEqual(bob.overlay._conduits._sources, {})

    def test_too_many_waiting(self) -> None:
        """Of too many links without a hello, the eldest has to go."""
        bob, home = self.node(BOB), self.node(MALLORY)
        bob.overlay._conduits._door = Admission(10, 2)
        waiting = [Stranger(self, bob, home) for _ in range(3)]
        self.assertEqual([len(one.lost) for one in waiting], [1, 0, 0])


class TurnTests(OverlayCase):
    """One link, two peers that both have much to send."""

    def test_turns(self) -> None:
        """Each has its turn, though one had all of it waiting before the other began."""
        bob = self.node(BOB, "eve@example.com")
        stranger = Stranger(self, bob, self.node(MALLORY))
        for number, identity in ((1, bob.own), (3, bob.keyring.identities()[1])):
            stranger.greet(identity.aor, number)
            self.clock.pass_time(0.1)
            stranger.send(Received(0), number)
        self.clock.pass_time(0.1)
        for peer in sorted(bob.overlay.peers(), key=lambda peer: peer.identity.aor):
            for _ in range(3):
                peer.send("test", bytes(WINDOW))
        self.clock.pass_time(1)
        turns = [parcel.peer for parcel in stranger.parcels if isinstance(parcel.frame, Payload)]
        self.assertEqual(turns, [1, 3] * 3)
