"""The benchmarks' figures say the same to people and to programs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import psutil
from twisted.trial.unittest import SynchronousTestCase

from bench import hip, lookup, media, relay
from bench.__main__ import benchmarks, show
from bench.figures import Figure, median
from bench.load import Outcome
from bench.talk import description, media_address
from bench.voice import Heard, Voice, speak
from p2pship.testing.cable import require_cables

PATIENCE = 60.0
"Seconds until a benchmark has begun, and until it has ended, on a busy machine."

AT_WORK = 0.05
"Seconds of a processor after which what was started is at work, and whoever started it has heard so."


class FigureTests(SynchronousTestCase):
    """One number, and what it is compared with."""

    def test_ratio(self) -> None:
        """Above 1 is better than the peer, whichever way the figure counts; without a peer there is none."""
        self.assertEqual(Figure("calls", 200, "1/s", "higher", "other", 100).ratio, 2)
        self.assertEqual(Figure("delay", 2, "ms", "lower", "other", 1).ratio, 0.5)
        self.assertIsNone(Figure("delay", 2, "ms", "lower").ratio)
        self.assertIsNone(Figure("lost", 0, "packets", "lower", "other", 3).ratio)

    def test_median(self) -> None:
        """The middle of the runs."""
        self.assertEqual(median([5.0, 1.0, 2.0]), 2.0)


class ShowTests(SynchronousTestCase):
    """What ``python -m bench`` prints."""

    def shown(self, as_json: bool) -> str:
        output = io.StringIO()
        with redirect_stdout(output):
            show("startup", [Figure("listening_s", 0.25, "s", "lower", "other", 0.5)], as_json)
        return output.getvalue()

    def test_json(self) -> None:
        """One line, with every key; it is the last one for people, too."""
        line: dict[str, Any] = json.loads(self.shown(True))
        self.assertEqual(json.loads(self.shown(False).splitlines()[-1]), line)
        self.assertEqual(line["bench"], "startup")
        self.assertEqual(
            line["figures"],
            [
                {
                    "name": "listening_s",
                    "value": 0.25,
                    "unit": "s",
                    "better": "lower",
                    "peer": "other",
                    "peer_value": 0.5,
                    "ratio": 2.0,
                }
            ],
        )

    def test_text(self) -> None:
        """The name, the value, the peer and how many times as good."""
        self.assertIn("other 0.5: 2.00 times as good", self.shown(False))

    def test_list(self) -> None:
        """Each benchmark says in one line what it measures."""
        known = benchmarks()
        self.assertEqual(
            list(known),
            [
                "calls",
                "hip",
                "lookup",
                "media",
                "memory",
                "message",
                "relay",
                "rendezvous",
                "setup",
                "startup",
            ],
        )
        self.assertTrue(all(known.values()))

    def test_media(self) -> None:
        """One that needs nothing but sockets runs: every packet comes back, and the peer is measured in the same run."""
        (figure,) = media.run(quick=True)
        self.assertEqual((figure.name, figure.peer), ("echoed", "twisted"))
        self.assertGreater(figure.value, 0)
        self.assertIsNotNone(figure.ratio)


class LookupRunTests(SynchronousTestCase):
    """The benchmark that searches a DHT, of which nothing else shows that it still runs."""

    def test_run(self) -> None:
        """In a network of its own the DHT comes up, and both libtorrent and the node find what is announced there."""
        require_cables()
        found = {figure.name: figure.value for figure in lookup.run(quick=True)}
        self.assertEqual(
            list(found), ["first_address_ms", "mainline_ratio", "verified_ms", "record_added_ms"]
        )
        self.assertGreater(found["verified_ms"], found["first_address_ms"])
        self.assertGreater(found["first_address_ms"], 1000 * lookup.ROUND_TRIP)


class EndedTests(SynchronousTestCase):
    """A benchmark that somebody ends before it is done, such as ``timeout``."""

    def test_nothing_is_left(self) -> None:
        """What it has started ends, too, and its folders go."""
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench", "startup", "--quick"],
                cwd=Path(__file__).resolve().parents[1],
                env={**os.environ, "TMPDIR": folder},
                stdout=subprocess.DEVNULL,
            )
            children: list[psutil.Process] = []
            give_up = time.monotonic() + PATIENCE
            while (
                not any(each.cpu_times().user > AT_WORK for each in children) and time.monotonic() < give_up
            ):
                time.sleep(0.01)
                children = psutil.Process(process.pid).children()
            process.terminate()
            self.assertEqual(process.wait(PATIENCE), 143)
            self.assertTrue(children)
            self.assertEqual([child.pid for child in children if child.is_running()], [])
            self.assertEqual(list(Path(folder).iterdir()), [])


class VoiceTests(SynchronousTestCase):
    """What is said of packets."""

    def setUp(self) -> None:
        """Let two phones talk to each other."""
        self.voices = [Voice(), Voice()]
        for voice, other in zip(self.voices, reversed(self.voices), strict=True):
            voice.to = (other.address.host, other.address.port)
            self.addCleanup(voice.close)

    def test_speak(self) -> None:
        """Each phone sends a packet every 20 ms, and each that arrives has its delay."""
        heard = speak(self.voices, 0.1)
        self.assertEqual((heard.sent, heard.lost, len(heard.delays)), (10, 0, 10))
        self.assertGreater(min(heard.delays), 0)

    def test_lost(self) -> None:
        """What does not arrive is counted."""
        self.voices[0].to = ("127.0.0.1", 9)
        self.assertEqual(speak(self.voices, 0.04).lost, 2)

    def test_description(self) -> None:
        """A phone's description says where it hears."""
        at = self.voices[0].address
        self.assertEqual(media_address(description(self.voices[0])), (at.host, at.port))
        self.assertRaises(SystemExit, media_address, b"v=0")

    def test_p99(self) -> None:
        """It is what 99 of 100 did not exceed; nothing arrived is no delay."""
        self.assertEqual(Heard(100, [0.001 * n for n in range(100, 0, -1)]).p99, 0.1)
        self.assertEqual(Heard().p99, 0.0)
        self.assertEqual(Outcome(1, 0, [0.5]).p99, 0.5)


class HIPTests(SynchronousTestCase):
    """Bearers without a reactor, and a process of idle associations."""

    def test_exchanges(self) -> None:
        """A base exchange of each kind is measured: both ends' processor time is less than all of it."""
        figures = {figure.name: figure.value for figure in hip.exchanges(1)}
        self.assertEqual(len(figures), 1 + 3 * 2 * 3)
        self.assertEqual(figures["bex_ms"], figures["bex_p256_p256_ms"])
        self.assertGreater(min(figures.values()), 0)

    def test_packets(self) -> None:
        """Packets pass over both bearers, each of them once."""
        self.assertGreater(hip.rate("hip", 200, 2), 0)
        self.assertGreater(hip.rate("udp", 1200, 2), 0)

    def test_idle(self) -> None:
        """Associations are made with another process, which says what they take."""
        each, all_of_them = hip.idle(20, 5)
        self.assertEqual((each.unit, all_of_them.unit), ("kB", "MB"))


class LookupTests(SynchronousTestCase):
    """What is made of the rounds of a lookup."""

    def test_figures(self) -> None:
        """The ratio is that of the medians; of what the record takes more, the round trip of the question is taken off."""
        rounds = [[0.04, 0.044, 0.09], [0.05, 0.06, 0.2], [0.03, 0.04, 0.083]]
        values = {figure.name: figure.value for figure in lookup.figures(rounds)}
        self.assertEqual(
            values, {"first_address_ms": 44, "mainline_ratio": 1.1, "verified_ms": 90, "record_added_ms": 6}
        )


class RelayTests(SynchronousTestCase):
    """The peer of the relays, which needs no program but ours."""

    def test_bare(self) -> None:
        """Every packet comes through, and processor time was measured."""
        with relay.bare(1) as bare:
            heard = speak(bare.voices, 0.2)
            self.assertEqual(heard.lost, 0)
            self.assertGreater(bare.served.cpu(), 0)

    def test_figures(self) -> None:
        """The ratios are those of the medians; without rtpengine nothing is compared with it."""
        rates = {"node": 80.0, "twisted": 100.0, "udp": 30.0, "twisted_for_udp": 50.0}
        late = {"direct": 0.001, "direct_for_udp": 0.0015}
        names = {**dict.fromkeys(late, 1.0), **rates}
        found = {
            name: [relay.Measured(rate, Heard(1, [late.get(name, 0.002)]))] for name, rate in names.items()
        }
        values = {figure.name: figure for figure in relay.figures(found)}
        self.assertEqual(values["bare_ratio_local"].value, 0.8)
        self.assertEqual(values["bare_ratio_udp"].value, 0.6)
        self.assertEqual((values["p99_added_ms"].value, values["p99_added_ms"].peer_value), (1.0, 1.0))
        self.assertEqual(values["udp_p99_added_ms"].value, 0.5)
        self.assertIsNone(values["packets_per_cpu_s"].peer)

    def test_direct(self) -> None:
        """Phones that send straight to each other hear each other."""
        with relay.direct(1) as straight:
            self.assertEqual(speak(straight.voices, 0.1).lost, 0)
