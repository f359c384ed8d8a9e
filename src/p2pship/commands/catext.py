"""How authorities read on a terminal, and what is told of them."""

from __future__ import annotations

from typing import Any, TypedDict

from p2pship.commands.columns import aligned, day


class IssuedStatus(TypedDict):
    """A certificate that an authority of our own has issued."""

    serial: str
    aor: str
    key: str
    issued: int
    expires: int
    revoked: int


class AuthorityStatus(TypedDict):
    """An authority, in the answer to ``ca list``."""

    fingerprint: str
    name: str
    title: str
    operator: str
    domains: list[str]
    own: bool
    expires: int
    issued: list[IssuedStatus]


class CreatedStatus(AuthorityStatus):
    """The answer to ``ca create``."""

    others: list[str]
    "the fingerprints of all others that are trusted for the same domain"


def _as_given(result: dict[str, Any]) -> str:
    """Return how the answer is given."""
    return "P2PSHIP:ANSWER:..." if result["uri"] else "FILE"


def issue_text(result: dict[str, Any]) -> str:
    words = (
        f"{result['aor']} has a certificate until {day(result['expires'])}, for the key {result['fingerprint']}.\n"
        f"Send them this answer; they take it with: p2pship identity import {_as_given(result)}"
    )
    if not result["qr"]:
        return words
    from p2pship.relations.qr import qr_text

    return f"{words}\n\n{qr_text(result['qr'])}"


_HOW_THEY_HEAR = (
    "Whoever meets this node or a member hears of it. If the domain has a web server, put the new list there, too: "
    "`p2pship ca publish`."
)


def revoke_text(result: dict[str, Any]) -> str:
    lines = [f"Revoked {one['serial']} of {one['aor']}." for one in result["revoked"]]
    return "\n".join([*lines, _HOW_THEY_HEAR])


def trust_text(result: AuthorityStatus) -> str:
    return (
        f"{result['title'] or 'The authority'} ({result['fingerprint']}) is trusted for: {', '.join(result['domains'])}.\n"
        "Compare this fingerprint with whoever runs it."
    )


def remove_text(result: dict[str, Any]) -> str:
    domains = ", ".join(result["domains"]) or "any domain"
    ending = " Its key is deleted." if result["deleted"] else ""
    return f"{result['fingerprint'][:16]} is no longer trusted for {domains}.{ending}"


def list_text(result: dict[str, list[AuthorityStatus]]) -> str:
    if not result["authorities"]:
        return "No authority is trusted. A family or company makes one: `p2pship ca create example.com`"
    rows = [
        (
            one["fingerprint"][:16],
            one["name"] or one["title"],
            ", ".join(one["domains"]) or "-",
            "yours" if one["own"] else "-",
        )
        for one in result["authorities"]
    ]
    lines = [aligned([("AUTHORITY", "NAME", "TRUSTED FOR", "WHOSE"), *rows])]
    issued = [each for one in result["authorities"] for each in one["issued"]]
    if issued:
        shown = [(each["serial"], each["aor"], day(each["expires"]), _state(each)) for each in issued]
        lines += ["", aligned([("CERTIFICATE", "OF", "UNTIL", ""), *shown])]
    return "\n".join(lines)


def _state(one: IssuedStatus) -> str:
    return f"revoked {day(one['revoked'])}" if one["revoked"] else ""


def publish_text(result: dict[str, Any]) -> str:
    if result["dns"]:
        return (
            f"Put these records into the zone of {result['domain']}, which has to be signed (DNSSEC),\n"
            "and anew at least once a month: what they have expires."
        )
    return (
        f"{len(result['files'])} files for https://{result['domain']}/: run the script in the folder of the web server,\n"
        "and again at least once a month: what it has expires."
    )


def _also(result: CreatedStatus) -> str:
    """Say of each other authority for the domain that it is believed, too."""
    return "".join(
        f"{other[:16]} is trusted for {result['domains'][0]}, too, and may vouch for other keys of the same names: "
        f"`p2pship ca remove {other[:16]}` ends that.\n"
        for other in result["others"]
    )


def created_text(result: CreatedStatus) -> str:
    domain = result["domains"][0]
    renewal = (
        f"Members' nodes ask {result['operator']} for renewal."
        if result["operator"]
        else "It names no operator: its certificates are not renewed by themselves."
    )
    backup = f" of {result['operator']}" if result["operator"] else ""
    return (
        f"{result['name']} now vouches for names at {domain}: {result['fingerprint']}.\n{_also(result)}{renewal}\n"
        f"Its key is in every new backup{backup}: make one with `p2pship identity export`, and again when certificates were issued.\n"
        "A member runs `p2pship identity request --out FILE` and sends you the file; you run `p2pship ca issue FILE`."
    )
