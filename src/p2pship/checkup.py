"""What ``p2pship doctor`` says: what of a node is as it should be, what is not, and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from p2pship.address import Locator, is_loopback
from p2pship.status import Finding, LookupStatus, ServerStatus, SIPStatus, Status


def checkup(status: Status, clock: str, witnesses: int) -> list[Finding]:
    """Return what there is to say of a node, by what it says of itself.

    ``clock`` is what is wrong with this machine's clock, in words, if anything is, as ``witnesses`` others tell.
    """
    findings = [_clock(clock, witnesses), _port(status["sip"]), *_lookups(status["lookups"])]
    return [*findings, *_bearers(status), *_identities(status)]


def _clock(clock: str, witnesses: int) -> Finding:
    if clock:
        words = f"{clock}; set it, or nobody believes what this node publishes (timedatectl set-ntp true)"
        return _ill("clock", words)
    if not witnesses:
        return _well("clock", "no other clock was heard of in the last hour with which it could be compared")
    return _well("clock", "agrees with those of people and servers heard of in the last hour")


def _port(sip: SIPStatus) -> Finding:
    if sip["changed"]:
        words = (
            f"phones register at port {sip['port']} now, not {sip['wanted'] or 'the one of the last time'}"
        )
        return _ill("sip", f"{words}: another program has that; end it and restart, or change the phones")
    return _well("sip", f"phones register at {sip['udp']}")


def _lookups(lookups: list[LookupStatus]) -> Iterator[Finding]:
    if not lookups:
        yield _ill("lookups", "none is on, so that nobody can be found; see [lookup.…] in `p2pship config`")
    for lookup in lookups:
        subject = f"lookup {lookup['name']}"
        if lookup["trouble"]:
            yield _ill(subject, lookup["trouble"])
        elif lookup["read_back"]:
            at = datetime.fromtimestamp(lookup["read_back"])
            yield _well(subject, f"what is published was found there at {at:%H:%M:%S}")
        else:
            yield _well(subject, "no trouble so far")
        yield from map(_server, lookup["servers"])


def _server(server: ServerStatus) -> Finding:
    subject = f"server {server['name']}"
    if server["trouble"]:
        return _ill(
            subject, f"{server['trouble']} (since {datetime.fromtimestamp(server['since']):%Y-%m-%d %H:%M})"
        )
    return _well(subject, "no trouble so far")


def _bearers(status: Status) -> Iterator[Finding]:
    if not status["bearers"]:
        yield _ill("bearers", "none is on, so that nobody can be reached; see [bearer.…] in `p2pship config`")
    for bearer in status["bearers"]:
        subject, at = f"bearer {bearer['name']}", bearer["locators"]
        if not at:
            yield _ill(subject, "cannot be dialled at any address; is the network up?")
        elif all(is_loopback(Locator.parse(one).host) for one in at):
            words = f"can be dialled from this machine alone, at {' '.join(at)}: if others should reach it, is the network up?"
            yield _well(
                subject, f"{words} If it is, the log names the addresses that cannot be used, and why"
            )
        else:
            yield _well(subject, f"can be dialled at {' '.join(at)}")


def _identities(status: Status) -> Iterator[Finding]:
    if not status["identities"]:
        yield _ill(
            "identities", "there is none: register a phone, or `p2pship identity create alice@example.com`"
        )


def _well(subject: str, words: str) -> Finding:
    return {"subject": subject, "well": True, "words": words}


def _ill(subject: str, words: str) -> Finding:
    return {"subject": subject, "well": False, "words": words}
