"""Tests for :mod:`p2pship.sip.challenges`: phones that give up at SHA-256 get in, and nobody else is brought down to MD5."""

from __future__ import annotations

from typing import Any

from p2pship.sip import challenges
from p2pship.sip.challenges import ALONGSIDE, ANEW, LEARNT
from p2pship.sip.digest import MD5, SHA256
from p2pship.sip.message import Response
from p2pship.sip.nonces import LIFETIME
from tests.sip.fakes import FakeHop
from tests.sip.test_gate import ALICE, BOB, HOME, GateCase


class OfferTests(GateCase):
    """What a phone is offered where both algorithms are allowed: some give up at one that they do not know."""

    OLD = "baresip v1.0.0 (x86_64/linux)"

    def offered(self, response: Response) -> list[str]:
        """Return the algorithms of a challenge."""
        lines = response.lines("WWW-Authenticate") + response.lines("Proxy-Authenticate")
        return [line.partition("algorithm=")[2].partition(",")[0] for line in lines]

    def attempt(self, hop: FakeHop | None = None, after: float = 45.0, **headers: Any) -> Response:
        """Let a phone try anew after a while, without an answer to what it was challenged with."""
        self.station.clock.advance(after)
        return self.ask(hop or self.phone, **headers)

    def prove(self, challenged: Response, algorithm: str = MD5) -> None:
        """Answer a challenge rightly."""
        credentials = self.credentials(challenged, algorithm=algorithm)
        self.assertEqual(self.ask(self.phone, credentials=credentials).status, 200)

    def settle(self) -> None:
        """Let a phone prove itself with MD5 where it stood alone."""
        self.attempt()
        self.prove(self.attempt())

    def test_alternates(self) -> None:
        """A phone that answers nothing gets MD5 alone the next time, then all again, and so on."""
        offered = [self.offered(self.attempt()) for _ in range(4)]
        self.assertEqual(offered, [[SHA256, MD5], [MD5]] * 2)

    def test_registers_at_second_try(self) -> None:
        """It registers with MD5 then, and its calls and next registrations are offered MD5 alone, too."""
        self.settle()
        self.assertEqual(self.offered(self.attempt(after=900)), [MD5])
        self.assertEqual(self.offered(self.ask(self.phone, "INVITE", uri=f"sip:{BOB}")), [MD5])

    def test_replaced(self) -> None:
        """A day later a REGISTER is offered all; an old phone is back at the try after that, calls go out meanwhile."""
        self.settle()
        self.assertEqual(self.offered(self.attempt(after=LEARNT)), [SHA256, MD5])
        self.assertEqual(self.offered(self.ask(self.phone, "INVITE", uri=f"sip:{BOB}")), [MD5])
        self.prove(self.attempt())
        self.assertEqual(self.offered(self.attempt()), [MD5])

    def test_node_restarted(self) -> None:
        """A node that has forgotten all offers MD5 alone to a phone that comes with an old answer in MD5, and keeps to it."""
        old = self.credentials(self.ask(self.phone), algorithm=MD5)
        self.station.proxy._gate._challenges = challenges.Challenges((SHA256, MD5))
        stale = self.attempt(after=LIFETIME, credentials=old)
        self.assertEqual(self.offered(stale), [MD5])
        self.prove(stale)
        self.assertEqual(self.offered(self.attempt()), [MD5])

    def test_reads_all(self) -> None:
        """A phone that knows MD5 only, but finds it among the others, goes on being offered all."""
        self.prove(self.attempt(), MD5)
        self.assertEqual(self.offered(self.attempt(after=ANEW)), [SHA256, MD5])

    def test_slow_phone(self) -> None:
        """One that merely was slow is offered SHA-256 again, and then for good."""
        self.attempt()
        self.attempt()
        self.prove(self.attempt(), SHA256)
        self.assertEqual([self.offered(self.attempt()) for _ in range(3)], [[SHA256, MD5]] * 3)

    def test_retransmission(self) -> None:
        """The same request again, one alongside, and one long after are no new attempts."""
        first = self.attempt(Call_ID="a")
        again = self.station.make("REGISTER", "sip:example.com", ALICE, ALICE, [("Call-ID", "b")])
        self.station.clock.advance(ALONGSIDE / 2)
        self.station.deliver(again, self.phone)
        offered = [self.offered(first), self.offered(self.phone.responses()[-1])]
        offered.append(self.offered(self.attempt(after=ANEW)))
        self.assertEqual(offered, [[SHA256, MD5]] * 3)

    def test_others(self) -> None:
        """What one phone does changes no offer to another name or another address."""
        self.attempt()
        self.assertEqual(self.offered(self.attempt(self.attacker)), [SHA256, MD5])
        self.assertEqual(self.offered(self.ask(self.phone, sender=BOB)), [SHA256, MD5])

    def test_known_agent(self) -> None:
        """baresip 1 is offered MD5 alone at once; the next baresip that knows better is not."""
        self.assertEqual(self.offered(self.attempt(User_Agent=self.OLD)), [MD5])
        for at, agent in enumerate(("baresip v3.12.0 (x86_64/Linux)", "baresip v11.0", "x baresip v1.0")):
            sender = f"phone{at}@example.com"
            self.assertEqual(
                self.offered(self.ask(self.phone, sender=sender, User_Agent=agent)), [SHA256, MD5]
            )

    def test_forged_agent(self) -> None:
        """An attacker who writes the User-Agent of an old phone, from wherever, changes no offer to alice's phone."""
        self.prove(self.attempt(), SHA256)
        for hop in (self.attacker, FakeHop(6000, "UDP", HOME)):
            for _ in range(3):
                self.attempt(hop, User_Agent=self.OLD)
        self.assertEqual(self.offered(self.attempt()), [SHA256, MD5])

    def test_forced_down(self) -> None:
        """Requests without a proof, such as with a forged source, do not bring a phone down that has used SHA-256."""
        self.prove(self.attempt(), SHA256)
        forged = FakeHop(6000, "UDP", HOME)
        offered = [self.offered(self.attempt(hop)) for hop in (forged, self.phone) * 4]
        self.assertEqual(offered, [[SHA256, MD5]] * 8)

    def test_no_choice(self) -> None:
        """Where the settings allow SHA-256 alone, MD5 is offered to nobody, whatever they do or say."""
        self.station.proxy._gate._challenges = challenges.Challenges((SHA256,))
        self.attempt()
        self.assertEqual(self.offered(self.attempt(User_Agent=self.OLD)), [SHA256])

    def test_bounded(self) -> None:
        """However many names an attacker makes up, so much is remembered, and nothing that was proven is pushed out."""
        self.patch(challenges, "MOST_KEPT", 10)
        self.prove(self.attempt(), SHA256)
        for at in range(50):
            self.ask(FakeHop(6000, "UDP", HOME), sender=f"x{at}@example.com")
        self.assertEqual(len(self.station.proxy._gate._challenges), 11)
        self.attempt()
        self.assertEqual(self.offered(self.attempt()), [SHA256, MD5])
