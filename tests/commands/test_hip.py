"""``p2pship hip`` and ``p2pship device key`` at a desk; with real nodes they are in tests/interop/test_hip.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from p2pship.bearer.hip.pinging import INTERVAL, MOST_REQUESTS, PATIENCE
from p2pship.bearer.hip.timing import STRANGERS
from p2pship.commands.devicekey import KEY_VERBS
from p2pship.commands.hip import VERBS
from p2pship.errors import LocalError
from p2pship.identity.device import Device
from p2pship.identity.hit import format_hit
from p2pship.relations.devicenames import name_device
from tests.commands.desks import DeskTestCase

TEXTS = {verb.name: verb.text for verb in (*VERBS, *KEY_VERBS)}
ALICE = "alice@example.com"
PEER = Device.new()
THEIRS = format_hit(PEER.hit)

ASSOCIATION: dict[str, Any] = {
    "own": "2001:22::1",
    "peer": THEIRS,
    "people": [],
    "state": "ESTABLISHED",
    "carries": "link",
    "dialled": True,
    "since": 1_800_000_000.0,
    "own_address": "192.0.2.1",
    "peer_address": "192.0.2.2:10500",
    "encapsulated": True,
    "moves": 0,
    "moved": 0.0,
    "round_trip": 0.0205,
    "locators": ["192.0.2.2", "2001:db8::2"],
    "peer_algorithm": "ECDSA P-256",
    "hit_suite": "ECDSA/SHA-384",
    "dh_group": "NIST P-256",
    "cipher": "AES-128-CBC",
    "esp_suite": "AES-GCM-16",
    "spi_in": "0x000000ff",
    "spi_out": "0xdeadbeef",
    "packets_sent": 12345,
    "octets_sent": 1,
    "packets_received": 2,
    "octets_received": 3,
    "lost": 4,
    "replayed": 5,
    "forged": 6,
    "rekeys": 7,
}

PING: dict[str, Any] = {
    "own": "2001:22::1",
    "peer": THEIRS,
    "address": "192.0.2.2",
    "encapsulated": False,
    "made": True,
    "base_exchange": 0.0123,
    "algorithms": "NIST P-256; RSA; AES-128-CBC, HMAC-SHA-256",
    "sent": 4,
    "received": 3,
    "times": [0.001, 0.002, 0.003],
    "least": 0.001,
    "average": 0.002,
    "most": 0.003,
}

SHOWN: dict[str, Any] = {
    "identities": [
        {
            "hit": "2001:22::1",
            "algorithm": "ECDSA P-256",
            "hit_suite": "ECDSA/SHA-384",
            "device": True,
            "links": True,
            "since": 0.0,
            "associations": 2,
        }
    ],
    "listening": ["192.0.2.1:10500"],
    "raw": [],
    "raw_wanted": True,
    "opportunistic": False,
    "difficulty": 9,
    "i1s": 100,
    "r1s_limited": 3,
    "refused": {"stale": 1, "blocked_by_policy": 2},
}


class RecordedBearer:
    """What a bearer is asked."""

    def __init__(self, own: bytes) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.desk = self
        self.association = {**ASSOCIATION, "own": format_hit(own)}

    def show(self) -> Any:
        """Say how it stands."""
        return SHOWN

    def associations(self, *asked: Any) -> Any:
        """List one."""
        self.asked.append(asked)
        return [self.association]

    def close(self, *asked: Any) -> Any:
        """Close it."""
        self.asked.append(asked)
        return [self.association]

    def ping(self, *asked: Any) -> Any:
        """Lose one echo of four."""
        self.asked.append(asked)
        return PING


class HIPTests(DeskTestCase):
    """What is asked, and how answers read."""

    def setUp(self) -> None:
        super().setUp()
        self.give("identity create", aor=ALICE)
        own = self.desk.keyring.device.hit
        self.bearer = RecordedBearer(own)
        peer = SimpleNamespace(aor="bob@example.com", own_hit=own, hit=PEER.hit)
        other = SimpleNamespace(aor="of.another@example.com", own_hit=Device.new().hit, hit=PEER.hit)
        overlay = SimpleNamespace(peers=lambda: (peer, other))
        node: Any = SimpleNamespace(bearers={"hip": self.bearer}, overlay=overlay)
        self.desk.node = node

    def test_people(self) -> None:
        """The people at the other end are named: whom a link serves, and whose device it is."""
        self.desk.keyring.add_device(ALICE, PEER.listed)
        name_device(self.desk.ledger, ALICE, PEER.listed.host_identity_hash, PEER.hit, "laptop")
        result = self.give("hip associations")
        self.assertEqual(result[0]["people"], ["bob@example.com", f"{ALICE} (laptop)"])
        shown = TEXTS["associations"](result)
        for part in (
            "bob@example.com",
            THEIRS,
            "192.0.2.2:10500, in UDP",
            "12,345 packets",
            "2001:db8::2",
            "0xdeadbeef",
            "20.5 ms",
            "since 2027-01-1",
            "NIST P-256, AES-128-CBC; data: AES-GCM-16",
            "lost           4 packets; 5 came twice or too late, 6 were forged",
        ):
            self.assertIn(part, shown)
        self.assertIn("not measured", TEXTS["associations"]([{**ASSOCIATION, "round_trip": None}]))
        self.give("hip associations", hit=THEIRS)
        self.assertEqual(self.bearer.asked, [(None,), (THEIRS,)])
        self.assertIn("bob@example.com", TEXTS["close"](self.give("hip close", hit=THEIRS)))

    def test_linked_device(self) -> None:
        """A device of our own that its link serves is named once."""
        self.desk.keyring.add_device(ALICE, PEER.listed)
        name_device(self.desk.ledger, ALICE, PEER.listed.host_identity_hash, PEER.hit, "laptop")
        self.desk.node.overlay.peers()[0].aor = ALICE
        self.assertEqual(self.give("hip associations")[0]["people"], [f"{ALICE} (laptop)"])

    def test_path(self) -> None:
        """The path is told with when it was last another, and each other address that is known, also one that is a part of its text."""
        shown = TEXTS["associations"]([ASSOCIATION])
        self.assertIn("from 192.0.2.1 to 192.0.2.2:10500, in UDP\n", shown)
        self.assertIn("changed 7 times", shown)
        self.assertIn("never changed", TEXTS["associations"]([{**ASSOCIATION, "rekeys": 0}]))
        for path, encapsulated in (
            ("192.0.2.22:10500", True),
            ("[2001:db8::22]:10500", True),
            ("192.0.2.22", False),
        ):
            at = path.removesuffix(":10500").strip("[]")
            moved = {
                "peer_address": path,
                "encapsulated": encapsulated,
                "locators": [at, "192.0.2.2", "2001:db8::2"],
            }
            shown = TEXTS["associations"]([{**ASSOCIATION, **moved, "moves": 1, "moved": 1_800_000_060.0}])
            self.assertRegex(shown, r"path .*, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(moved once\)\n")
            self.assertRegex(shown, r"also known at +192\.0\.2\.2, 2001:db8::2\n")

    def test_nobody_known(self) -> None:
        """An association that carries no link is nobody's."""
        self.desk.node.overlay = SimpleNamespace(peers=lambda: ())
        self.assertIn("people are not known", TEXTS["associations"](self.give("hip associations")))
        self.assertEqual(TEXTS["associations"]([]), "There are no associations.")

    def test_ping(self) -> None:
        """A ping is asked for as it was given, and its losses are told; one that nobody answers is a failure."""
        asked: dict[str, Any] = {"whom": "HIT@192.0.2.2", "raw": True, "number": 9, "as": "2001:22::1"}
        result = self.give("hip ping", **asked)
        self.assertEqual(self.bearer.asked, [("HIT@192.0.2.2", "2001:22::1", True, 9)])
        shown = TEXTS["ping"](result)
        for part in ("in IP itself", "12.3 ms", "25 % lost", "2.0 ms on average"):
            self.assertIn(part, shown)
        self.assertIn("1 echo sent", TEXTS["ping"]({**PING, "sent": 1, "received": 1}))
        self.assertIn("no echo was answered", TEXTS["ping"]({**PING, "received": 0, "made": False}))
        [failed] = [verb.failed for verb in VERBS if verb.failed]
        self.assertEqual([failed(PING), failed({**PING, "received": 0})], [False, True])

    def test_show(self) -> None:
        """What is not as wished is said, and causes in plain words."""
        shown = TEXTS["show"](self.give("hip show"))
        for part in (
            "CAP_NET_RAW",
            "9 bits",
            "3 were too many",
            "1 answers to no packet",
            "2 blocked by policy",
        ):
            self.assertIn(part, shown)

    def test_off(self) -> None:
        """Where the bearer is off, or no node is running, it is said what to do."""
        self.desk.node.bearers = {}
        self.assertIn("enabled = true", str(self.assertRaises(LocalError, self.give, "hip show")))
        self.desk.node = None
        self.assertIn("running node", str(self.assertRaises(LocalError, self.give, "hip show")))

    def test_patience(self) -> None:
        """Whoever pings waits for the longest ping that there is: over what was forgotten, and then over what was made anew."""
        echoes = (MOST_REQUESTS - 1) * INTERVAL + PATIENCE
        (ping,) = (verb for verb in VERBS if verb.name == "ping")
        self.assertGreater(ping.seconds, 2 * echoes + STRANGERS.longest)


class DeviceKeyTests(DeskTestCase):
    """Host Identities beside the device's own."""

    def test_several(self) -> None:
        """Keys are made, listed beside the device's own, and removed."""
        made = self.give("device key create", algorithm="p384")
        self.assertIn("p384", TEXTS["key create"](made))
        listed = self.give("device key list")
        self.assertEqual(
            [(one["device"], one["algorithm"]) for one in listed], [(True, "p256"), (False, "p384")]
        )
        self.assertEqual(listed[0]["hit"], self.give("device key")["hit"])
        self.assertIn("pings only", TEXTS["key list"](listed))
        self.give("device key remove", hit=made["hit"])
        self.assertEqual(len(self.give("device key list")), 1)

    def test_own(self) -> None:
        """The device's own key is not removed, nor one that is not there."""
        for hit in (self.give("device key")["hit"], "2001:22::1"):
            self.assertRaises(LocalError, self.give, "device key remove", hit=hit)
