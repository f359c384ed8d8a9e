"""``p2pship device`` at a desk."""

from __future__ import annotations

import base64
import platform
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed

from p2pship.commands.device import VERBS, WAIT
from p2pship.errors import LocalError, RemoteError
from p2pship.identity.device import Device
from p2pship.relations.codes import Invitation, Means, Purpose, Secret
from p2pship.relations.devicenames import name_device
from p2pship.relations.joining import Linked
from p2pship.relations.linking import LinkWindow
from p2pship.trust import ledger
from tests.commands.desks import DeskTestCase

ALICE = "alice@example.com"
HIT = bytes(range(16))
SCANNED = Secret(Means.SCANNED, bytes(16))
TEXTS = {verb.name: verb.text for verb in VERBS}


class RecordedLinking:
    """Keeps what it is asked, and links at once."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def open(self, aor: str, owner: bool) -> LinkWindow:
        """Open a window."""
        uri = Invitation(Purpose.LINK, aor, HIT, SCANNED).uri
        return LinkWindow(aor, "123-456-786", uri, 1_800_000_600.0, owner)

    def wait(self, aor: str) -> Deferred[Linked]:
        """Tell of a device that came at once."""
        return succeed(Linked(aor, HIT, False, "laptop"))

    def join(self, *asked: Any) -> Deferred[Linked]:
        """Be linked without the identity key."""
        self.asked.append(asked)
        return succeed(Linked(asked[0], HIT, False, asked[3]))


class RecordedNode:
    """A node that has nothing but linking."""

    def __init__(self) -> None:
        self.linking = RecordedLinking()


class DeviceTests(DeskTestCase):
    """Keys, lists, linking and revoking."""

    def setUp(self) -> None:
        super().setUp()
        self.give("identity create", aor=ALICE)
        self.other = Device.new()
        self.desk.keyring.add_device(ALICE, self.other.listed)
        digest = self.other.listed.host_identity_hash
        name_device(self.desk.ledger, ALICE, digest, self.other.hit, "laptop")

    def run_node(self) -> RecordedLinking:
        """Put a node around the desk."""
        node = RecordedNode()
        self.desk.node = cast(Any, node)
        return node.linking

    def test_key(self) -> None:
        """This device's HIT and keys are shown."""
        shown = TEXTS["key"](self.give("device key"))
        self.assertIn("2001:2", shown)
        self.assertIn(self.desk.keyring.device.key.hex(), shown)

    def test_list(self) -> None:
        """All devices are listed with their names, and this one is marked."""
        result = self.give("device list")
        self.assertEqual(
            [(one["name"], one["this"]) for one in result["devices"]],
            [(platform.node(), True), ("laptop", False)],
        )
        shown = TEXTS["list"](result)
        self.assertIn("this device", shown)
        self.assertIn("not connected now", shown)

    def test_name(self) -> None:
        """This device can be called something else, in one line, and keeps that name through changes and restarts."""
        result = self.give("device list", name="the old one")
        self.assertIn("the old one", TEXTS["list"](result))
        for wrong in ("two\nlines", "x" * 65):
            self.assertRaises(LocalError, self.give, "device list", name=wrong)
        self.give("identity rotate", aor=ALICE)
        self.desk.close()
        self.desk = self.open_desk("state")
        self.assertEqual(
            [one["name"] for one in self.give("device list")["devices"]], ["the old one", "laptop"]
        )

    def test_no_room(self) -> None:
        """A ledger that takes no more keeps nobody from making an identity or opening the desk."""
        self.patch(ledger, "MOST_ENTRIES", 0)
        self.give("identity create", aor="carol@example.com")
        self.assertEqual(self.give("device list", aor="carol@example.com")["devices"][0]["name"], "")
        self.desk.close()
        self.desk = self.open_desk("state")
        self.assertEqual(self.give("device list", aor="carol@example.com")["devices"][0]["name"], "")

    def test_restored(self) -> None:
        """A device on which an identity was restored has the name of its machine, too, and that of before stays."""
        self.give("device list", name="the old one")
        backup = self.give("identity export", aor=ALICE)["content"]
        new = self.open_desk("new")
        self.give("identity restore", new, file=base64.b64encode(backup.encode()).decode())
        listed = {one["name"] for one in self.give("device list", new)["devices"]}
        self.assertEqual(listed, {"the old one", "laptop", platform.node()})

    def test_revoke(self) -> None:
        """A device is revoked by its name, its HIT or the beginning of its id, and stays in the list as such."""
        result = self.give("device revoke", device="laptop")
        self.assertIn("laptop is revoked", TEXTS["revoke"](result))
        states = [one["revoked"] for one in self.give("device list")["devices"]]
        self.assertEqual(states, [False, True])
        self.assertRaises(LocalError, self.give, "device revoke", device="laptop")

    def test_revoke_by_id(self) -> None:
        """Four digits of the id are enough; fewer, or another name, are refused with the way to see the ids."""
        digits = self.other.listed.host_identity_hash.hex()
        for wrong in (digits[:3], "phone"):
            error = self.assertRaises(LocalError, self.give, "device revoke", device=wrong)
            self.assertIn("device list", str(error))
        self.assertTrue(self.give("device revoke", device=digits[:8])["revoked"])

    def test_revoke_makes_pair_secrets_stale(self) -> None:
        """What the revoked device knew of contacts is to be replaced."""
        self.desk.secrets.keep(ALICE, "bob@example.com", bytes(32), bytes(32), sure=True)
        self.give("device revoke", device="laptop")
        self.assertTrue(self.desk.secrets.of(ALICE)[0].stale)

    def test_open(self) -> None:
        """The old device shows code, QR code and what to type, says that no key is given, and waits."""
        self.run_node()
        result = self.give("device link", whom=ALICE)
        shown = TEXTS["link"](result)
        for part in ("123-456-786", result["uri"], "gets no identity key", "█"):
            self.assertIn(part, shown)
        (verb,) = [verb for verb in VERBS if verb.name == "link"]
        assert verb.then is not None
        self.assertEqual(verb.then(result), (WAIT, {"aor": ALICE}))
        waited = self.successResultOf(self.give("device await", aor=ALICE))
        self.assertIn("It has no identity key", WAIT.text(waited))

    def test_join(self) -> None:
        """The new device gives a code and a name, or a URI, and says that it got no key."""
        linking = self.run_node()
        code = str(Secret(Means.CODE, b"12345678"))
        result = self.successResultOf(self.give("device link", whom="bob@Example.com", code=code, name="pad"))
        self.assertIn("It has no identity key", TEXTS["link"](result))
        secret = Secret(Means.CODE, b"12345678")
        self.assertEqual(linking.asked[0], ("bob@example.com", secret, None, "pad", None))
        self.successResultOf(self.give("device link", whom=linking.open(ALICE, False).uri))
        self.assertEqual(linking.asked[1][:3], (ALICE, SCANNED, HIT))

    def test_wrong_arguments(self) -> None:
        """What cannot be is refused in words before anybody is asked."""
        linking = self.run_node()
        pair = Invitation(Purpose.PAIR, ALICE, HIT, SCANNED, "bob@example.com").uri
        for given in (
            {"code": "123-456-786"},
            {"whom": ALICE, "code": "123-456-785"},
            {"whom": "p2pship:link?to=x"},
            {"whom": pair},
            {"whom": linking.open(ALICE, False).uri, "owner": True},
        ):
            self.assertRaises((LocalError, RemoteError), self.give, "device link", **given)
        self.assertEqual(linking.asked, [])

    def test_without_node(self) -> None:
        """Linking needs a node, and says so."""
        error = self.assertRaises(LocalError, self.give, "device link", whom=ALICE)
        self.assertIn("running node", str(error))
