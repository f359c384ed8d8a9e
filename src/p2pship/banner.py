"""What a node prints when it has started: in plain words, where a phone registers and what is on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from p2pship.status import SIPStatus, Status

WIDTH = 78
"Columns."

_STRANGERS = {
    "allow": "may call and write to you: [screen] strangers can forbid it",
    "messages": "may write to you, and not call",
    "refuse": "may neither call nor write to you",
}


def banner(status: Status, command: str = "p2pship", said: str = "") -> str:
    """Return the text, with a newline at its end; ``command`` is how the person can call ``p2pship``, and ``said`` more to say."""
    sip = status["sip"]
    parts = [
        f"p2pship {status['version']} is running.",
        *_shout(sip),
        _phone(sip, status["domain"]),
        _rows(
            [
                ("People are found", _lookups(status)),
                ("Links run over", _bearers(status)),
                ("Strangers", _STRANGERS[status["strangers"]]),
                ("Keys and state", status["state"]),
                ("What is going on", f"{command} status --state {status['state']}"),
            ]
        ),
        *([textwrap.fill(said, WIDTH, break_long_words=False, break_on_hyphens=False)] if said else []),
    ]
    return "\n\n".join(parts) + "\n"


def _shout(sip: SIPStatus) -> list[str]:
    if not sip["changed"]:
        return []
    taken = f", BECAUSE {sip['wanted']} IS TAKEN" if sip["port"] != sip["wanted"] else ""
    return [
        f"*** THE SIP PORT HAS CHANGED: IT IS {sip['port']} NOW{taken}. Change it in your phone's settings. ***"
    ]


def _phone(sip: SIPStatus, domain: str) -> str:
    words = textwrap.fill(
        "Point your SIP phone here. It may register with any address of record (AOR), which is the name that others "
        "call, and any password: a phone on this machine is taken at its word. A phone that registers with an address "
        f"of this machine for its domain gets the domain {domain}.",
        WIDTH,
    )
    rows = _rows(
        [
            ("registrar and outbound proxy", sip["udp"]),
            ("transport", _transports(sip)),
            ("AOR, for example", "sip:alice@example.com"),
            ("user name, password", "alice, anything"),
            *([("phones on other machines", f"{sip['network']}, with a password")] if sip["network"] else []),
        ]
    )
    return f"{words}\n\n{textwrap.indent(rows, '    ')}"


def _transports(sip: SIPStatus) -> str:
    if sip["udp"] == sip["tcp"]:
        return "UDP or TCP"
    return f"UDP, or TCP at {sip['tcp']}"


def _lookups(status: Status) -> str:
    names = [lookup["name"] for lookup in status["lookups"]]
    return f"by {_listed(names)}" if names else "NOWHERE: every lookup is off"


def _bearers(status: Status) -> str:
    names = [
        f"{bearer['name']} ({'encrypted' if bearer['encrypted'] else 'NOT ENCRYPTED'})"
        for bearer in status["bearers"]
    ]
    return _listed(names) if names else "NOTHING: every bearer is off"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{name:{width}}{value}" for name, value in rows)
