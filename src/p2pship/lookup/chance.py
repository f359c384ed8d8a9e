"""Chance in when things are done: nodes that began together, or all noticed something, shall not go on together."""

from __future__ import annotations

from collections.abc import Callable

SPREAD = 0.1
"The part by which times are made longer or shorter at random."


def part_of_one(random: Callable[[int], bytes]) -> float:
    """Return a number from 0 to 1, both included, of two random octets."""
    return int.from_bytes(random(2), "big") / 0xFFFF


def spread(seconds: float, random: Callable[[int], bytes]) -> float:
    """Return a time that is longer or shorter by up to a tenth."""
    return seconds * (1 + SPREAD * (2 * part_of_one(random) - 1))
