"""Tests of ``p2pship vouch``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

from p2pship.commands.vouch import VERBS
from p2pship.errors import LocalError
from tests.overlay.nodes import ALICE, BOB
from tests.relations.devices import Device, DevicesCase

CAROL = "carol@example.com"


class VouchTests(DevicesCase):
    """Alice asks Bob about Carol."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob, self.carol = self.device(ALICE), self.device(BOB), self.device(CAROL)
        self.alice.befriend(self.bob)
        self.bob.befriend(self.alice, self.carol)

    def run_verb(self, device: Device, name: str, **given: Any) -> str:
        """Give a command, and return what is printed."""
        (verb,) = [verb for verb in VERBS if verb.name == name]
        node = SimpleNamespace(introductions=device.introductions)
        desk = SimpleNamespace(
            keyring=device.keyring, node=node, trust=SimpleNamespace(introductions=device.vouches)
        )
        running: Any = verb.run(desk, verb.taken(given))  # type: ignore[arg-type]
        if not hasattr(running, "send") and not isinstance(running, Deferred):
            return str(verb.text(running))
        results = self.watch(ensureDeferred(running))
        self.clock.pass_time(8)
        if isinstance(results[0], Exception):
            raise results[0]
        return str(verb.text(results[0]))

    def test_story(self) -> None:
        """Asked, listed, given, listed, taken back."""
        self.assertIn("bob@example.com decides", self.run_verb(self.alice, "ask", subject=CAROL, of=BOB))
        self.assertIn("question", self.run_verb(self.bob, "list"))
        self.assertIn(f"`p2pship vouch give {CAROL} --to {ALICE}`", self.run_verb(self.bob, "list"))
        self.assertIn("asked", self.run_verb(self.alice, "list"))
        self.assertIn("is told that carol", self.run_verb(self.bob, "give", subject=CAROL, to=ALICE, days=30))
        self.assertIn("received", self.run_verb(self.alice, "list"))
        self.assertIn("given", self.run_verb(self.bob, "list"))
        self.assertIn("no longer", self.run_verb(self.bob, "revoke", subject=CAROL, to=ALICE))
        self.assertIn("taken back", self.run_verb(self.bob, "list"))
        self.assertIn("Nobody", self.run_verb(self.alice, "list"))

    def test_refused(self) -> None:
        """A question that is refused is listed no longer; what nobody asked cannot be refused or given."""
        self.run_verb(self.alice, "ask", subject=CAROL, of=BOB)
        self.assertIn("told nothing", self.run_verb(self.bob, "refuse", subject=CAROL, to=ALICE))
        self.assertIn("Nobody", self.run_verb(self.bob, "list"))
        self.assertRaises(LocalError, self.run_verb, self.bob, "refuse", subject=CAROL, to=ALICE)
        self.assertRaises(LocalError, self.run_verb, self.bob, "give", subject=ALICE, to=CAROL)
        self.assertRaises(LocalError, self.run_verb, self.bob, "give", subject=CAROL, to=ALICE, days=366)
