"""The answers of a node as text for a terminal: aligned, plain, one thing a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from p2pship.commands.columns import aligned, minute
from p2pship.status import (
    CallLine,
    CallStatus,
    Finding,
    FindStatus,
    LookupStatus,
    PeerStatus,
    StagesStatus,
    Status,
    TraceStep,
)

WIDEST_REASON = 100
"Characters of why a call failed in a list: the whole is in its story."


def status_text(status: Status) -> str:
    """Print the answer to ``status``."""
    sip = status["sip"]
    changed = f"  THE PORT HAS CHANGED: {sip['port']}" if sip["changed"] else ""
    bearers = [
        f"{bearer['name']} ({_secrecy(bearer['encrypted'])}) {' '.join(bearer['locators'])}".rstrip()
        for bearer in status["bearers"]
    ]
    rows = [
        ("version", status["version"]),
        ("state", status["state"]),
        ("phones register at", f"udp {sip['udp']}, tcp {sip['tcp']}{changed}"),
        *([("those elsewhere at", f"udp {at}, tcp {at}, with a password")] if (at := sip["network"]) else []),
        ("domain", status["domain"]),
        ("bearers", "; ".join(bearers) or "none"),
        ("lookups", ", ".join(lookup["name"] for lookup in status["lookups"]) or "none"),
        *((f"lookup {each['name']}", trouble) for each in status["lookups"] if (trouble := each["trouble"])),
        *_servers(status["lookups"]),
        ("identities", str(status["identities"])),
        ("phones", str(status["phones"])),
        ("calls", str(status["calls"])),
    ]
    parts = [aligned(rows), _peers(status["peers"]), _counts(status["counts"])]
    return "\n\n".join(part for part in parts if part)


def _servers(lookups: Sequence[LookupStatus]) -> list[tuple[str, str]]:
    """Return those that are of no use."""
    ill = [server for lookup in lookups for server in lookup["servers"] if server["trouble"]]
    return [(f"server {each['name']}", f"{each['trouble']} (since {minute(each['since'])})") for each in ill]


def find_text(found: FindStatus) -> str:
    """Print the answer to ``find``."""
    devices = [
        (
            device["fingerprint"],
            device["name_grade"],
            device["lookup"],
            device["hit"],
            " ".join(device["locators"]) or "none that can be dialled from here",
        )
        for device in found["devices"]
    ]
    asked = [
        (one["lookup"], one["answer"], f"{one['seconds']:.2f} s", one["reason"]) for one in found["asked"]
    ]
    parts = [
        aligned([("FINGERPRINT", "NAME", "FOUND BY", "DEVICE", "LOCATORS"), *devices])
        if devices
        else _not_found(found),
        found["reason"],
        aligned([("ASKED", "ANSWER", "TOOK", ""), *asked]) if asked else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _not_found(found: FindStatus) -> str:
    """Say so, and what the person can look at, unless nobody could be asked."""
    completed = any(one["answer"] == "completed" for one in found["asked"])
    hint = ": is it spelt right, capitals too, and does the other node run?" if completed else ""
    return f"{found['aor']} was not found{hint}"


def doctor_text(findings: Sequence[Finding]) -> str:
    """Print the answer to ``doctor``: what is not well first."""
    ordered = sorted(findings, key=lambda finding: finding["well"])
    return aligned([(one["subject"], "well" if one["well"] else "NOT WELL", one["words"]) for one in ordered])


def step_text(step: TraceStep) -> str:
    """Print one step of a search, as it happens."""
    return f"{step['at']:.3f} s  {step['lookup']:<8}  {step['step']:<10}  {step['words']}".rstrip()


def calls_text(calls: Sequence[CallStatus]) -> str:
    """Print the answer to ``calls``."""
    if not calls:
        return "No call is under way."
    head = ("FROM", "TO", "NAME", "STATE", "FOR", "PATH", "MEDIA", "SET UP IN", "ID")
    rows = [
        (
            call["caller"],
            call["callee"],
            call["name_grade"],
            call["state"],
            f"{call['seconds']:.0f} s",
            f"{call['path']} ({_secrecy(call['encrypted'])})" if call["path"] else "no link now",
            call["media"],
            _set_up(call["stages"]),
            call["id"],
        )
        for call in calls
    ]
    return aligned([head, *rows])


def recent_text(calls: Sequence[CallLine]) -> str:
    """Print the answer to ``calls recent``."""
    if not calls:
        return "No calls are kept."
    head = ("ID", "WHEN", "", "FROM", "TO", "STATE", "FOR", "WHY")
    rows = [
        (
            call["id"],
            f"{datetime.fromtimestamp(call['began']):%m-%d %H:%M:%S}",
            "out" if call["direction"] == "outgoing" else "in",
            call["caller"],
            call["callee"],
            call["state"],
            "-" if call["state"] == "interrupted" else f"{call['seconds']:.0f} s",
            _why(call),
        )
        for call in calls
    ]
    return aligned([head, *rows])


def _why(call: CallLine) -> str:
    if call["status"] < 300:
        return call["reason"]
    why = f"{call['status']} {call['reason']}"
    return why if len(why) <= WIDEST_REASON else f"{why[: WIDEST_REASON - 1]}…"


def _peers(peers: Sequence[PeerStatus]) -> str:
    if not peers:
        return ""
    rows = [
        (
            peer["own"],
            peer["aor"],
            f"{peer['path']} ({_secrecy(peer['encrypted'])})" if peer["path"] else "lost",
        )
        for peer in peers
    ]
    return aligned([("OWN", "PEER", "PATH"), *rows])


def _counts(counts: dict[str, int]) -> str:
    return aligned([("COUNT", ""), *((name, str(counts[name])) for name in sorted(counts))]) if counts else ""


def _set_up(stages: StagesStatus | None) -> str:
    if stages is None:
        return ""
    return (
        f"{stages['total'] * 1000:.0f} ms: lookup {stages['lookup'] * 1000:.0f}, dial {stages['dial'] * 1000:.0f}, "
        f"hello {stages['hello'] * 1000:.0f}"
    )


def _secrecy(encrypted: bool) -> str:
    return "encrypted" if encrypted else "NOT ENCRYPTED"
