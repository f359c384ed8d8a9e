"""How many datagrams the operations of the DHT take, as libtorrent counts them in a DHT of our own on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import libtorrent
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pship.lookup.mainline.mutable import expanded
from p2pship.testing.dht import NODES, PrivateDHT
from p2pship.testing.lookup import LONGEST_ITEM

EACH = 0.25
"Seconds that an operation has; on one machine it takes a few milliseconds, and the rest is for who has to be asked again."

PATIENCE = 20.0

COUNTED = (
    "dht.dht_messages_in",
    "dht.dht_messages_out",
    "dht.dht_bytes_in",
    "dht.dht_bytes_out",
)


@dataclass(frozen=True)
class Traffic:
    """What one operation takes, both ways."""

    datagrams: float
    octets: float

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.datagrams + other.datagrams, self.octets + other.octets)

    def __mul__(self, times: float) -> Traffic:
        return Traffic(self.datagrams * times, self.octets * times)


@dataclass(frozen=True)
class DHTCosts:
    """The operations, in a DHT in which everybody knows nearly everybody: in a larger one there are more steps."""

    announce: Traffic
    search: Traffic
    put: Traffic
    get: Traffic


def measured(times: int) -> DHTCosts:
    """Return the averages of so many operations of each kind."""
    dht = PrivateDHT()
    try:
        give_up = time.monotonic() + PATIENCE
        while not dht.is_whole():
            if time.monotonic() > give_up:
                raise SystemExit(f"{NODES} nodes of the DHT did not find each other in {PATIENCE:.0f} s")
            time.sleep(EACH)
        return _costs(dht.sessions[-1], times)
    finally:
        dht.stop()


def _costs(session: Any, times: int) -> DHTCosts:
    key = Ed25519PrivateKey.generate()
    private, public = expanded(key), key.public_key().public_bytes_raw()

    def average(operation: Callable[[], object]) -> Traffic:
        before = _counts(session)
        for _ in range(times):
            operation()
            time.sleep(EACH)
        spent = [(after - then) / times for after, then in zip(_counts(session), before, strict=True)]
        return Traffic(spent[0] + spent[1], spent[2] + spent[3])

    return DHTCosts(
        announce=average(lambda: session.dht_announce(libtorrent.sha1_hash(os.urandom(20)), 1, 0)),
        search=average(lambda: session.dht_get_peers(libtorrent.sha1_hash(os.urandom(20)))),
        put=average(
            lambda: session.dht_put_mutable_item(private, public, os.urandom(LONGEST_ITEM), os.urandom(20))
        ),
        get=average(lambda: session.dht_get_mutable_item(public, os.urandom(20))),
    )


def _counts(session: Any) -> list[int]:
    session.post_session_stats()
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        for alert in session.pop_alerts():
            if isinstance(alert, libtorrent.session_stats_alert):
                return [alert.values[name] for name in COUNTED]
        time.sleep(0.01)
    raise SystemExit("libtorrent does not tell its counters")
