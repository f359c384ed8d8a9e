"""Tests for p2pship.sip.screen: what a peer may not say."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.sip.gruus import GRUUs
from p2pship.sip.message import BadMessage, Request, request
from p2pship.sip.references import References
from p2pship.sip.screen import Screen
from tests.sip.fakes import FakePeer
from tests.sip.station import Station

ALICE, BOB = "alice@example.com", "bob@example.com"


class ScreenCase(TestCase):
    """Bob's node, and what alice's sends."""

    def setUp(self) -> None:
        self.station = Station()
        self.addCleanup(self.station.stop)
        self.peer = FakePeer(BOB, ALICE)
        references = References(self.station.names, self.station.bindings, GRUUs(self.station.keyring))
        self.screen = Screen(references, anonymous=True)
        self.strict = Screen(references, anonymous=False)

    def made(
        self, sender: str = f"sip:{ALICE}", target: str = f"sip:{BOB}", method: str = "MESSAGE", **more: str
    ) -> Request:
        """Make a request of alice to bob."""
        headers = [("From", f"<{sender}>;tag=1"), ("To", f"<sip:{BOB}>"), ("Call-ID", "c")]
        return request(
            method, target, [*headers, *((name.replace("_", "-"), value) for name, value in more.items())]
        )


class NewRequestTests(ScreenCase):
    """Requests outside of dialogs."""

    def rule(self, *arguments: str, **more: str) -> str | None:
        """Return the rule that refuses a request."""
        refusal = self.screen.new(self.made(*arguments, **more), self.peer)
        return None if refusal is None else refusal.rule

    def test_rules(self) -> None:
        """Only in one's own name or anonymously, only to who was called."""
        self.assertIsNone(self.rule("sip:alice@EXAMPLE.com:5060;x=y"))
        self.assertIsNone(self.rule("sip:anonymous@anonymous.invalid"))
        self.assertEqual(self.rule("sip:Alice@example.com"), "forged-from")
        self.assertEqual(self.rule("sip:alice+x@example.com"), "forged-from")
        self.assertEqual(self.rule("tel:+123"), "forged-from")
        self.assertEqual(self.rule(target="sip:carol@example.com"), "open-relay")
        self.assertEqual(self.rule(target="sip:example.com"), "open-relay")
        self.assertEqual(self.rule(method="REGISTER"), "remote-register")

    def test_anonymous_refused(self) -> None:
        """Where nobody may call without a name, 433 says so; with a name all is as before (RFC 5079)."""
        refusal = self.strict.new(self.made("sip:anonymous@anonymous.invalid"), self.peer)
        assert refusal is not None
        self.assertEqual((refusal.status, refusal.rule), (433, "anonymous"))
        self.assertIsNone(self.strict.new(self.made(), self.peer))

    def test_strangers_refer(self) -> None:
        """A stranger's REFER outside of a call is refused: some phones would call whom it names at once."""
        given = {"method": "REFER", "Refer_To": "<sip:carol@example.com>"}
        self.assertEqual(self.rule(**given), "strangers-refer")
        self.peer.verdict = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)
        self.assertIsNone(self.rule(**given))


class NoticeTests(ScreenCase):
    """NOTIFY within a call."""

    def test_strangers_events(self) -> None:
        """A stranger tells how a transfer goes, and nothing that has a phone answer or restart, however it is written."""
        contact = Verdict(NameGrade.KNOWN, Acquaintance.CONTACT)
        for event, refused in (
            ("refer;id=2", False),
            ("talk", True),
            ("check-sync", True),
            ("refer, talk", True),
        ):
            notify = self.made(method="NOTIFY", Event=event)
            refusal = self.screen.notice(notify, self.peer)
            self.assertEqual(refusal.rule if refusal else None, "strangers-event" if refused else None)
        notify.append("o", "talk")
        for made in (notify, self.made(method="NOTIFY"), self.made(method="NOTIFY", o="talk")):
            self.assertIsNotNone(self.screen.notice(made, self.peer))
        self.peer.verdict = contact
        self.assertIsNone(self.screen.notice(notify, self.peer))


class ReferTests(ScreenCase):
    """REFER, within dialogs too."""

    def refer(self, target: str = "<sip:carol@example.com>", **more: str) -> Request:
        """Make a REFER."""
        return self.made(method="REFER", Refer_To=target, **more)

    def rule(self, made: Request) -> str | None:
        """Return the rule that refuses it."""
        refusal = self.screen.refer(made, self.peer)
        return None if refusal is None else refusal.rule

    def test_referrer(self) -> None:
        """Referred-By names the peer, or nobody (RFC 3892 §5)."""
        self.assertIsNone(self.rule(self.refer(Referred_By=f"<sip:{ALICE}>")))
        self.assertIsNone(self.rule(self.refer(b=f"sip:{ALICE}")))
        self.assertIsNone(self.rule(self.refer(Referred_By="<sip:anonymous@anonymous.invalid>")))
        for forged in (f"<sip:{BOB}>", "<sip:carol@example.com>", "<tel:+123>", f"<sip:{ALICE}.evil>"):
            self.assertEqual(self.rule(self.refer(Referred_By=forged)), "forged-referrer", forged)
            self.assertEqual(
                self.rule(self.refer(Referred_By=f"<sip:{ALICE}>, {forged}")), "forged-referrer", forged
            )

    def test_here(self) -> None:
        """Nobody has our phone send requests to ports of this machine."""
        for host in (
            *("127.0.0.1:80", "localhost", "[::1]", "192.0.2.7:5060"),
            *(
                "0.0.0.0",
                "127.1",
                "x.localhost:5060",
                "example.com;maddr=127.0.0.1",
                "example.com;maddr=[::]",
            ),
        ):
            self.assertEqual(self.rule(self.refer(f"<sip:x@{host}>")), "refer-here", host)
        self.assertIsNone(self.rule(self.refer("<tel:+358>")))

    def test_commands(self) -> None:
        """What a URI may not ask for is taken out of it; Replaces stays."""
        made = self.refer("<sip:carol@example.com?Route=%3Csip:127.0.0.1%3E&Replaces=a%3Bto-tag%3Db&From=x>")
        self.assertIsNone(self.rule(made))
        self.assertEqual(made.first("Refer-To"), "<sip:carol@example.com?Replaces=a%3Bto-tag%3Db>")

    def test_targets(self) -> None:
        """There is exactly one Refer-To (RFC 3515 §2.4.2)."""
        for values in ("<sip:a@b.example>, <sip:c@d.example>", ""):
            error = self.assertRaises(BadMessage, self.screen.refer, self.refer(values), self.peer)
            self.assertEqual(error.status, 400)
