"""The story of a call reads like one: each thing that happened is a sentence."""

from __future__ import annotations

import os
import time

from twisted.trial.unittest import SynchronousTestCase

from p2pship.cli.story import story_text
from p2pship.status import CallStory
from tests.statuses import STORY


class StoryTests(SynchronousTestCase):
    """Stories as text."""

    def setUp(self) -> None:
        self.addCleanup(_use_zone, os.environ.get("TZ"))
        _use_zone("UTC")

    def text(self, **changes: object) -> str:
        """Print the story with something else in it."""
        changed: CallStory = {**STORY, **changes}  # type: ignore[typeddict-item]
        return story_text(changed)

    def test_sentences(self) -> None:
        """A reason that is a sentence ends with one stop."""
        asked = {**STORY["asked"][1], "reason": "The DHT could not be asked."}
        text = self.text(asked=[asked])
        self.assertIn("The lookup dht failed after 0 ms: The DHT could not be asked.\n", text)
        asked = {**asked, "lookup": "dns", "answer": "not asked", "reason": "example.com names nobody"}
        self.assertIn("The lookup dns was not asked: example.com names nobody.\n", self.text(asked=[asked]))
        asked = {**STORY["asked"][0], "reason": "trouble with http://one: no way"}
        self.assertIn(
            "had said all after 1.5 s: trouble with http://one: no way.\n", self.text(asked=[asked])
        )

    def test_failed(self) -> None:
        """Who was asked and found, what was tried, who rang, and what the caller heard, with times."""
        self.assertEqual(
            self.text(),
            "Call k3x7qb, outgoing: alice@example.com called bob@example.com on 2023-11-14 at 22:13:20 UTC.\n"
            "  The lookup lan was asked, and had said all after 1.5 s.\n"
            "  The lookup dht failed after 0 ms: no network.\n"
            "  The lookup lan, for carol@example.com, did not answer within 3.0 s.\n"
            "  An answer was not believed: lan: the statement has ended.\n"
            "  No device of carol@example.com, who was never met, was found.\n"
            "  The device 2001:21::1 was found by lan after 50 ms at tls:192.0.2.2:5566, was dialled in 20 ms, and its "
            "hello took 10 ms.\n"
            "  The device 2001:21::2 was found by lan after 50 ms at tls:192.0.2.3:5566, was dialled for 4.9 s, and not "
            "reached: tls:192.0.2.3:5566: no route.\n"
            "  The name bob@example.com is unproven, and who bears it is a stranger: nobody vouches for the name.\n"
            "  It began over tls 192.0.2.2:5566, encrypted.\n"
            "  After 80 ms the call was sent to peer bob@example.com.\n"
            "    After 100 ms it answered 180, it rings.\n"
            "    After 1 min 5 s it answered 486, Busy Here.\n"
            "  The call was forwarded to carol@example.com.\n"
            "  It failed.\n"
            "  The caller heard 486 after 1 min 5 s: Busy Here.",
        )

    def test_not_encrypted(self) -> None:
        """A path that others can read stands out."""
        self.assertIn("NOT ENCRYPTED", self.text(encrypted=False))

    def test_endings(self) -> None:
        """Each way to end has its words."""
        for changes, words in (
            ({"state": "up", "answered": 2.0, "status": 200}, "answered after 2.0 s.\n  It is up."),
            ({"state": "interrupted", "status": 200}, "The node stopped before it had ended"),
            (
                {"state": "refused", "rule": "forged-from"},
                "This node refused it.\n  The rule was forged-from.",
            ),
            ({"state": "missed", "status": 487}, "Nobody answered."),
            (
                {"state": "ended", "answered": 5.2, "ended_by": "the other side", "reason": "it hung up"},
                "It lasted 1 min 0 s and was ended by the other side: it hung up.",
            ),
        ):
            self.assertIn(words, self.text(**changes))

    def test_reason_that_is_a_sentence(self) -> None:
        """A reason that ends with a full stop makes no second one."""
        tried = [{**STORY["tried"][1], "reason": "The other device would not talk to us."}]
        text = self.text(tried=tried, status=480, reason="Gone; The other device would not talk to us.")
        self.assertNotIn("..", text)
        self.assertIn("not reached: The other device would not talk to us.\n", text)

    def test_connected(self) -> None:
        """A device to which there was a link was not dialled."""
        tried = [{**STORY["tried"][0], "lookup": "link"}]
        self.assertIn("The device 2001:21::1 was connected already.", self.text(tried=tried))
        own = [{**STORY["tried"][0], "lookup": "local", "locators": []}]
        self.assertIn("is this node itself after 50 ms, was dialled in 20 ms", self.text(tried=own))


def _use_zone(zone: str | None) -> None:
    """Print times in a zone from now on; None is the machine's own."""
    os.environ.pop("TZ", None)
    if zone is not None:
        os.environ["TZ"] = zone
    time.tzset()
