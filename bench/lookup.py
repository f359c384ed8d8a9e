"""How long the lookup mainline takes to the first address to ask, beside bare libtorrent, and to a verified record, over links of 20 ms."""

from __future__ import annotations

import json
from pathlib import Path

from bench.figures import Figure, median
from p2pship.testing.namespace import NamespaceScriptFailed, run_alone

ENDS = Path(__file__).with_name("lookupends.py")

DELAY = 0.02
"Seconds that a packet travels."

ROUND_TRIP = 2 * DELAY

PATIENCE = 90.0
"Seconds for all."


def run(quick: bool) -> list[Figure]:
    """Search so many times, in a network namespace of its own."""
    try:
        printed = run_alone([str(ENDS), str(20 if quick else 100)], PATIENCE)
    except (NamespaceScriptFailed, OSError) as error:  # the latter where there is no unshare
        raise SystemExit(f"it needs network namespaces, /dev/net/tun and libtorrent: {error}") from error
    return figures(json.loads(printed.splitlines()[-1]))


def figures(measured: list[list[float]]) -> list[Figure]:
    """Make figures of rounds, each of bare libtorrent's seconds, ours to the first address, and ours to the verified record."""
    bare, first, verified = (median(column) for column in zip(*measured, strict=True))
    after = median([record - address for _, address, record in measured])
    return [
        Figure("first_address_ms", _ms(first), "ms", "lower", "libtorrent get_peers", _ms(bare)),
        Figure("mainline_ratio", round(first / bare, 3), "", "lower"),
        Figure("verified_ms", _ms(verified), "ms", "lower"),
        Figure("record_added_ms", _ms(after - ROUND_TRIP), "ms", "lower"),
    ]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
