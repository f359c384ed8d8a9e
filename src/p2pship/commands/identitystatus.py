"""What is said of an own identity, and how it reads on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from p2pship.commands.columns import aligned, day

if TYPE_CHECKING:
    from p2pship.desk import Desk
    from p2pship.identity.identity import Identity

CERTIFICATE_WARNING = 30 * 86_400
"Seconds before the end of a certificate from which that is said: it should have been renewed by itself."


class IdentityStatus(TypedDict):
    """One own identity, in the answers to ``identity list`` and ``identity show``."""

    aor: str
    fingerprint: str
    "of the identity key, for people to compare"
    default: bool
    "whether it is meant where none is named"
    owner: bool
    "whether this device holds the identity key"
    hit: str
    "of the device that it is used on here, as an IPv6 address"
    separate: bool
    "whether that is a device of its own, which no other identity of this node uses"
    revoked: bool
    "whether its owner has revoked this device: it is not used here"
    phones: list[str]
    "the contacts of the phones that are registered; empty when no node is running"
    devices: int
    "how many devices the name has"
    authority: str
    "the CA that vouches for the name, as statements name it: 16 hexadecimal digits; empty if none does"
    certificate_ends: float
    "when the certificate from the CA ends, Unix time; 0 without a CA"
    statement_ends: float
    "until when others believe what they have heard of its devices, Unix time"
    created: float
    exported: float
    "when its key was last written to a backup, Unix time; 0: never, or another device holds the key"
    status: str
    "what the person says of themselves"
    privacy: str
    "who can find where it is: open (everybody who knows the name), friends or paranoid"
    advice: list[str]
    "what is not as it should be, and what to do"


def describe(desk: Desk, identity: Identity) -> IdentityStatus:
    """Say how an identity is."""
    from p2pship.identity.fingerprint import fingerprint
    from p2pship.identity.hit import format_hit

    holdings = identity.holdings()
    default = desk.keyring.default
    bindings = desk.node.telephony.bindings.of(identity.aor) if desk.node is not None else ()
    statement = holdings.statement
    return {
        "aor": identity.aor,
        "fingerprint": fingerprint(identity.key),
        "default": default is not None and default.aor == identity.aor,
        "owner": identity.owner,
        "hit": format_hit(identity.device.hit),
        "separate": identity.separate,
        "revoked": identity.revoked,
        "phones": [binding.contact for binding in bindings],
        "devices": len(statement.devices),
        "authority": statement.authority.hex(),
        "certificate_ends": _ends(holdings.chain) if statement.authority else 0.0,
        "statement_ends": float(statement.expires),
        "created": float(identity.created),
        "exported": float(holdings.about.exported),
        "status": holdings.about.status,
        "privacy": desk.modes.of(identity.aor),
        "advice": _advice(desk, identity),
    }


def no_backup(aor: str) -> str:
    """Return what to say of an identity of which there is no backup."""
    return (
        f"there is no backup yet: if this disk or its passphrase is lost, the name {aor} is lost for good. "
        f"`p2pship identity export {aor} --encrypt --out FILE` makes one"
    )


def sentence(words: str) -> str:
    """Return words as a sentence."""
    return f"{words[:1].upper()}{words[1:]}."


def _advice(desk: Desk, identity: Identity) -> list[str]:
    if identity.revoked:
        return [
            f"its owner has revoked this device: `p2pship identity remove {identity.aor}` takes it off the list"
        ]
    holdings = identity.holdings()
    advice = []
    if identity.owner and not holdings.about.exported:
        advice.append(no_backup(identity.aor))
    if not identity.owner:
        advice.append(
            "another device holds the identity key: while that one is away for 30 days, others stop believing this one"
        )
    if identity.separate and not desk.reaches_separate():
        advice.append(
            "it has a device of its own, which only HIP reaches, and HIP is off: nobody can call it until [bearer.hip] has "
            "enabled = true"
        )
    ends = _ends(holdings.chain) if holdings.statement.authority else 0.0
    now = desk.clock.seconds()
    if ends and _was_revoked(desk, identity, holdings.chain):
        advice.append(
            "the CA has revoked its certificate, and who knows that refuses this name: ask the CA for a new one with "
            "`p2pship identity request`"
        )
    elif ends and ends < now:
        advice.append(
            f"the certificate ended on {day(ends)}: ask the CA anew with `p2pship identity request`"
        )
    elif ends and ends < now + CERTIFICATE_WARNING:
        advice.append(
            f"the certificate ends on {day(ends)}: it is renewed when the CA's node is reached, or with `p2pship identity request`"
        )
    return advice


def _was_revoked(desk: Desk, identity: Identity, chain: Sequence[bytes]) -> bool:
    from p2pship.trust.certificates import BadChain
    from p2pship.trust.proof import Revoked

    try:
        desk.authorities.verify(chain, identity.aor, identity.key)
    except Revoked:
        return True
    except BadChain:
        return False
    return False


def _ends(chain: Sequence[bytes]) -> float:
    if not chain:
        return 0.0
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(chain[0]).not_valid_after_utc.timestamp()


def list_text(identities: Sequence[IdentityStatus]) -> str:
    """Print the answer to ``identity list``."""
    if not identities:
        return (
            "There is no identity yet: `p2pship identity create alice@example.com` makes one, and so does a phone on this "
            "machine that registers."
        )
    head = ("AOR", "FINGERPRINT", "NAME FROM", "DEVICES", "PHONES")
    rows = [
        (
            one["aor"],
            one["fingerprint"],
            _vouched(one),
            str(one["devices"]),
            ", ".join(one["phones"]) or "none",
        )
        for one in identities
    ]
    advice = [f"{one['aor']}: {words}." for one in identities for words in one["advice"]]
    return "\n\n".join(part for part in (aligned([head, *rows]), "\n".join(advice)) if part)


def show_text(one: IdentityStatus) -> str:
    """Print an identity, one thing a line."""
    rows = [
        ("AOR", f"{one['aor']}{' (the default one)' if one['default'] else ''}"),
        ("fingerprint", one["fingerprint"]),
        ("name from", _vouched(one)),
        ("identity key", "on this device" if one["owner"] else "on another device"),
        ("device", f"{one['hit']} ({'its own' if one['separate'] else 'that of this node'})"),
        ("devices", str(one["devices"])),
        ("phones", ", ".join(one["phones"]) or "none"),
        ("created", day(one["created"])),
        ("backup", day(one["exported"]) if one["exported"] else "none" if one["owner"] else "not from here"),
        ("others believe", f"until {day(one['statement_ends'])}, without news from an owner device"),
        ("location", one["privacy"]),
        ("status", one["status"] or "none"),
    ]
    advice = "\n".join(sentence(words) for words in one["advice"])
    return "\n\n".join(part for part in (aligned(rows), advice) if part)


def _vouched(one: IdentityStatus) -> str:
    if one["authority"]:
        return f"CA {one['authority']} until {day(one['certificate_ends'])}"
    return "its own key" if one["aor"] == f"{one['fingerprint']}@p2pship.alt" else "nobody vouches for it"


def status_text(identities: Sequence[IdentityStatus]) -> str:
    """Print the answer to ``identity status``: what there is to do, for each."""
    if not identities:
        return list_text(identities)
    lines = []
    for one in identities:
        said = f', "{one["status"]}"' if one["status"] else ""
        lines.append(f"{one['aor']}{said}: {'look here' if one['advice'] else 'all is well'}.")
        lines += [f"  {sentence(words)}" for words in one["advice"]]
    return "\n".join(lines)
