"""Tests of path validation: one attack for each thing that can be wrong with a certificate."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.identity.validity import SKEW
from p2pship.trust.certificates import BadAuthority, BadChain, check_authority
from p2pship.trust.chain import verify_path
from tests.identity import example
from tests.identity.test_hit import slow_rsa
from tests.trust.certificates import (
    AOR,
    DAY,
    NOW,
    OTHER_KEY,
    ROOT_KEY,
    certificate,
    der,
    person,
    root,
    usage,
)

MIDDLE_KEY = example.p256("33" * 32)
ROOT = root()


def middle(**changes: object) -> x509.Certificate:
    """Return a good authority between the root and the person."""
    values: dict[str, object] = {"key": MIDDLE_KEY, "signer": ROOT_KEY, "subject": "middle", "names": ()}
    return certificate(**(values | {"authority": True} | changes))  # type: ignore[arg-type]


class GoodPathTests(SynchronousTestCase):
    """Chains that prove a name."""

    def test_one_step(self) -> None:
        """A person's certificate by a trusted root proves the name, whether the root came along or not."""
        for chain in (der(person()), der(person(), ROOT)):
            path = verify_path(chain, AOR, example.IDENTITY_KEY, [ROOT], NOW)
            self.assertEqual(path.certificates, (person_in(chain), ROOT))
            self.assertEqual(path.expires, NOW + 90 * DAY)

    def test_department(self) -> None:
        """An authority in between may sign for the root."""
        chain = der(person(signer=MIDDLE_KEY, issuer="middle"), middle())
        path = verify_path(chain, AOR, example.IDENTITY_KEY, [root(key=OTHER_KEY), ROOT], NOW)
        self.assertEqual(len(path.certificates), 3)

    def test_clocks_differ(self) -> None:
        """A quarter of an hour before it begins and after it ends is forgiven, no more."""
        for changes in ({"begins": NOW + SKEW - 1}, {"ends": NOW - SKEW + 1}):
            verify_path(der(person(**changes)), AOR, example.IDENTITY_KEY, [ROOT], NOW)


class AttackTests(SynchronousTestCase):
    """Chains that prove nothing, each wrong in one thing."""

    def assert_refused(self, why: str, chain: Sequence[bytes], **other: object) -> None:
        """Assert that a chain is refused, for the reason that it is made for."""
        roots = other.get("roots", [ROOT])
        error = self.assertRaises(
            BadChain, verify_path, chain, other.get("aor", AOR), example.IDENTITY_KEY, roots, NOW
        )
        self.assertRegex(str(error), why)

    def test_another_name(self) -> None:
        """A certificate for another address proves nothing for this one."""
        self.assert_refused("is for mallory@example.com", der(person(names=["sip:mallory@example.com"])))

    def test_another_key(self) -> None:
        """Somebody else's certificate is of no use to whoever shows it."""
        self.assert_refused("another key", der(person(key=OTHER_KEY)))

    def test_another_domains_authority(self) -> None:
        """An authority that is not trusted for the domain counts nothing, however good its certificates are."""
        theirs = root(key=OTHER_KEY)
        self.assert_refused("signature does not match", der(person(signer=OTHER_KEY), theirs))
        self.assert_refused("no authority is trusted", der(person(signer=OTHER_KEY), theirs), roots=[])

    def test_self_signed(self) -> None:
        """A person cannot vouch for themselves, nor by calling themselves by the root's name."""
        self.assert_refused("no trusted", der(person(signer=example.KEY)))
        own_root = root(key=example.KEY, names=[f"sip:{AOR}"])
        self.assert_refused("that of an authority", der(own_root))

    def test_slow_keys(self) -> None:
        """A certificate, or an authority, with an RSA key that is made to be slow is refused unseen: strangers choose both."""
        owner: Any = SimpleNamespace(public_key=slow_rsa)
        above = certificate(owner, ROOT_KEY, authority=True)
        self.assert_refused("exponent", der(person(), above))
        self.assertRaises(BadAuthority, check_authority, owner)  # which has nothing that could be verified

    def test_in_circles(self) -> None:
        """Of those between that have one name the first counts, as all ways through many would be tried: who orders them well is believed."""
        below, good, other = person(signer=MIDDLE_KEY, issuer="middle"), middle(), middle(key=OTHER_KEY)
        self.assert_refused("no trusted", der(below, other, good))
        self.assertTrue(verify_path(der(below, good, other), AOR, example.IDENTITY_KEY, [ROOT], NOW))

    def test_dates(self) -> None:
        """What has expired, or is not valid yet, proves nothing; that holds for the person, those between and the root."""
        late, early = {"ends": NOW - SKEW - 1}, {"begins": NOW + SKEW + 1}
        self.assert_refused("expired", der(person(**late)))
        self.assert_refused("not valid before", der(person(**early)))
        below = person(signer=MIDDLE_KEY, issuer="middle")
        self.assert_refused("expired", der(below, middle(**late)))
        self.assert_refused("not valid before", der(below, middle(**early)))
        self.assert_refused("not valid", der(person()), roots=[root(ends=NOW - 1)])

    def test_no_name(self) -> None:
        """The name is the one in subjectAltName: a common name, an e-mail address or a host name is none."""
        self.assert_refused("0 SIP addresses", der(person(names=[], subject=AOR)))
        other = x509.SubjectAlternativeName([x509.RFC822Name(AOR), x509.DNSName("example.com")])
        self.assert_refused("0 SIP addresses", der(person(names=[], more=[(other, False)])))

    def test_several_names(self) -> None:
        """A certificate for two people is one for nobody, also if one of them is spelt sips."""
        for second in ("sip:bob@example.com", f"sips:{AOR}", "SIP:x@y.example"):
            self.assert_refused("2 SIP addresses", der(person(names=[f"sip:{AOR}", second])))

    def test_zero_octets_and_look_alikes(self) -> None:
        """A name that some program would read as this one is not this one."""
        user = AOR.partition("@")[0]
        wrong = (
            f"sip:{AOR}\x00.attacker.example",
            f"sip:{user}\x00@example.com",
            f"sip:{user}%00@example.com",
            f"sip:{AOR}.",
            f"sip:{AOR};transport=tcp",
            f"sip:{AOR}?x=y",
            f"sip:{user}:secret@example.com",
            f"sip:{AOR}:5060",
            f"sip:{user.upper()}@example.com",
            f"sip:%{ord(user[0]):02x}{user[1:]}@example.com",
            "sip:%D0%B0lice@example.com",
            f"sip:{user}@xn--exmple-qva.com",
            f"sip: {AOR}",
            "sip:",
        )
        for name in wrong:
            self.assert_refused(".", der(person(names=[name])))

    def test_too_long(self) -> None:
        """A chain of more than four certificates is refused before any of it is verified, and one that grows to it as well."""
        self.assert_refused("chain of 5", der(person(), middle(), middle(), middle(), ROOT))
        self.assert_refused("chain of 0", ())
        keys = [example.p256(f"{number}4" * 32) for number in range(4)]
        names = ["root", "a", "b", "c"]
        steps = [
            certificate(keys[at + 1], (ROOT_KEY, *keys[1:])[at], names[at + 1], names[at], (), authority=True)
            for at in range(3)
        ]
        last = person(signer=keys[3], issuer="c")
        self.assert_refused(".", der(last, *reversed(steps)))

    def test_not_an_authority(self) -> None:
        """A person who has a good certificate cannot sign one for somebody else."""
        mallory = certificate(OTHER_KEY, ROOT_KEY, "mallory", names=["sip:mallory@example.com"])
        forged = person(signer=OTHER_KEY, issuer="mallory")
        self.assert_refused("cA must be asserted", der(forged, mallory))
        without = _without_constraints(OTHER_KEY, "mallory")
        self.assert_refused("basicConstraints|missing", der(forged, without))

    def test_key_usage(self) -> None:
        """Key usage is obeyed: of authorities that may not sign certificates, and of people who may not sign."""
        below = person(signer=MIDDLE_KEY, issuer="middle")
        self.assert_refused("sign certificates", der(below, middle(key_usage=usage(signs_others=False))))
        self.assert_refused("allow signatures", der(person(key_usage=usage(signs_others=False, signs=False))))

    def test_purpose(self) -> None:
        """The certificate of a web server does not make its name a person's; one for people does."""
        web = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        self.assert_refused("another purpose", der(person(more=[(web, False)])))
        sip = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.20")])
        verify_path(der(person(more=[(sip, True)])), AOR, example.IDENTITY_KEY, [ROOT], NOW)

    def test_path_length(self) -> None:
        """An authority that may only sign for people cannot make further authorities."""
        below = person(signer=MIDDLE_KEY, issuer="middle")
        self.assert_refused("path length", der(below, middle()), roots=[root(path_length=0)])

    def test_critical_extension(self) -> None:
        """A critical extension that nobody knows is a condition that may not hold."""
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        self.assert_refused("critical", der(person(more=[(unknown, True)])))
        below = person(signer=MIDDLE_KEY, issuer="middle")
        self.assert_refused("critical", der(below, middle(more=[(unknown, True)])))

    def test_name_constraints(self) -> None:
        """Constraints on addresses are not understood, so that such a chain is refused and not believed."""
        only = x509.NameConstraints([x509.UniformResourceIdentifier("other.example")], None)
        below = person(signer=MIDDLE_KEY, issuer="middle")
        self.assert_refused("name constraint", der(below, middle(more=[(only, True)])))

    def test_altered(self) -> None:
        """A certificate with any octet changed proves nothing, and breaks nothing."""
        good = der(person())[0]
        for at in range(0, len(good), 7):
            bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
            self.assert_refused(".", (bad,))

    def test_truncated(self) -> None:
        """A certificate that is cut off anywhere proves nothing."""
        good = der(person())[0]
        for length in range(0, len(good), 5):
            self.assert_refused(".", (good[:length],))

    @given(st.lists(st.binary(max_size=400), max_size=5))
    def test_garbage(self, chain: list[bytes]) -> None:
        """Garbage is refused with our own error."""
        self.assertRaises(BadChain, verify_path, chain, AOR, example.IDENTITY_KEY, [ROOT], NOW)

    def test_huge(self) -> None:
        """A certificate longer than any is not read."""
        self.assert_refused("longer", (b"\x30" * 10_000,))


def person_in(chain: Sequence[bytes]) -> x509.Certificate:
    """Return the first certificate of a chain."""
    return x509.load_der_x509_certificate(chain[0])


def _without_constraints(key: object, subject: str) -> x509.Certificate:
    from cryptography.hazmat.primitives import hashes

    made = certificate(OTHER_KEY, ROOT_KEY, subject)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateBuilder(
        ROOT.subject, name, OTHER_KEY.public_key(), 5, made.not_valid_before_utc, made.not_valid_after_utc
    )
    return builder.add_extension(usage(signs_others=True), True).sign(ROOT_KEY, hashes.SHA256())
