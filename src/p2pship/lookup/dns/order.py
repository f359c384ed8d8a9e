"""In which order the hosts of a service are asked: by priority, and within one at random by weight (RFC 2782)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from p2pship.lookup.dns.answers import Service


def in_order(services: Iterable[Service], random: Callable[[int], bytes]) -> list[Service]:
    """Return the services, those first that are to be asked first."""
    left = sorted(set(services), key=lambda each: (each.priority, each.weight, each.target, each.port))
    ordered = []
    while left:
        same = [each for each in left if each.priority == left[0].priority]
        chosen = _chosen(same, int.from_bytes(random(4), "big"))
        left.remove(chosen)
        ordered.append(chosen)
    return ordered


def _chosen(same: list[Service], number: int) -> Service:
    """Return one of those of the same priority: those without weight, which are first, have little chance (RFC 2782)."""
    rest = number % (sum(each.weight for each in same) + 1)
    for each in same:
        if each.weight >= rest:
            return each
        rest -= each.weight
    return same[-1]
