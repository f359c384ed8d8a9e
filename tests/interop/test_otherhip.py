"""Other programs that speak HIPv2: one that shares no code with ours, and behaves as those do whose exchanges were captured.

None of those is here to be tried. ``otherwire`` and ``otherhip`` were written from the RFCs; that ``otherwire`` reads them as others do
is tested on the captured exchanges first. A real node is then tried against ``otherhip`` on a cable.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.testing.namespace import run_in_namespace
from tests.bearer.hip.captures import HIP, WITH_SECRET, captured, secret
from tests.interop import otherwire as w
from tests.scale import SCALE

SCRIPT = Path(__file__).with_name("namespace_otherhip.py")

TRIALS = (
    "exchanges",
    "whoever",
    "elsewhere",
    "moves",
    "closes",
    "together",
    "losses",
    "notices",
    "restarts",
    "keys",
)


class OtherWireTests(SynchronousTestCase):
    """What it reads, checks and opens of exchanges between other programs."""

    def setUp(self) -> None:
        self.host_ids: dict[bytes, bytes] = {}
        "contents, by HIT"
        self.macs: dict[bytes, bytes] = {}
        "keys of who sends, by HIT"
        self.arriving: dict[int, w.SA] = {}

    def test_alone(self) -> None:
        """It shares no code with ours."""
        for path in SCRIPT.parent.glob("other*.py"):
            self.assertNotRegex(path.read_text("utf-8"), r"(?m)^ *(from|import) p2pship", path.name)

    def test_captures(self) -> None:
        """Checksums, HITs, signatures, MACs and KEYMAT are right, and all of ESP opens."""
        for name in WITH_SECRET:
            for each in captured(name):
                if each.protocol != HIP:
                    following, inner = self.arriving[int.from_bytes(each.octets[:4])].open(each.octets)
                    self.assertIn(following, (1, w.ICMPV6))
                    self.assertIn(inner[0], (0, 8, 128, 129), "no echo")
                    continue
                if not each.is_encapsulated:
                    plain = each.octets[:4] + b"\0\0" + each.octets[6:]
                    self.assertEqual(w.with_checksum(plain, each.source, each.destination), each.octets)
                self.read(each.octets, secret(name))

    def read(self, data: bytes, kij: bytes) -> None:
        """Check a packet."""
        read = {each.kind: each for each in w.tlvs(data, 40, is_strict=False)}
        kind, sender = data[2], data[8:24]
        if kind == w.R1:
            self.r1, self.host_ids[sender] = read, read[w.HOST_ID].value
            self.puzzle = read[w.PUZZLE].value
            w.check_signature(
                self.host_ids[sender], w.covered_by_signature_2(data, read), read[w.SIGNATURE_2].value
            )
        elif kind == w.I2:
            self.agree(data, read, kij)
        elif kind == w.R2:
            self.arriving[int.from_bytes(read[w.ESP_INFO].value[8:])] = w.SA(self.suite, 0, self.to_responder)
        if kind > w.R1:
            more = self.r1[w.HOST_ID].raw if kind == w.R2 else b""
            code, signature = read[w.MAC_2 if more else w.MAC], read[w.SIGNATURE]
            found = w.mac(self.name, self.macs[sender], w.up_to(data, code.start, more))
            self.assertEqual(found, code.value)
            self.assertEqual(w.hit_of(*w.identity_of(self.host_ids[sender])), sender)
            w.check_signature(self.host_ids[sender], w.up_to(data, signature.start), signature.value)

    def agree(self, data: bytes, read: dict[int, w.Parameter], kij: bytes) -> None:
        """Make the keys that an I2 agrees to."""
        hits = data[8:24], data[24:40]
        self.name = w.rhash(hits[1])
        size, code = (
            w.CIPHER_KEYS[int.from_bytes(read[w.HIP_CIPHER].value)],
            w.size_of(self.name),
        )
        number, found = self.puzzle[4:], read[w.SOLUTION].value[4 + code :]
        self.assertTrue(w.puzzle_solved(self.name, self.puzzle[0], number + b"".join(hits) + found))
        self.suite = int.from_bytes(read[w.ESP_TRANSFORM].value[2:])
        sizes = (size, code, size, code, *(2 * [sum(w.ESP_KEYS[self.suite])]))
        keys = list(w.cut(w.keymat(self.name, kij, number + found, hits), sizes))
        if hits[0] < hits[1]:
            keys = [keys[index] for index in (2, 3, 0, 1, 5, 4)]
        self.macs = {hits[0]: keys[1], hits[1]: keys[3]}
        self.to_responder = keys[4]
        self.arriving[int.from_bytes(read[w.ESP_INFO].value[8:])] = w.SA(self.suite, 0, keys[5])
        self.host_ids[hits[0]] = w.host_id_in(read, keys[0])


class OtherHIPTests(TestCase):
    """A node and the other host, each on a machine of its own."""

    timeout = 400

    async def test_trials(self) -> None:
        """Everything that one side can begin, in UDP and in IP itself; see :mod:`tests.interop.namespace_otherhip`."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        extent = "wide" if SCALE else "short"
        printed = await run_in_namespace(reactor, SCRIPT, str(folder), extent, limit=self.timeout - 20)
        for name in TRIALS:
            self.assertIn(f"{name}: as it should be", printed)
