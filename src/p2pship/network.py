"""This machine's own network interfaces and addresses, watched as they come and go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interface:
    """A usable network interface."""

    name: str
    "such as ``eth0``"
    index: int
    "the operating system's number for it"
    addresses: tuple[tuple[str, int], ...]
    "each address in its canonical spelling, without scope, and the length of its prefix"
    loopback: bool
    multicast: bool
