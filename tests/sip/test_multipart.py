"""Tests of finding parts in multipart bodies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.multipart import (
    DEEPEST,
    LONGEST_BOUNDARY,
    MOST_PARTS,
    PartHeaders,
    find_parts,
    media_type,
    replace_part,
)
from p2pship.sip.parameters import NONE

SDP = "application/sdp"
MIXED = "multipart/mixed;boundary=b"


def _part(content: bytes, *headers: bytes) -> bytes:
    return b"--b\r\n" + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + content + b"\r\n"


def _found(content_type: str, body: bytes) -> bytes | None:
    """Return the first description for the session."""
    parts = find_parts(PartHeaders(content_type), body, SDP)
    return next((body[part.content] for part in parts if part.disposition == "session"), None)


class MediaTypeTests(SynchronousTestCase):
    """Reading of Content-Type."""

    def test_read(self) -> None:
        """Type and parameters are found, whatever the case and white space."""
        kind, parameters = media_type(' Multipart / MIXED ; boundary="a b;c" ')
        self.assertEqual((kind, parameters.get("boundary")), ("multipart/mixed", '"a b;c"'))

    def test_malformed(self) -> None:
        """What is none has an empty type."""
        for text in ("", "text", "text/", "/plain", "a b/c"):
            self.assertEqual(media_type(text)[0], "", text)

    def test_malformed_parameters(self) -> None:
        """A type stays one whatever follows it, for a phone goes by it all the same."""
        for text in ("Application/SDP;=", "application/sdp;;", "application/sdp, text/plain"):
            self.assertEqual(media_type(text), (SDP, NONE), text)


class FindPartTests(SynchronousTestCase):
    """Finding of a part."""

    def test_found(self) -> None:
        """The first part of the type is found between its delimiters, wherever it stands."""
        wanted = _part(b"v=0\r\n", b"Content-Type : application/SDP;x=y", b"X: 1\r\n 2")
        other = _part(b"--bogus", b"Content-Type: text/plain")
        bare = b"--b\r\n\r\nno headers\r\n"
        for body in (
            wanted + b"--b--",
            b"preamble\r\n" + other + bare + wanted + other + b"--b--\r\nepilogue",
            wanted.replace(b"--b\r\n", b"--b \t\r\n") + b"--b--",
        ):
            self.assertEqual(_found(MIXED, body), b"v=0\r\n")
            self.assertEqual(_found('multipart/related;boundary="b"', body), b"v=0\r\n")

    def test_nested(self) -> None:
        """Multiparts may stand in multiparts, so deep and no deeper."""
        body, kind = b"v=0", SDP.encode()
        for depth in range(DEEPEST + 1):
            found = _found(kind.decode(), body)
            self.assertEqual(found, b"v=0", depth)
            body = b"--b%d\r\nContent-Type: %s\r\n\r\n%s\r\n--b%d--" % (depth, kind, body, depth)
            kind = b"multipart/alternative;boundary=b%d" % depth
        self.assertIsNone(_found(kind.decode(), body))

    def test_long_boundary(self) -> None:
        """A boundary is as long as RFC 2046 allows, and no longer: each would be compiled and kept."""
        for length, found in ((LONGEST_BOUNDARY, b"v=0"), (LONGEST_BOUNDARY + 1, None)):
            boundary = "x" * length
            body = f"--{boundary}\r\nContent-Type: {SDP}\r\n\r\nv=0\r\n--{boundary}--".encode()
            self.assertEqual(_found(f"multipart/mixed;boundary={boundary}", body), found)

    def test_disposition(self) -> None:
        """A description for another purpose is passed over (RFC 3959)."""
        early = _part(b"early", b"Content-Type: application/sdp", b"Content-Disposition: early-session")
        plain = _part(
            b"plain", b"Content-Type: application/sdp", b"Content-Disposition: Session;handling=required"
        )
        self.assertEqual(_found(MIXED, early + plain + b"--b--"), b"plain")
        self.assertIsNone(_found(MIXED, early + b"--b--"))
        purposes = [
            part.disposition for part in find_parts(PartHeaders(MIXED), early + plain + b"--b--", SDP)
        ]
        self.assertEqual(purposes, ["early-session", "session"])

    def test_encoded(self) -> None:
        """What is encoded or compressed, or lies in what is, is told from what can be read."""
        for header, plain in (
            (b"Content-Encoding: gzip", False),
            (b"Content-Transfer-Encoding: base64", False),
            (b"content-transfer-encoding: BINARY ", True),
            (b"Content-Encoding: identity", True),
        ):
            inner = _part(b"v=0", b"Content-Type: application/sdp", header) + b"--b--"
            outer = _part(b"v=0", b"Content-Type: application/sdp").replace(b"--b", b"--c") + b"--c--"
            nested = _part(outer, b"Content-Type: multipart/mixed;boundary=c", header) + b"--b--"
            for body in (inner, nested):
                (part,) = find_parts(PartHeaders(MIXED), body, SDP)
                self.assertEqual((part.is_plain, body[part.content]), (plain, b"v=0"), header)

    def test_lengths(self) -> None:
        """The Content-Length of a part, and of the multipart around it, fits what was put there; all else stays."""
        inner = _part(b"x" * 95, b"Content-Type: application/sdp", b"Content-Length:  95 ") + b"--b--\r\n"
        sizes = b"Content-Length: %d" % (len(inner) + 7)
        body = _part(b"pre\r\n\r\n" + inner, b"Content-Type: multipart/mixed;boundary=b", sizes).replace(
            b"--b\r\n", b"--o\r\n", 1
        )
        body += b"--o--\r\n"
        (part,) = find_parts(PartHeaders("multipart/related;boundary=o"), body, SDP)
        new = replace_part(body, part, b"y" * 100)
        grown = inner.replace(b"x" * 95, b"y" * 100).replace(b" 95 ", b" 100 ")
        self.assertIn(grown, new)
        self.assertIn(b"Content-Length: %d\r\n" % (len(grown) + 7), new)
        self.assertEqual(len(new), len(body) + 6)

    def test_not_found(self) -> None:
        """Bodies that lack the part, its end or a boundary have none."""
        wanted = _part(b"v=0", b"Content-Type: application/sdp")
        for content_type, body in (
            (MIXED, b""),
            (MIXED, b"--b--"),
            (MIXED, b"--b--\r\n" + wanted + b"--b--"),
            (MIXED, wanted),
            (MIXED, b"--b\r\n--b\r\n--b--"),
            (MIXED, b"--b\r\nContent-Type: application/sdp\r\n--b--"),
            ("multipart/mixed", wanted + b"--b--"),
            ("multipart/mixed;boundary=c", wanted + b"--b--"),
            ('multipart/mixed;boundary=""', wanted + b"--b--"),
        ):
            self.assertIsNone(_found(content_type, body), body)

    def test_many_parts(self) -> None:
        """Only so many parts are looked at."""
        wanted, other = (
            _part(b"v=0", b"Content-Type: application/sdp"),
            _part(b"x", b"Content-Type: text/plain"),
        )
        self.assertEqual(_found(MIXED, other * (MOST_PARTS - 1) + wanted + b"--b--"), b"v=0")
        self.assertIsNone(_found(MIXED, other * MOST_PARTS + wanted + b"--b--"))

    @given(
        st.lists(
            st.sampled_from([b"--b", b"--", b"\r\n", b"b", b" ", b"Content-Type: application/sdp", b":"]),
            max_size=16,
        )
    )
    def test_garbage(self, pieces: list[bytes]) -> None:
        """Whatever the body is, what is found lies within it."""
        body = b"".join(pieces)
        for part in find_parts(PartHeaders(MIXED), body, SDP):
            self.assertTrue(0 <= part.content.start < part.content.stop <= len(body))
            self.assertIn(b"replaced", replace_part(body, part, b"replaced"))
