"""Requests and answers survive the way between people, and nothing else passes for one."""

from __future__ import annotations

from time import monotonic

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.errors import RemoteError
from p2pship.identity.compact import compact
from p2pship.identity.invitation import (
    LONGEST,
    Answer,
    BadAnswer,
    BadRequest,
    answer_pem,
    answer_uri,
    is_answer,
    read_answer,
    read_request,
    request_pem,
    request_uri,
)

DERS = st.binary(min_size=1, max_size=300)
ANSWERS = st.builds(Answer, st.lists(DERS, min_size=1, max_size=4).map(tuple), st.binary(max_size=300))


class RequestTests(SynchronousTestCase):
    """Requests."""

    @given(DERS)
    def test_round_trip(self, request: bytes) -> None:
        """As a file and as a URI, with what mail programs do to lines."""
        pem, uri = request_pem(request), request_uri(request)
        self.assertEqual(read_request(pem.encode()), request)
        self.assertEqual(read_request(f"Dear CA\n\n{pem}\nBye".replace("\n", "\r\n").encode()), request)
        self.assertEqual(read_request(f" {uri}\n".encode()), request)

    def test_der(self) -> None:
        """DER is taken as it is."""
        self.assertEqual(read_request(b"\x30\x01\x00"), b"\x30\x01\x00")

    def test_two(self) -> None:
        """Two requests in one file are none: nobody would know which was signed."""
        self.assertRaises(BadRequest, read_request, request_pem(b"1").encode() + request_pem(b"2").encode())
        self.assertRaises(BadRequest, read_request, b"p2pship:request?pkcs10=AAAA&pkcs10=BBBB")

    def test_not_one(self) -> None:
        """An answer, a broken URI and a file that is too long are refused."""
        for data in (
            answer_pem(Answer((b"1",))).encode(),
            b"p2pship:request?",
            b"p2pship:request?pkcs10=%FF",
            b"p2pship:request?pkcs10=A",
            "p2pship:request?pkcs10=ä".encode(),
            b"\x30" + bytes(LONGEST),
        ):
            self.assertRaises(BadRequest, read_request, data)


class AnswerTests(SynchronousTestCase):
    """Answers."""

    @given(ANSWERS)
    def test_round_trip(self, answer: Answer) -> None:
        """As a file and as a URI."""
        for data in (answer_pem(answer).encode(), answer_uri(answer).encode()):
            self.assertTrue(is_answer(data))
            self.assertEqual(read_answer(data), answer)

    def test_too_many(self) -> None:
        """Five certificates, or two lists, are not an answer."""
        self.assertRaises(BadAnswer, read_answer, answer_pem(Answer((b"1",) * 5)).encode())
        text = answer_pem(Answer((b"1",), b"list"))
        self.assertRaises(BadAnswer, read_answer, (text + text).encode())

    def test_case_and_lines(self) -> None:
        """A URI may come in small letters and in lines, as mail programs make it."""
        answer = Answer((b"certificate " * 20,), b"list")
        uri = answer_uri(answer)
        self.assertEqual(uri, uri.upper())
        wrapped = "\r\n".join(uri.lower()[at : at + 40] for at in range(0, len(uri), 40))
        self.assertTrue(is_answer(wrapped.encode()))
        self.assertEqual(read_answer(wrapped.encode()), answer)

    def test_uri_truncated(self) -> None:
        """A URI that is cut off anywhere, or goes on, is refused; so is one that would fill the memory."""
        uri = answer_uri(Answer((b"certificate",), b"list"))
        for wrong in (
            *(uri[:end] for end in range(15, len(uri))),
            f"{uri}AAAA",
            f"P2PSHIP:ANSWER:{compact(b'5')}",
        ):
            self.assertRaises(BadAnswer, read_answer, wrong.encode())
        self.assertRaises(BadAnswer, read_answer, answer_uri(Answer((bytes(10_000_000),))).encode())

    def test_truncated(self) -> None:
        """Cut off anywhere within its certificates it is refused, never taken for a shorter certificate."""
        whole = answer_pem(Answer((b"certificate " * 20,))).encode()
        for end in range(len(whole) - 1):
            self.assertRaises(BadAnswer, read_answer, whole[:end])

    def test_beginnings_without_end(self) -> None:
        """A file that begins again and again is refused in a moment, also when it is as long as may be: a node carries calls."""
        since = monotonic()
        for read in (read_answer, read_request):
            self.assertRaises(RemoteError, read, b"-----BEGIN A-----\n" * (LONGEST // 18))
        self.assertLess(monotonic() - since, 5)

    @given(
        st.binary(max_size=200), st.sampled_from([b"", b"p2pship:answer:", b"-----BEGIN CERTIFICATE-----\n"])
    )
    def test_garbage(self, garbage: bytes, head: bytes) -> None:
        """Whatever comes is read or refused, in no other way."""
        for read in (read_answer, read_request):
            try:
                read(head + garbage)
            except RemoteError:
                continue
