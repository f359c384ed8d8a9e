"""Linking a new device: what it gets, and attacks on it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from p2pship.errors import LocalError, PayloadRefused
from p2pship.interfaces import ISubprotocol
from p2pship.lookup.privacy import MODE, OPEN, PARANOID, SETTING
from p2pship.lookup.rendezvous import Rendezvous
from p2pship.relations.codes import Invitation, Means, Secret
from p2pship.relations.devicenames import named_devices
from p2pship.relations.joining import Linked, NotLinked
from p2pship.relations.linkfacts import DeviceLinked, LinkingEnded
from p2pship.relations.linking import LAST_WORDS, Linking, LinkWindow
from p2pship.relations.pakewire import Refusal, read_message
from p2pship.relations.window import WINDOW_SECONDS, Ending
from tests.overlay.nodes import ALICE, BOB
from tests.relations.devices import Device, DevicesCase
from tests.scale import SEED

WRONG = tuple(str(Secret(Means.CODE, digit * 8)) for digit in (b"1", b"2", b"3"))


class LinkingCase(DevicesCase):
    """Alice's old device, and a new one."""

    def setUp(self) -> None:
        super().setUp()
        self.mode = OPEN
        self.rendezvous = Rendezvous()
        self.doors: dict[Device, set[str]] = {}
        self.judging: dict[Device, Callable[[str, str], None]] = {}
        self.linkings: dict[Device, Linking] = {}
        self.old, self.new = self.linkable(ALICE), self.linkable()
        self.clock.pass_time(1)

    def linkable(self, *aors: str) -> Device:
        """Return a node that takes part in linking."""
        doors: set[str] = set()
        device = self.device(*aors)
        linking = Linking(
            device.clock,
            device.keyring,
            device.overlay,
            device.journal,
            Random(SEED + len(self.linkings)).randbytes,
            device.ledger,
            doors,
            lambda own, aor: self.judging[device](own, aor),
            lambda own: self.mode,
            self.rendezvous,
        )
        device.overlay.offer(linking)
        linking.start()
        self.doors[device], self.linkings[device] = doors, linking
        self.judging[device] = device.overlay.judge_again
        return device

    def open(self, owner: bool = False) -> LinkWindow:
        """Open a window on the old device."""
        return self.linkings[self.old].open(ALICE, owner)

    def join(self, code: str, hit: bytes | None = None, who: Device | None = None) -> Deferred[Linked]:
        """Begin to link the new device, with a code as somebody typed it."""
        linking = self.linkings[who or self.new]
        joining: Deferred[Linked] = linking.join(ALICE, Secret.typed(code), hit, "laptop")
        self.clock.pass_time(10)
        return joining

    def refusal(self, joining: Deferred[Any]) -> str:
        """Return the words of a linking that failed."""
        return str(self.failureResultOf(joining, NotLinked).value)


class LinkingTests(LinkingCase):
    """The whole way with the right code."""

    def test_code(self) -> None:
        """The new device is listed, has no identity key, keeps no other name, and both know what it is called."""
        linked = self.successResultOf(self.join(self.open().code))
        identity = self.new.keyring.identity(ALICE)
        assert identity is not None
        self.assertEqual((linked.aor, linked.owner, linked.hit), (ALICE, False, self.old.hit))
        self.assertFalse(identity.owner)
        self.assertEqual([one.aor for one in self.new.keyring.identities()], [ALICE])
        for device in (self.old, self.new):
            self.assertEqual(device.listed(ALICE), {self.old.digest, self.new.digest})
        self.clock.pass_time(5)
        for device in (self.old, self.new):
            self.assertEqual(named_devices(device.ledger, ALICE)[self.new.digest].name, "laptop")
        self.assertTrue(any(isinstance(fact, DeviceLinked) for fact in self.old.facts))

    def test_privacy(self) -> None:
        """The new device publishes for nobody more than the old one does, from the first moment on."""
        modes: list[Any] = []
        self.new.keyring.watch(
            lambda aor: modes.append(self.new.ledger.get(ALICE, SETTING, MODE)) if aor == ALICE else None
        )
        self.mode = PARANOID
        self.successResultOf(self.join(self.open().code))
        self.assertEqual(set(modes), {PARANOID})

    def test_owner(self) -> None:
        """With ``owner`` the new device has the identity key and can take in others."""
        linked = self.successResultOf(self.join(self.open(owner=True).code))
        identity = self.new.keyring.identity(ALICE)
        assert identity is not None
        self.assertTrue(linked.owner and identity.owner)
        self.linkings[self.new].open(ALICE)

    def test_invitation(self) -> None:
        """The QR code's URI leads to the device that shows it."""
        invitation = Invitation.read(self.open().uri)
        joining = self.linkings[self.new].join(invitation.aor, invitation.secret, invitation.hit, "laptop")
        self.clock.pass_time(10)
        self.assertEqual(self.successResultOf(joining).hit, self.old.hit)

    def test_both_are_reached(self) -> None:
        """Afterwards somebody who looks for Alice reaches both devices."""
        bob = self.linkable(BOB)
        self.successResultOf(self.join(self.open().code))
        reached = bob.people(ALICE)
        self.clock.pass_time(8)
        self.assertEqual({peer.hit for peer in reached.peers}, {self.old.hit, self.new.hit})

    def test_second_device_has_the_window(self) -> None:
        """Where several devices answer, the one that has the window open is found."""
        other = self.linkable()
        self.successResultOf(self.join(self.open().code, who=other))
        linked = self.successResultOf(self.join(self.open().code))
        self.assertEqual(linked.hit, self.old.hit)
        self.assertEqual(len(self.old.listed(ALICE)), 3)

    def test_waiting(self) -> None:
        """Who waits at the old device hears of the new one, or why there is none."""
        window = self.open()
        waiting = self.linkings[self.old].wait(ALICE)
        self.join(window.code)
        self.assertEqual(self.successResultOf(waiting).name, "laptop")
        self.open()
        waiting = self.linkings[self.old].wait(ALICE)
        self.clock.pass_time(WINDOW_SECONDS)
        self.assertIn("ten minutes", str(self.failureResultOf(waiting, NotLinked).value))
        self.assertRaises(LocalError, self.linkings[self.old].wait, ALICE)

    def test_again(self) -> None:
        """A device whose answer was lost is linked by another window: it is listed once."""
        window = self.open()
        adopt, self.new.keyring.adopt_identity = self.new.keyring.adopt_identity, _killed  # type: ignore[method-assign]
        self.failureResultOf(self.join(window.code), LocalError)
        self.assertEqual(list(self.new.keyring.identities()), [])
        self.new.keyring.adopt_identity = adopt  # type: ignore[method-assign]
        self.successResultOf(self.join(self.open().code))
        self.assertEqual(self.old.listed(ALICE), {self.old.digest, self.new.digest})

    def test_name_in_use(self) -> None:
        """An identity of the same name with another key is never lost by linking: the user has to remove it first."""
        window = self.open()
        key = self.new.keyring.create(ALICE).key
        failed = self.failureResultOf(self.join(window.code), LocalError)
        self.assertIn("identity remove", str(failed.value))
        kept = self.new.keyring.identity(ALICE)
        assert kept is not None
        self.assertEqual(kept.key, key)

    def test_killed(self) -> None:
        """The name that a killed node had made to say hello with is gone after its next start; others stay."""
        own = self.new.keyring.create_self_certifying()
        guest = self.new.keyring.create_self_certifying()
        self.new.ledger.put(guest.aor, "guest", "link", {})
        self.linkings[self.new].start()
        self.assertEqual([one.aor for one in self.new.keyring.identities()], [own.aor])

    def test_marked_first(self) -> None:
        """That name is marked before there is an identity of it, at whatever moment the node is killed."""
        marked: list[bool] = []
        self.new.keyring.watch(
            lambda aor: marked.append(self.new.ledger.get(aor, "guest", "link") is not None)
        )
        self.join(self.open().code)
        self.assertTrue(marked[0])

    def test_no_window(self) -> None:
        """Where no window is open nothing that comes is even read."""
        linking = self.linkings[self.old]
        peer = self.linkable(BOB).reach(ALICE)
        for opened in (False, True):
            if opened:
                self.open()
                linking.close(ALICE)
            sent = peer.send("link", bytes(60_000))
            self.clock.pass_time(1)
            self.assertEqual(read_message(self.successResultOf(sent)), Refusal(Ending.CLOSED))

    def test_interface(self) -> None:
        """It is a subprotocol, which has no streams and hands nothing over."""
        linking = self.linkings[self.old]
        verifyObject(ISubprotocol, linking)
        self.assertRaises(PayloadRefused, linking.handed_over, None, None, 0)
        self.assertIsNone(linking.stream_opened(None, None))  # type: ignore[arg-type]


class RefusalTests(LinkingCase):
    """What is said, and what is not given, when it does not work."""

    def test_wrong_code(self) -> None:
        """A wrong code is told with the tries that are left, the third closes the window, the right one is too late then."""
        window = self.open()
        self.assertIn("the code is wrong: 2 tries left", self.refusal(self.join(WRONG[0])))
        self.assertIn("the code is wrong: 1 try left", self.refusal(self.join(WRONG[1])))
        self.assertIn("tried too often", self.refusal(self.join(WRONG[2])))
        self.assertIn("tried too often", self.refusal(self.join(window.code)))
        self.assertEqual(self.old.listed(ALICE), {self.old.digest})
        self.assertEqual(list(self.new.keyring.identities()), [])
        self.assertIn(
            "three times", str([fact for fact in self.old.facts if isinstance(fact, LinkingEnded)][-1])
        )

    def test_guessing(self) -> None:
        """Nobody gets a fourth guess from other devices or names either."""
        window = self.open()
        for code in WRONG:
            self.refusal(self.join(code, who=self.linkable()))
        self.assertIn("too often", self.refusal(self.join(window.code, who=self.linkable())))

    def test_right_after_wrong(self) -> None:
        """The right code is taken as the second and as the third try."""
        window = self.open()
        self.refusal(self.join(WRONG[0]))
        self.refusal(self.join(WRONG[1]))
        self.successResultOf(self.join(window.code))

    def test_expired(self) -> None:
        """After ten minutes the code is refused, and the reason told."""
        window = self.open()
        self.clock.pass_time(WINDOW_SECONDS)
        self.assertIn("expired", self.refusal(self.join(window.code)))

    def test_used(self) -> None:
        """A code links one device."""
        window = self.open()
        self.successResultOf(self.join(window.code))
        self.assertIn("used already", self.refusal(self.join(window.code, who=self.linkable())))

    def test_closed(self) -> None:
        """Where no window is open, that is said."""
        self.assertIn("no window is open", self.refusal(self.join(WRONG[0])))
        window = self.open()
        self.assertTrue(self.linkings[self.old].close(ALICE))
        self.assertIn("no window is open", self.refusal(self.join(window.code)))

    def test_nobody(self) -> None:
        """If nobody is found, that is said, with what can be done."""
        window = self.open()
        self.apart(self.old)
        self.assertIn(f"no device of {ALICE} was reached", self.refusal(self.join(window.code)))

    def test_revoked_device(self) -> None:
        """A device that was revoked is not listed again, and the old one's journal says so."""
        self.successResultOf(self.join(self.open().code))
        self.old.keyring.revoke_device(ALICE, self.new.digest)
        self.clock.pass_time(5)
        window = self.open()
        waiting = self.linkings[self.old].wait(ALICE)
        self.assertIn("could not do it", self.refusal(self.join(window.code)))
        self.failureResultOf(waiting, NotLinked)
        self.assertNotIn(self.new.digest, self.old.listed(ALICE))

    def test_only_owners_open(self) -> None:
        """A device without the identity key, or the name, opens no window."""
        self.successResultOf(self.join(self.open().code))
        error = self.assertRaises(LocalError, self.linkings[self.new].open, ALICE)
        self.assertIn("identity key", str(error))
        self.assertRaises(LocalError, self.linkings[self.old].open, BOB)

    def test_one_at_a_time(self) -> None:
        """A second linking of the same node is refused while one is under way."""
        window = self.open()
        first = self.linkings[self.new].join(ALICE, Secret.typed(window.code), None, "laptop")
        second = self.linkings[self.new].join(ALICE, Secret.typed(window.code), None, "laptop")
        self.failureResultOf(second, LocalError)
        self.clock.pass_time(10)
        self.successResultOf(first)

    def test_cancelled(self) -> None:
        """A linking that is given up leaves no name behind, and the node can be linked afterwards."""
        window = self.open()
        joining = self.linkings[self.new].join(ALICE, Secret.typed(window.code), None, "laptop")
        joining.addErrback(lambda _: None)
        joining.cancel()
        self.clock.pass_time(10)
        self.assertEqual(list(self.new.keyring.identities()), [])
        self.successResultOf(self.join(window.code))

    def test_doors(self) -> None:
        """Strangers are let in for the identity, and find it, while its window is open, and no longer."""
        window = self.open()
        self.assertTrue(self.is_public())
        self.successResultOf(self.join(window.code))
        self.assertFalse(self.is_public())
        self.open()
        self.clock.pass_time(WINDOW_SECONDS)
        self.assertFalse(self.is_public())
        self.open()
        self.linkings[self.old].stop()
        self.assertFalse(self.is_public())

    def is_public(self) -> bool:
        """Tell whether strangers are let in, and find the identity; it must be both or neither."""
        doors, shown = self.doors[self.old], self.rendezvous.shows(ALICE)
        self.assertEqual(doors, {ALICE} if shown else set())
        return shown

    def test_window_is_given_up(self) -> None:
        """Who waits for the new device and goes away closes the window; not while somebody else still waits."""
        code, linking = self.open().code, self.linkings[self.old]
        waiting = [linking.wait(ALICE), linking.wait(ALICE)]
        waiting[0].cancel()
        self.assertEqual(self.doors[self.old], {ALICE})
        waiting[1].cancel()
        for each in waiting:
            self.failureResultOf(each, CancelledError)
        self.assertEqual(self.doors[self.old], set())
        self.assertIn("no window is open", self.refusal(self.join(code)))

    def test_strangers_leave(self) -> None:
        """Who was let in because a window was open is judged again when it has closed, and the new device has what it needs."""
        visitor = self.device(BOB)
        visitor.reach(ALICE)
        judged: list[tuple[str, str]] = []
        self.judging[self.old] = lambda own, aor: judged.append((own, aor))
        self.successResultOf(self.join(self.open().code))
        self.clock.pass_time(LAST_WORDS)
        self.assertEqual(judged, [(ALICE, "")])
        self.linkings[self.old].close(self.open().aor)
        self.linkings[self.old].stop()
        self.clock.pass_time(LAST_WORDS)
        self.assertEqual(judged, [(ALICE, "")])

    def test_garbage(self) -> None:
        """Messages that are none are refused and cost nothing; a proof without a beginning is refused, too."""
        window = self.open()
        peer = self.new.reach(ALICE) if self.new.keyring.identities() else self.linkable(BOB).reach(ALICE)
        for payload in (b"", b"\xa0", b"\xa1\x00\x01", bytes(100)):
            sent = peer.send("link", payload)
            self.clock.pass_time(1)
            self.failureResultOf(sent, PayloadRefused)
        self.successResultOf(self.join(window.code))


def _killed(*_: object, **__: object) -> Any:
    raise LocalError("the disk is full")
