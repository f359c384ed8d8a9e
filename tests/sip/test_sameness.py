"""Tests of comparing SIP URIs."""

from __future__ import annotations

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.sameness import same_uri
from p2pship.sip.uri import SIPURI, parse_uri
from tests.sip.strategies import uris


class SameURITests(SynchronousTestCase):
    """Comparison of URIs (RFC 3261 §19.1.4)."""

    def _compare(self, a: str, b: str) -> bool:
        forward, back = same_uri(parse_uri(a), parse_uri(b)), same_uri(parse_uri(b), parse_uri(a))
        self.assertEqual(forward, back)
        return forward

    def test_equivalent(self) -> None:
        """The RFC's equivalent pairs are the same, and what follows from its rules."""
        for a, b in (
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@h?to=sip:b%40BILOXI.com", "sip:a@h?To=sip:b%40biloxi.COM"),
            ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
            ("sip:a@h;%6Cr=%41", "sip:a@h;lr=a"),
            ("sip:a%2fb@h", "sip:a%2Fb@h"),
        ):
            self.assertTrue(self._compare(a, b), (a, b))

    def test_different(self) -> None:
        """The RFC's pairs that differ do, and what follows from its rules."""
        for a, b in (
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("sip:bob@biloxi.com:6000;transport=tcp", "sip:bob@biloxi.com;transport=tcp"),
            ("sip:carol@chicago.com;transport=udp", "sip:carol@chicago.com;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@h", "sip:h"),
            ("sip:a:p@h", "sip:a@h"),
            ("sip:a@h;user=phone", "sip:a@h"),
            ("sip:a@h;ttl=1", "sip:a@h"),
            ("sip:a@h;method=INVITE", "sip:a@h"),
            ("sip:a@h;maddr=1.2.3.4", "sip:a@h"),
            ("sip:a%3Bb@h", "sip:a;b@h"),
            ("sip:a%2541@h", "sip:a%41@h"),
            ("sip:%00@h", "sip:%00%00@h"),
            ("sip:a@h?subject=X", "sip:a@h?subject=x"),
            ("sip:a@h?to=sip:B%40c", "sip:a@h?to=sip:b%40c"),
        ):
            self.assertFalse(self._compare(a, b), (a, b))

    def test_rfc_transport_not_transitive(self) -> None:
        """``newparam=5`` and ``newparam=6`` differ though both match a URI without it."""
        self.assertFalse(
            self._compare("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;newparam=6")
        )

    @given(uris)
    def test_itself(self, uri: SIPURI) -> None:
        """What is printed and read back is the same."""
        self.assertTrue(same_uri(uri, parse_uri(str(uri))))
