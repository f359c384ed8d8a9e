"""The torture messages of RFC 4475 and RFC 5118, and what each must meet with at a proxy and registrar such as this node.

Where a proxy's duty is another than an endpoint's, the proxy's stands here. A node that serves no one but its own
phones sends on what they send to persons, and answers the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

VECTORS = Path(__file__).parent.parent / "vectors"


class Fate(Enum):
    """What becomes of a message."""

    PASSED = "sent on to the phone of the person in its Request-URI, which then answers it"
    WITHIN = "sent on within its dialog; without that dialog, 481 answers it (RFC 3261 §12.2.2)"
    REGISTERED = "taken by the registrar"
    ANSWERED = "answered by the node itself"
    REFUSED = "answered with a failure"
    DROPPED = "dropped in silence, as every response is that answers nothing"


@dataclass(frozen=True)
class Handling:
    """What the RFC wants for one message."""

    section: str
    fate: Fate
    says: str
    "what the RFC says, in short"
    status: int = 200
    "what the node answers; of a request that is sent on, what it answers where it cannot be"
    caller: str = ""
    "of what is sent on: whose phone sends it, by its From"
    callees: tuple[str, ...] = ()
    "likewise: under which names the other phone is registered; first that of the Request-URI, or To within a dialog"
    closes: bool = False
    "whether the framing is lost over TCP, so that the connection is closed after the answer"
    tail: bytes = b""
    "what the message lacks over TCP to have an end there"


def passed(section: str, caller: str, *callees: str, says: str) -> Handling:
    """A request that goes to another person's phone."""
    return Handling(section, Fate.PASSED, says, 403, caller, callees)


def within(section: str, caller: str, callee: str, says: str) -> Handling:
    """A request with a To tag, which belongs to a dialog."""
    return Handling(section, Fate.WITHIN, says, 481, caller, (callee,))


def refused(section: str, status: int, says: str, closes: bool = False, tail: bytes = b"") -> Handling:
    """A request that is answered with a failure."""
    return Handling(section, Fate.REFUSED, says, status, closes=closes, tail=tail)


def registered(section: str, says: str) -> Handling:
    """A REGISTER that is accepted."""
    return Handling(section, Fate.REGISTERED, says)


def answered(section: str, says: str) -> Handling:
    """A request to the node itself."""
    return Handling(section, Fate.ANSWERED, says)


def dropped(section: str, says: str) -> Handling:
    """A response that must reach nobody."""
    return Handling(section, Fate.DROPPED, says)


USER = "sip:user@example.com"
J_USER = "sip:j_user@example.com"
CALLER = "sip:caller@example.net"

RFC4475 = {
    # 3.1.1 valid messages
    "wsinv": within(
        "3.1.1.1",
        "sip:jdrosen@example.com",
        "sip:vivekg@chair-dnrc.example.com",
        "well-formed, a proxy forwards the unknown fields unchanged. It has a To tag, so it is a re-INVITE.",
    ),
    "intmeth": passed(
        "3.1.1.2",
        "sip:mundane@example.com",
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
        says="a proxy that knows this unusual URI forwards the request, whatever its method is",
    ),
    "esc01": passed(
        "3.1.1.3",
        "sip:I%20have%20spaces@example.net",
        "sip:sips%3Auser%40example.com@example.net",
        USER,
        says="escapes are the same as what they stand for, resolved once, and stay as they are",
    ),
    "escnull": refused(
        "3.1.1.4",
        403,
        "two Contacts would be registered, and the null ends no name. Here no identity has a control character in its name, "
        "NUL least of all: people could not tell it from another. RFC 3261 §10.3 item 4 lets a registrar refuse a name.",
    ),
    "esc02": refused("3.1.1.5", 404, "a proxy forwards or rejects it by its Request-URI, which names nobody"),
    "lwsdisp": passed(
        "3.1.1.6", "sip:caller@example.com", USER, says="no space is needed between a display name and <"
    ),
    "longreq": passed(
        "3.1.1.7",
        f"sip:{'amazinglylongcallername' * 5}@example.net",
        USER,
        says="well-formed; many values, and long ones",
    ),
    "dblreq": registered(
        "3.1.1.8", "what follows the REGISTER in its datagram is noise, and is never forwarded"
    ),
    "semiuri": passed(
        "3.1.1.9",
        "sip:caller@example.org",
        "sip:user;par=u%40example.net@example.com",
        J_USER,
        says="the parameter belongs to the user part",
    ),
    "transports": passed(
        "3.1.1.10", "sip:caller@example.com", USER, says="the transports in lower Vias are not looked at"
    ),
    "mpart01": passed(
        "3.1.1.11",
        "sip:fluffy@example.com",
        "sip:kumiko@example.org",
        says="the binary body is framed by its length, nulls and all",
    ),
    "unreason": dropped("3.1.1.12", "a well-formed response; this one answers nothing"),
    "noreason": dropped("3.1.1.13", "a well-formed response; this one answers nothing"),
    # 3.1.2 invalid messages
    "badinv01": refused("3.1.2.1", 400, "semicolons and commas in excess, in Via and Contact"),
    "clerr": refused(
        "3.1.2.2", 400, "the Content-Length is too large; over TCP there is only waiting for more"
    ),
    "ncl": refused(
        "3.1.2.3", 400, "a negative Content-Length; over TCP the connection is closed", closes=True
    ),
    "scalar02": refused("3.1.2.4", 400, "the CSeq is too large"),
    "scalarlg": dropped("3.1.2.5", "numbers too large in a response: discarded"),
    "quotbal": refused("3.1.2.6", 400, "a quote that nothing ends"),
    "ltgtruri": refused("3.1.2.7", 400, "brackets around the Request-URI: reasonable always to reject"),
    "lwsruri": refused("3.1.2.8", 400, "white space within the Request-URI"),
    "lwsstart": refused("3.1.2.9", 400, "several spaces in the request line: acceptable to reject"),
    "trws": refused("3.1.2.10", 400, "spaces at the end of the request line: acceptable to reject"),
    "escruri": refused("3.1.2.11", 400, "headers in the Request-URI: acceptable to reject, never to obey"),
    "baddate": passed(
        "3.1.2.12",
        CALLER,
        USER,
        says="another time zone than GMT: nobody who does not use the Date should reject it for that",
    ),
    "regbadct": refused("3.1.2.13", 400, "a Contact with a header in its URI, and without brackets"),
    "badaspec": refused("3.1.2.14", 400, "spaces within <>"),
    "baddn": refused(
        "3.1.2.15",
        400,
        "commas in display names without quotes; the file lacks its last line end, too",
        tail=b"\r\n",
    ),
    "badvers": refused("3.1.2.16", 505, "version 7.0"),
    "mismatch01": refused("3.1.2.17", 400, "CSeq names another method"),
    "mismatch02": refused(
        "3.1.2.18", 501, "CSeq names another method than one that is unknown: 501 is preferred"
    ),
    "bigcode": dropped("3.1.2.19", "a status above 699"),
    # 3.2 transaction layer
    "badbranch": refused("3.2.1", 400, "the branch is the cookie alone: no transaction has it"),
    # 3.3 application layer
    "insuf": refused("3.3.1", 400, "no Call-ID, From and To: ideally 400, with what there is"),
    "unkscm": refused("3.3.2", 416, "a scheme that nobody knows; the To says nothing about where it goes"),
    "novelsc": refused("3.3.3", 416, "a scheme that is never served"),
    "unksm2": refused("3.3.4", 400, "a REGISTER whose To is no SIP URI: 400 from a registrar"),
    "bext01": refused("3.3.5", 420, "extensions that no proxy supports, listed from Proxy-Require"),
    "invut": passed(
        "3.3.6", CALLER, USER, "sip:j.user@example.com", says="a body of unknown type is as any other"
    ),
    "regaut01": registered("3.3.7", "a registrar that asks for no credentials ignores them"),
    "multi01": refused("3.3.8", 400, "several values where one may be"),
    "mcl01": refused("3.3.9", 400, "several Content-Lengths; over TCP the connection is closed", closes=True),
    "bcast": dropped("3.3.10", "a response that would go on to a broadcast address"),
    "zeromf": refused("3.3.11", 483, "a proxy does not forward it"),
    "cparam01": registered("3.3.12", "without brackets, the parameter is the Contact's and not the URI's"),
    "cparam02": registered("3.3.13", "within brackets, the parameter is the URI's"),
    "regescrt": registered("3.3.14", "the binding keeps the header in its URI"),
    "sdp01": passed("3.3.15", CALLER, USER, J_USER, says="406 for the Accept is an endpoint's to say"),
    # 3.4 backward compatibility
    "inv2543": Handling(
        "3.4.1",
        Fate.PASSED,
        "accepted as of RFC 2543: no branch, no tag, no Contact, no Max-Forwards. The body of a datagram is the rest; "
        "over TCP a body without Content-Length is no framing (§3.3.9)",
        403,
        "sip:+13035551111@ift.client.example.net",
        ("sip:UserB@example.com", "sip:+16505552222@ss1.example.net"),
        closes=True,
    ),
}

_IPV6_USER = "sip:user@[2001:db8::10]"
_MIXED_USER = "sip:user@[2001:db8::192.0.2.1]"

RFC5118 = {
    "ipv6-good": registered("4.1", "IPv6 in Request-URI, Via and Contact"),
    "ipv6-bad": refused("4.2", 400, "an IPv6 address without brackets in the Request-URI"),
    "port-ambiguous": registered("4.3", "well-formed: what was meant as a port is part of the address"),
    "port-unambiguous": registered("4.4", "the port stands after the bracket"),
    "via-received-param-with-delim": within(
        "4.5", USER, USER, "received with brackets must be taken. It has a To tag: it ends a dialog."
    ),
    "via-received-param-no-delim": answered(
        "4.5", "received without brackets is valid. The Request-URI has no user: it asks the server itself."
    ),
    "ipv6-in-sdp": passed("4.6", USER, _IPV6_USER, says="IPv6 without brackets in the description"),
    "mult-ip-in-header": within(
        "4.7", USER, "sip:user@example.net", "IPv4 and IPv6 in Vias. It has a To tag: it ends a dialog."
    ),
    "mult-ip-in-sdp": passed(
        "4.8", USER, _IPV6_USER, says="each media line has its own address, IPv4 and IPv6"
    ),
    "ipv4-mapped-ipv6": passed(
        "4.9",
        "sip:user@east.example.com",
        USER,
        says="IPv4-mapped addresses, in headers and in the description",
    ),
    "ipv6-bug-abnf-3-colons": passed(
        "4.10", USER, _MIXED_USER, says="the third colon, which RFC 3261's grammar allows, must be tolerated"
    ),
    "ipv6-correct-abnf-2-colons": passed("4.10", USER, _MIXED_USER, says="the same without it"),
}

HANDLING = RFC4475 | RFC5118


def octets(name: str) -> bytes:
    """Return a message as it comes."""
    return (VECTORS / ("rfc4475" if name in RFC4475 else "rfc5118") / f"{name}.dat").read_bytes()


def names(*fates: Fate) -> list[str]:
    """Return the names of the messages that have one of these fates."""
    return [name for name, handling in HANDLING.items() if handling.fate in fates]
