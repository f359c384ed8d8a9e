"""An INVITE with a little of everything."""

from __future__ import annotations

from p2pship.sip.message import Request, parse

INVITE = (
    b"INVITE sip:bob@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKnashds8;rport\r\n"
    b"v: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKa, SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKb\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "A, B" <sip:alice@example.com>;tag=1928301774\r\n'
    b"t: <sip:bob@example.com>\r\n"
    b"Call-ID: a84b4c76e66710@example.com\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Subject: one\r\n"
    b"\t two\r\n"
    b"X-Odd :  \xff\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"body"
)


def invite() -> Request:
    """Return it, parsed."""
    message = parse(INVITE)
    assert isinstance(message, Request)
    return message
