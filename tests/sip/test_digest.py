"""Tests for :mod:`p2pship.sip.digest`."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.digest import MD5, SHA256, BadCredentials, Credentials, answer, challenge, secret

# RFC 7616 §3.9.1.
MUFASA = Credentials(
    username="Mufasa",
    realm="http-auth@example.org",
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    uri="/dir/index.html",
    response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    algorithm=SHA256,
    cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    nc="00000001",
)
PASSWORD = "Circle of Life"

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)


class DigestTests(SynchronousTestCase):
    """The computations, and the header fields."""

    def test_example_of_the_rfc(self) -> None:
        """Both answers of RFC 7616 §3.9.1."""
        ha1 = secret(SHA256, "Mufasa", MUFASA.realm, PASSWORD)
        self.assertTrue(MUFASA.proves("GET", ha1))
        old = replace(MUFASA, algorithm=MD5, response="8ca523f5e9506fed4657c9700eebdbec")
        self.assertTrue(old.proves("GET", secret(MD5, "Mufasa", MUFASA.realm, PASSWORD)))

    def test_each_part_counts(self) -> None:
        """An answer proves nothing for another method, URI, nonce, count, realm, user name or password."""
        ha1 = secret(SHA256, "Mufasa", MUFASA.realm, PASSWORD)
        self.assertFalse(MUFASA.proves("POST", ha1))
        for change in ({"uri": "/x"}, {"nonce": "x"}, {"nc": "00000002"}, {"cnonce": "x"}):
            self.assertFalse(replace(MUFASA, **change).proves("GET", ha1), change)
        for other in (
            ("mufasa", MUFASA.realm, PASSWORD),
            ("Mufasa", "x", PASSWORD),
            ("Mufasa", MUFASA.realm, ""),
        ):
            self.assertFalse(MUFASA.proves("GET", secret(SHA256, *other)), other)

    def test_parse_example(self) -> None:
        """The Authorization of the RFC, with the order and spaces that a phone may choose."""
        value = (
            'DIGEST username="Mufasa" ,realm="http-auth@example.org",uri="/dir/index.html", algorithm=sha-256,'
            f'nonce="{MUFASA.nonce}", nc=00000001, cnonce="{MUFASA.cnonce}", qop="auth", '
            f'response="{MUFASA.response}", opaque="FQhe", x=y'
        )
        self.assertEqual(Credentials.parse(value), MUFASA)
        self.assertIsNone(Credentials.parse("Basic bXVmYXNh"))

    def test_without_algorithm(self) -> None:
        """Where no algorithm is named it is MD5 (RFC 7616 §3.4)."""
        value = str(MUFASA).replace("algorithm=SHA-256, ", "")
        parsed = Credentials.parse(value)
        self.assertIsNotNone(parsed)
        self.assertEqual(parsed and parsed.algorithm, MD5)

    def test_not_offered(self) -> None:
        """Without qop, as RFC 2069 had it, with auth-int, another algorithm, or half of it: refused."""
        whole = str(MUFASA)
        for value in (
            whole.replace("qop=auth, ", ""),
            whole.replace("qop=auth", "qop=auth-int"),
            whole.replace("SHA-256", "SHA-256-sess"),
            whole.replace("nc=00000001", "nc=1"),
            whole.replace("nc=00000001", "nc=0000000g"),
            whole + ", nc=00000002",
            whole.replace('uri="/dir/index.html"', f'uri="{"a" * 1025}"'),
            whole + ", a=b" * 0 + "".join(f", a{at}=b" for at in range(30)),
            "Digest username=",
        ):
            self.assertRaises(BadCredentials, Credentials.parse, value)

    @given(texts, texts, texts, texts)
    def test_round_trip(self, username: str, realm: str, nonce: str, uri: str) -> None:
        """What is written is read again, whatever quotes are in it, and proves what it proved."""
        made = replace(MUFASA, username=username, realm=realm, nonce=nonce, uri=uri)
        made = replace(made, response=answer(made, "INVITE", "secret"))
        parsed = Credentials.parse(str(made))
        self.assertEqual(parsed, made)
        self.assertTrue(made.proves("INVITE", "secret"))

    @given(st.text(max_size=80))
    def test_garbage(self, text: str) -> None:
        """Anything is read, of another scheme, or refused as theirs."""
        for value in (text, f"Digest {text}"):
            try:
                Credentials.parse(value)
            except BadCredentials:
                continue

    def test_truncated(self) -> None:
        """Cut anywhere, it is refused or proves nothing."""
        whole, ha1 = str(MUFASA), secret(SHA256, "Mufasa", MUFASA.realm, PASSWORD)
        for length in range(len("Digest "), len(whole) - 1):
            try:
                parsed = Credentials.parse(whole[:length])
            except BadCredentials:
                continue
            self.assertFalse(parsed is not None and parsed.proves("GET", ha1), length)

    def test_challenge(self) -> None:
        """A challenge names its algorithm and says when only the nonce was too old."""
        asked = challenge(SHA256, "example.com", "n", "o", stale=False)
        self.assertEqual(
            asked, 'Digest realm="example.com", nonce="n", opaque="o", algorithm=SHA-256, qop="auth"'
        )
        self.assertTrue(challenge(MD5, "example.com", "n", "o", stale=True).endswith(", stale=true"))
