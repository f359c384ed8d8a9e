"""``p2pship identity separate``, and what other commands say of an identity with a device of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from twisted.logger import capturedLogs, formatEvent

from p2pship.commands.device import VERBS as DEVICE_VERBS
from p2pship.commands.identity import VERBS
from p2pship.config import load
from p2pship.desk import Desk
from p2pship.errors import LocalError
from p2pship.identity.hit import format_hit
from p2pship.identity.identity import Identity
from p2pship.relations.devicenames import named_devices
from p2pship.sections import sections
from tests.commands.desks import DeskTestCase
from tests.commands.test_device import RecordedNode
from tests.commands.test_identity import file

ALICE, WORK = "alice@example.com", "alice@work.example"
TEXTS = {verb.name: verb.text for verb in (*VERBS, *DEVICE_VERBS)}


class SeparateCase(DeskTestCase):
    """A desk, and other desks of other configurations."""

    def configured(self, name: str, *options: str) -> Desk:
        """Open the desk of a state folder with these options."""
        desk = Desk(self.clock, load(None, sections(), options), self.folder / name)
        self.addCleanup(desk.close)
        return desk

    def again(self, *options: str) -> Desk:
        """Open the desk as the next run does."""
        self.desk.close()
        self.desk = self.configured("state", *options)
        return self.desk

    def held(self, aor: str = ALICE) -> Identity:
        """Return an identity."""
        identity = self.desk.keyring.identity(aor)
        assert identity is not None
        return identity

    def node_hit(self) -> str:
        """Return the HIT of the node's own device."""
        return format_hit(self.desk.keyring.device.hit)


class CreateTests(SeparateCase):
    """Identities that have one from the beginning."""

    def test_create(self) -> None:
        """It says on which device the identity is used, and so does the next run."""
        one = self.give("identity create", aor=ALICE, separate_device=True)
        self.assertEqual((one["separate"], one["hit"] != self.node_hit()), (True, True))
        self.assertIn(f"{one['hit']} (its own)", TEXTS["show"](one))
        self.assertIn(f"device of its own, {one['hit']}.", TEXTS["create"](one))
        other = self.give("identity create", aor=WORK)
        self.assertEqual((other["separate"], other["hit"]), (False, self.node_hit()))
        self.assertIn(f"{other['hit']} (that of this node)", TEXTS["show"](other))
        self.assertNotIn("of its own", TEXTS["create"](other))
        self.again()
        self.assertEqual([each["hit"] for each in self.give("identity list")], [one["hit"], other["hit"]])

    def test_configured(self) -> None:
        """With the option every identity that comes to be has one: made by name or key, restored, or registered by a phone."""
        self.give("identity create", aor=ALICE)
        backup = self.give("identity export", aor=ALICE)["content"]
        self.give("identity remove", aor=ALICE)
        self.again("identity.separate_device=true")
        self.give("identity create", aor=WORK)
        self.give("identity create")
        self.give("identity restore", file=file(backup))
        self.desk.keyring.create("phone@example.com")  # as the registrar does
        self.assertEqual([one["separate"] for one in self.give("identity list")], [True] * 4)
        self.assertEqual(len({one["hit"] for one in self.give("identity list")} | {self.node_hit()}), 5)

    def test_restore(self) -> None:
        """A backup can be restored to a device of its own."""
        self.give("identity create", aor=ALICE)
        backup = self.give("identity export", aor=ALICE)["content"]
        self.give("identity remove", aor=ALICE)
        restored = self.give("identity restore", file=file(backup), separate_device=True)["identity"]
        self.assertEqual((restored["separate"], restored["devices"]), (True, 1))

    def test_hip_off(self) -> None:
        """Where HIP is off nobody could call it: that is said, and none is made; one that is there is told of."""
        self.give("identity create", aor=WORK, separate_device=True)
        with capturedLogs() as logged:
            self.again("bearer.hip.enabled=false")
        self.assertIn(f"nobody can call {WORK}", " ".join(filter(None, map(formatEvent, logged))))
        for given in ({"aor": ALICE}, {}):
            error = self.assertRaises(LocalError, self.give, "identity create", **given, separate_device=True)
            self.assertIn("[bearer.hip]", str(error))
        self.give("identity create", aor=ALICE)
        self.assertRaises(LocalError, self.give, "identity separate", aor=ALICE)
        self.assertFalse(self.held().separate)
        work, alice = self.give("identity list")
        self.assertIn("nobody can call it", " ".join(work["advice"]))
        self.assertNotIn("nobody can call it", " ".join(alice["advice"]))


class SeparateTests(SeparateCase):
    """Identities that get one later."""

    def setUp(self) -> None:
        super().setUp()
        self.give("identity create", aor=ALICE)
        self.give("identity create", aor=WORK)

    def test_separate(self) -> None:
        """It says the new HIT, which the list of devices has in place of the old one; the name of the old one is forgotten."""
        result = self.give("identity separate", aor=ALICE)
        self.assertEqual((result["changed"], result["hit"]), (True, format_hit(self.held().device.hit)))
        self.assertIn(f"{result['hit']}. It is found by that once the node runs", TEXTS["separate"](result))
        self.assertIn("anew in a moment", TEXTS["separate"]({**result, "running": True}))
        (device,) = self.give("device list", aor=ALICE)["devices"]
        self.assertEqual((device["hit"], device["this"], device["revoked"]), (result["hit"], True, False))
        self.assertEqual(
            list(named_devices(self.desk.ledger, ALICE)), [self.held().device.listed.host_identity_hash]
        )
        (other,) = self.give("device list", aor=WORK)["devices"]
        self.assertEqual((other["hit"], other["this"]), (self.node_hit(), True))

    def test_twice(self) -> None:
        """Doing so again changes nothing, and says that."""
        first = self.give("identity separate", aor=ALICE)
        second = self.give("identity separate", aor=ALICE)
        self.assertEqual(second, {**first, "changed": False})
        self.assertIn("already", TEXTS["separate"](second))

    def test_not_held(self) -> None:
        """A device without the identity key says so before anything is asked or done."""
        keyring = self.desk.keyring
        other = self.configured("other")
        keyring.add_device(ALICE, other.keyring.device.listed)
        bundle = keyring.bundle(ALICE, with_key=False)
        other.keyring.adopt_identity(
            ALICE, bundle.raw, bundle.chain, bundle.revocations, None, other.keyring.device
        )
        for command in ("identity separate check", "identity separate"):
            error = self.assertRaises(LocalError, self.give, command, other, aor=ALICE)
            self.assertIn("another device holds the identity key", str(error))
        self.assertRaises(LocalError, self.give, "identity separate", aor="bob@example.com")

    def test_named(self) -> None:
        """What a device is called is said of that of each identity."""
        self.give("identity separate", aor=ALICE)
        self.give("device list", aor=ALICE, name="laptop")
        (device,) = self.give("device list", aor=ALICE)["devices"]
        (other,) = self.give("device list", aor=WORK)["devices"]
        self.assertEqual((device["name"], other["name"] == "laptop"), ("laptop", False))

    def test_interrupted(self) -> None:
        """A run that was killed before it forgot the old device's name is made up for by the next one."""
        self.desk.keyring._own._watchers.clear()
        self.desk.keyring.separate(ALICE)
        self.assertIn(
            self.desk.keyring.device.listed.host_identity_hash, named_devices(self.desk.ledger, ALICE)
        )
        self.again()
        self.assertEqual(
            list(named_devices(self.desk.ledger, ALICE)), [self.held().device.listed.host_identity_hash]
        )

    def test_revoke_itself(self) -> None:
        """It is not revoked from itself, and the node's device is none of its devices."""
        own = self.give("identity separate", aor=ALICE)["hit"]
        self.assertIn(
            "itself", str(self.assertRaises(LocalError, self.give, "device revoke", device=own, own=ALICE))
        )
        self.assertRaises(LocalError, self.give, "device revoke", device=self.node_hit(), own=ALICE)


class KeysTests(SeparateCase):
    """Keys of devices."""

    def test_key(self) -> None:
        """The keys are those of the device of the identity that is named, else the node's."""
        self.give("identity create", aor=ALICE, separate_device=True)
        keys: list[dict[str, Any]] = [self.give("device key"), self.give("device key", own=ALICE)]
        self.assertEqual(
            [each["hit"] for each in keys], [self.node_hit(), format_hit(self.held().device.hit)]
        )
        self.assertEqual([name for name in keys[0] if keys[0][name] == keys[1][name]], [])
        self.assertRaises(LocalError, self.give, "device key", own=WORK)

    def test_list(self) -> None:
        """Every Host Identity is listed with whom it is for; those of devices are not removed as if they were for pings."""
        self.give("identity create", aor=ALICE, separate_device=True)
        self.give("identity create", aor=WORK)
        ping = self.give("device key create")
        listed = self.give("device key list")
        people = [(one["hit"], one["device"], one["people"]) for one in listed]
        own = format_hit(self.held().device.hit)
        self.assertEqual(
            people, [(self.node_hit(), True, [WORK]), (own, True, [ALICE]), (ping["hit"], False, [])]
        )
        text = TEXTS["key list"](listed)
        for words in (f"calls of {WORK}", f"calls of {ALICE}", "pings only"):
            self.assertIn(words, text)
        for hit in (own, self.node_hit()):
            self.assertRaises(LocalError, self.give, "device key remove", hit=hit)
        self.give("identity remove", aor=WORK)
        self.assertIn("calls of nobody", TEXTS["key list"](self.give("device key list")))

    def test_link(self) -> None:
        """The old device cannot say that the new one is to have one of its own."""
        self.give("identity create", aor=ALICE)
        error = self.assertRaises(LocalError, self.give, "device link", whom=ALICE, separate_device=True)
        self.assertIn("--separate-device there", str(error))

    def test_link_apart(self) -> None:
        """The new device is linked as one of its own if that is said, and a bearer can reach it."""
        node = RecordedNode()
        self.desk.node = cast(Any, node)
        uri = node.linking.open(ALICE, False).uri
        for several, asked in ((False, []), (True, [True])):
            node.__dict__["bearers"] = {"one": SimpleNamespace(several=several)}
            try:
                self.give("device link", whom=uri, separate_device=True)
            except LocalError:
                self.assertFalse(several)
            self.assertEqual([each[4] for each in node.linking.asked], asked)
