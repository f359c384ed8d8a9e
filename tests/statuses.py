"""Answers of a node, as the banner and the commands get them."""

from __future__ import annotations

from p2pship.status import CallLine, CallStatus, CallStory, FindStatus, Status

STATUS: Status = {
    "version": "9.9",
    "state": "/state/of/alice",
    "sip": {
        "udp": "127.0.0.1:5060",
        "tcp": "127.0.0.1:5060",
        "port": 5060,
        "wanted": 5060,
        "changed": False,
        "network": "",
    },
    "domain": "home.p2pship.alt",
    "strangers": "allow",
    "bearers": [{"name": "tls", "encrypted": True, "locators": ["tls:192.0.2.1:5566"]}],
    "lookups": [
        {"name": "lan", "wide_area": False, "trouble": "", "read_back": 1_800_000_000.0, "servers": []}
    ],
    "identities": 1,
    "phones": 2,
    "peers": [
        {
            "own": "alice@example.com",
            "aor": "bob@example.com",
            "path": "tls 192.0.2.2:5566",
            "encrypted": True,
        }
    ],
    "calls": 1,
    "counts": {"relays": 1, "dialogs": 2},
}

FOUND: FindStatus = {
    "aor": "bob@example.com",
    "devices": [
        {
            "hit": "2001:21::1",
            "locators": ["tls:192.0.2.2:5566", "tls:[2001:db8::2]:5566"],
            "lookup": "lan",
            "name_grade": "unproven",
            "fingerprint": "4oymiquy7qobjgx36tejs35zeqt24qpe",
        }
    ],
    "asked": [{"lookup": "lan", "answer": "completed", "seconds": 0.251, "reason": ""}],
    "reason": "",
    "trace": [],
}

NOT_FOUND: FindStatus = {
    "aor": "bob@example.com",
    "devices": [],
    "asked": [
        {"lookup": "lan", "answer": "completed", "seconds": 1.0, "reason": ""},
        {"lookup": "dns", "answer": "not asked", "seconds": 0.02, "reason": "example.com names nobody"},
    ],
    "reason": "nobody on the local network has that name",
    "trace": [],
}

CALLS: list[CallStatus] = [
    {
        "call_id": "1@phone",
        "caller": "alice@example.com",
        "callee": "bob@example.com",
        "state": "up",
        "since": 1_700_000_000.0,
        "seconds": 61.4,
        "path": "tls 192.0.2.2:5566",
        "encrypted": True,
        "name_grade": "verified",
        "media": "1 line",
        "stages": {"lookup": 0.05, "dial": 0.02, "hello": 0.01, "remote": 0.003, "total": 0.085},
        "id": "k3x7qa",
    }
]

STORY: CallStory = {
    "id": "k3x7qb",
    "call_id": "2@phone",
    "direction": "outgoing",
    "caller": "alice@example.com",
    "callee": "bob@example.com",
    "began": 1_700_000_000.0,
    "state": "failed",
    "name_grade": "unproven",
    "acquaintance": "stranger",
    "verdict": "nobody vouches for the name",
    "encrypted": True,
    "path": "tls 192.0.2.2:5566",
    "rule": "",
    "asked": [
        {"aor": "bob@example.com", "lookup": "lan", "answer": "completed", "seconds": 1.5, "reason": ""},
        {
            "aor": "bob@example.com",
            "lookup": "dht",
            "answer": "failed",
            "seconds": 0.0,
            "reason": "no network",
        },
        {"aor": "carol@example.com", "lookup": "lan", "answer": "timed out", "seconds": 3.0, "reason": ""},
    ],
    "refused": ["lan: the statement has ended"],
    "tried": [
        {
            "aor": "bob@example.com",
            "hit": "2001:21::1",
            "lookup": "lan",
            "locators": ["tls:192.0.2.2:5566"],
            "reached": True,
            "lookup_seconds": 0.05,
            "dial_seconds": 0.02,
            "hello_seconds": 0.01,
            "reason": "",
        },
        {
            "aor": "bob@example.com",
            "hit": "2001:21::2",
            "lookup": "lan",
            "locators": ["tls:192.0.2.3:5566"],
            "reached": False,
            "lookup_seconds": 0.05,
            "dial_seconds": 4.9,
            "hello_seconds": 0.0,
            "reason": "tls:192.0.2.3:5566: no route",
        },
    ],
    "met": False,
    "branches": [
        {
            "to": "peer bob@example.com",
            "at": 0.08,
            "heard": [
                {"status": 180, "reason": "Ringing", "at": 0.1},
                {"status": 486, "reason": "Busy Here", "at": 65.2},
            ],
            "error": "",
        }
    ],
    "stages": None,
    "rang": 0.1,
    "answered": None,
    "ended": 65.2,
    "ended_by": "",
    "status": 486,
    "reason": "Busy Here",
    "notes": ["the call was forwarded to carol@example.com"],
}

RECENT: list[CallLine] = [
    {
        "id": "k3x7qb",
        "direction": "outgoing",
        "caller": "alice@example.com",
        "callee": "bob@example.com",
        "began": 1_700_000_000.0,
        "state": "failed",
        "seconds": 65.2,
        "status": 486,
        "reason": "Busy Here",
    },
    {
        "id": "k3x7qa",
        "direction": "outgoing",
        "caller": "alice@example.com",
        "callee": "bob@example.com",
        "began": 1_699_999_000.0,
        "state": "up",
        "seconds": 61.4,
        "status": 200,
        "reason": "",
    },
]
