"""How often an address may ask a server, and how often a whole site of IPv6."""

from __future__ import annotations

from p2pship.lookup.http.server.source import NETWORKS_EACH, site_of
from p2pship.lookup.rates import Rate, RateEach

BURST_SECONDS = 60
"Seconds' worth of requests that may come at once: a node that starts publishes all that it has."

MOST_SOURCES = 100_000
"""Addresses whose rates are remembered, 20 MB. The one that asked longest ago is forgotten first: it may soon ask as often as a new
one anyway."""


class Pace:
    """So many requests a second from each source, on average over a minute; from all networks of one site of IPv6, eight times as many."""

    def __init__(self, per_second: float) -> None:
        self._sources, self._sites = _each(per_second), _each(NETWORKS_EACH * per_second)

    def wait(self, source: str, now: float) -> float:
        """Count a request at a Unix time and return 0, or return after how many seconds the source may ask."""
        site = site_of(source)
        wait = self._sites.wait(site, now) if site != source else 0.0
        return wait or self._sources.wait(source, now)


def _each(per_second: float) -> RateEach:
    return RateEach(Rate(per_second, per_second * BURST_SECONDS), MOST_SOURCES)
