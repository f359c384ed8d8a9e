"""Tests of certificates, requests and revocation lists that are wrong in any octet: refused, whoever shows them, and never a failure."""

from __future__ import annotations

import base64
from collections.abc import Callable
from random import Random

from p2pship.errors import RemoteError
from p2pship.trust.authority import read_request
from p2pship.trust.certificates import check_authority, common_name, load, operator_of, person_named
from p2pship.trust.domainvoucher import _roots
from p2pship.trust.publishedlists import read_lists
from tests.commands.desks import DeskTestCase
from tests.scale import SEED, scaled

ALICE = "alice@example.com"


def pem(octets: bytes, label: bytes) -> bytes:
    """Return octets as a PEM file."""
    text = base64.encodebytes(octets)
    return b"-----BEGIN " + label + b"-----\n" + text + b"-----END " + label + b"-----\n"


class MutationTests(DeskTestCase):
    """Alice's certificate, her authority's, and its revocation list."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.desk.keyring.create(ALICE)
        self.authorities = self.desk.authorities
        self.ca = self.authorities.create("family", "example.com", ALICE)
        self.request = self.desk.keyring.request(ALICE)
        self.authorities.issue(read_request(self.request))
        self.authorities.revoke(ALICE)
        self.chain = self.authorities.issue(read_request(self.request))
        self.revocations = self.authorities.crl(self.ca.fingerprint)

    def each(self, good: bytes, *readers: Callable[[bytes], object]) -> None:
        """Look that what is wrong in an octet or several is read or refused by each reader."""
        random = Random(SEED)
        for at in range(len(good)):
            for _ in range(scaled(2, 60)):
                bad = bytearray(good)
                bad[at] = random.randrange(256)
                if random.random() < 0.3:
                    bad[random.randrange(len(bad))] ^= 1 << random.randrange(8)
                self.refused(bytes(bad), *readers)
            self.refused(good[:at] + good[at + 1 :], *readers)

    def refused(self, octets: bytes, *readers: Callable[[bytes], object]) -> None:
        """Look that readers read or refuse it."""
        for read in readers:
            try:
                read(octets)
            except RemoteError:
                continue

    def test_person(self) -> None:
        """A person's certificate."""
        self.each(
            self.chain[0],
            lambda octets: self.authorities.verify((octets, self.chain[1]), ALICE, self.own.key),
            lambda octets: person_named(load(octets)),
        )

    def test_authority(self) -> None:
        """An authority's, as it comes along with a person's, as one is asked to trust it, and as a domain publishes it."""
        self.each(
            self.chain[1],
            lambda octets: self.authorities.verify((self.chain[0], octets), ALICE, self.own.key),
            lambda octets: common_name(check_authority(load(octets))),
            lambda octets: operator_of(load(octets)),
            lambda octets: _roots(pem(octets, b"CERTIFICATE")),
        )

    def test_request(self) -> None:
        """A certificate request."""
        self.each(self.request, read_request)

    def test_list(self) -> None:
        """A revocation list, as it comes along and as a domain publishes it; the good one goes on to count."""
        self.each(
            self.revocations,
            self.authorities.take_crl,
            lambda octets: self.authorities.verify(self.chain, ALICE, self.own.key, octets),
            lambda octets: read_lists(pem(octets, b"X509 CRL")),
        )
        self.assertEqual(self.authorities.crl(self.ca.fingerprint), self.revocations)
