"""Callers who do not tell their name (RFC 3323): what the node does for its phone, and what it shows of a peer's.

The other person's node always knows who calls, as the link proves it; only the phone does not show it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2s

from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.sip.message import Message, Request
from p2pship.sip.uri import NameAddr, parse_uri

ANONYMOUS = "anonymous@anonymous.invalid"
"The AOR of those who do not tell theirs (RFC 3323 §4.1.1.3)."

ANONYMOUS_FROM = f'"Anonymous" <sip:{ANONYMOUS}>'
"The From of theirs, without its tag."

_PROVIDED = frozenset({"user", "header", "session", "id", "critical"})
"What Privacy may ask for that this node always provides (RFC 3323 §4.2, RFC 3325 §9.3)."

_TELLING = (
    *("Subject", "Call-Info", "Organization", "User-Agent", "Reply-To", "In-Reply-To", "Referred-By"),
    *("Authorization", "Proxy-Authorization", "Geolocation", "P-Access-Network-Info"),
)
"Header fields that tell who somebody is (RFC 3323 §4.1.3, §5.3), or where; a user name is in Authorization."

_SAME_PHONE = ("+sip.instance", "reg-id")
"Parameters of a Contact that are the same in every call of a phone (RFC 5626 §4.1)."

_NONCE_OCTETS = 8
"Random octets of a temporary GRUU: no two are alike."
_MAC_OCTETS = 10
"Octets that only the node which made it can compute: nobody guesses 80 bits over a link."

_ORIGIN_USER = re.compile(rb"^o=\S+", re.MULTILINE)
_PERSON = re.compile(rb"^[iuep]=[^\r\n]*(?:\r?\n|\r|\Z)", re.MULTILINE)  # title, page, mail and telephone


def asked_for(message: Message) -> frozenset[str]:
    """Return what Privacy asks for, in lower case; nothing if it says none."""
    if "Privacy" not in message:
        return frozenset()
    words = frozenset(re.split(r"[\s;,]+", (message.first("Privacy") or "").lower()))
    return frozenset() if "none" in words else words & _PROVIDED


def is_anonymous(uri: str) -> bool:
    """Tell whether a From names nobody."""
    try:
        return canonical_aor(uri) == ANONYMOUS
    except BadAOR:
        return False


def hides_name(request: Request) -> bool:
    """Tell whether a phone's request is to show nobody's name: by its From, or because it asks for that (§5.3).

    Telephones also write ``anonymous`` at their own domain (RFC 3323 §4.1.1.2), and ask for privacy besides.
    """
    sender = request.from_.uri
    wanted = asked_for(request)
    return is_anonymous(sender) or "user" in wanted or ("id" in wanted and _user_of(sender) == "anonymous")


def keeps_name(request: Request) -> bool:
    """Tell whether a node that has been told the name must not show it to its phone."""
    return is_anonymous(request.from_.uri) or bool(asked_for(request) & {"id", "user"})


def leave_out_telling(message: Message) -> None:
    """Remove what tells who the sender is, down to the user name in a session description."""
    message.remove(*_TELLING)
    contacts = message.values("Contact")
    if len(contacts) == 1:
        contact = NameAddr.parse(contacts[0])
        message.set("Contact", str(replace(contact, parameters=contact.parameters.drop(*_SAME_PHONE))))
    if message.body and b"o=" in message.body:
        message.body = _PERSON.sub(b"", _ORIGIN_USER.sub(b"o=-", message.body, count=1))


def temporary_gruu(token: str, random: Callable[[int], bytes]) -> str:
    """Return a new GRUU of a binding that tells neither its AOR nor the binding (RFC 5627 §3.1.2)."""
    nonce = random(_NONCE_OCTETS).hex()
    return f"sip:{nonce}.{_mac(token, nonce)}@anonymous.invalid;gr"


def is_temporary_gruu_of(uri: str, token: str) -> bool:
    """Tell whether this node made a GRUU for the binding with this token; raises BadURI."""
    parsed = parse_uri(uri)
    if "gr" not in parsed.parameters or parsed.host.lower() != "anonymous.invalid":
        return False
    nonce, _, mac = (parsed.user or "").partition(".")
    return mac == _mac(token, nonce)


def _mac(token: str, nonce: str) -> str:
    data = nonce.encode("utf-8", "surrogateescape")
    return blake2s(data, key=token.encode(), digest_size=_MAC_OCTETS).hexdigest()


def _user_of(uri: str) -> str:
    return (parse_uri(uri).user or "").lower()
