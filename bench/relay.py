"""Voice packets that a node relays for each second of processor time, and how late; beside a bare relay and rtpengine.

250 calls with G.711 between two phones of one node: 500 flows of 50 packets a second, each from a phone to its port, over
the local link of the two people, and from another port to the other phone. The peers relay the same flows in the same
run: a relay of nothing but Twisted's DatagramProtocol, which has no peers, links or phones' addresses to look at, and
rtpengine in userspace. ``packets`` are datagrams that the process received.

``udp`` is one of two nodes, between which the calls go over the bearer ``udp`` with its authentication of each datagram: half of
what the node receives is from phones, the other half from the other node. Fewer calls, as both nodes share a processor.

The time that a relay adds is the 99th percentile of the packets' delays through it, minus that of the same phones' packets when
they send straight to each other, in the same round.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from bench.figures import Figure, median
from bench.nodes import HOST, Served, nodes, pin
from bench.rtpengine import available, rtpengine
from bench.talk import Talk
from bench.voice import Heard, Voice, speak

CALLS, CALLS_OVER_UDP = 250, 100

OVER_UDP = (
    "bearer.tls.enabled=false",
    "bearer.udp.enabled=true",
    "bearer.udp.port=0",
    'bearer.udp.listen=["127.0.0.1"]',
)

WARM_UP = 0.5
"Seconds of voice before anything is measured: phones are latched to, and the interpreter has met its code."


@dataclass(frozen=True)
class Measured:
    """One stretch of voice through one relay."""

    per_cpu_s: float
    "packets that it received, for each second of its processor time"
    heard: Heard


@dataclass(frozen=True)
class Relay:
    """Something that relays, and its phones."""

    served: Served
    voices: list[Voice]

    def measure(self, seconds: float) -> Measured:
        """Let the phones speak for so long."""
        before = self.served.cpu()
        heard = speak(self.voices, seconds)
        return Measured(heard.sent / (self.served.cpu() - before), heard)


def run(quick: bool) -> list[Figure]:
    """Measure them in turn, several times."""
    calls, calls_over_udp, rounds, seconds = (60, 40, 3, 1.0) if quick else (CALLS, CALLS_OVER_UDP, 5, 6.0)
    pin(0, 1)
    with ExitStack() as stack:
        relays = {
            "node": stack.enter_context(through_nodes(calls, 1)),
            "twisted": stack.enter_context(bare(calls)),
            "udp": stack.enter_context(through_nodes(calls_over_udp, 2, OVER_UDP)),
            "twisted_for_udp": stack.enter_context(bare(calls_over_udp)),
            "direct": stack.enter_context(direct(calls)),
            "direct_for_udp": stack.enter_context(direct(calls_over_udp)),
        }
        if available():
            relays["rtpengine"] = stack.enter_context(engine(calls))
        else:
            print("rtpengine is not installed: nothing is compared with it", file=sys.stderr)
        for relay in relays.values():
            speak(relay.voices, WARM_UP)
        found: dict[str, list[Measured]] = {name: [] for name in relays}
        for _ in range(rounds):
            for name, relay in relays.items():
                found[name].append(relay.measure(seconds))
    return figures(found)


def figures(found: dict[str, list[Measured]]) -> list[Figure]:
    """Return the medians."""
    rates = {name: median([each.per_cpu_s for each in runs]) for name, runs in found.items()}
    late = {name: 1000 * median([each.heard.p99 for each in runs]) for name, runs in found.items()}
    udp_bare = added(found, "twisted_for_udp", "direct_for_udp")
    engine_rate = rates.get("rtpengine")
    own = round(rates["node"])
    return [
        Figure("packets_per_cpu_s", own, "1/s", "higher", "rtpengine" if engine_rate else None, engine_rate),
        Figure("bare_ratio_local", round(rates["node"] / rates["twisted"], 3), "", "higher"),
        Figure("bare_ratio_udp", round(rates["udp"] / rates["twisted_for_udp"], 3), "", "higher"),
        Figure("udp_packets_per_cpu_s", round(rates["udp"]), "1/s", "higher"),
        Figure("bare_packets_per_cpu_s", round(rates["twisted"]), "1/s", "higher"),
        Figure("p99_added_ms", added(found, "node"), "ms", "lower", "twisted", added(found, "twisted")),
        Figure("udp_p99_added_ms", added(found, "udp", "direct_for_udp"), "ms", "lower", "twisted", udp_bare),
        Figure("p99_delay_ms", round(late["node"], 3), "ms", "lower", "twisted", round(late["twisted"], 3)),
        Figure("udp_p99_delay_ms", round(late["udp"], 3), "ms", "lower"),
        Figure("direct_p99_delay_ms", round(late["direct"], 3), "ms", "lower"),
        Figure("lost", sum(each.heard.lost for name in ("node", "udp") for each in found[name]), "", "lower"),
    ]


def added(found: dict[str, list[Measured]], name: str, without: str = "direct") -> float:
    """Return the milliseconds by which a relay raised the 99th percentile of the delays; the median of the rounds."""
    pairs = zip(found[name], found[without], strict=True)
    return round(1000 * median([through.heard.p99 - straight.heard.p99 for through, straight in pairs]), 3)


@contextmanager
def direct(calls: int) -> Iterator[Relay]:
    """Let phones send to each other through nothing."""
    voices = [Voice() for _ in range(2 * calls)]
    for one, other in zip(voices[::2], voices[1::2], strict=True):
        one.to, other.to = (other.address.host, other.address.port), (one.address.host, one.address.port)
    yield Relay(Served(psutil.Process()), voices)
    for voice in voices:
        voice.close()


@contextmanager
def through_nodes(calls: int, number: int, settings: Sequence[str] = ()) -> Iterator[Relay]:
    """Run one node or two, with so many calls; what is measured is that of the caller."""
    with nodes(number, settings) as running:
        talk = Talk(running[0].proxy, running[-1].proxy)
        for _ in range(calls):
            talk.call()
        yield Relay(running[0], talk.voices)
        talk.close()


@contextmanager
def bare(calls: int) -> Iterator[Relay]:
    """Run the bare relay."""
    voices = [Voice() for _ in range(2 * calls)]
    pairs = list(zip(voices[::2], voices[1::2], strict=True))
    command = [sys.executable, "-m", "bench.bare"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        pin(process.pid, 0)
        try:
            ports = _told(process, [[one.address.port, other.address.port] for one, other in pairs])
            for pair, opened in zip(pairs, ports, strict=True):
                for voice, port in zip(pair, opened, strict=True):
                    voice.to = (HOST, port)
            yield Relay(Served(psutil.Process(process.pid)), voices)
        finally:
            process.terminate()


def _told(process: subprocess.Popen[bytes], phones: Sequence[Sequence[int]]) -> list[list[int]]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(phones).encode() + b"\n")
    process.stdin.flush()
    answer: list[list[int]] = json.loads(process.stdout.readline())
    return answer


@contextmanager
def engine(calls: int) -> Iterator[Relay]:
    """Run rtpengine."""
    voices = [Voice() for _ in range(2 * calls)]
    with rtpengine(list(zip(voices[::2], voices[1::2], strict=True))) as served:
        yield Relay(served, voices)
