"""A verb takes what it says it takes, from whoever may write to the control socket, and nothing else."""

from __future__ import annotations

import base64
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.commands.table import NOUNS, all_verbs
from p2pship.commands.verb import LONGEST_FILE, LONGEST_WORD, Argument, Kind, Verb
from p2pship.errors import LocalError, P2PShipError

ARGUMENTS = (
    Argument("aor", "the name", Kind.AOR),
    Argument("note", "a note", option=True, optional=True),
    Argument("days", "how long", Kind.NUMBER, option=True, optional=True),
    Argument("wish", "which", Kind.CHOICE, optional=True, choices=("calls", "messages")),
    Argument("owner", "the key, too", Kind.FLAG),
    Argument("file", "a file", Kind.FILE, optional=True),
    Argument("passphrase", "the passphrase", Kind.SECRET, wanted=lambda given: bool(given.get("owner"))),
)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def make_verb(**changes: Any) -> Verb:
    """Return a verb that takes one of each kind."""
    whole: dict[str, Any] = {"run": lambda desk, taken: taken, "text": str, "arguments": ARGUMENTS, **changes}
    return Verb("contact", "add", "add somebody", **whole)


class VerbTests(SynchronousTestCase):
    """What ``run`` gets."""

    def test_everything(self) -> None:
        """Each kind arrives as the verb wants it: names canonical, files and secrets as octets."""
        taken = make_verb().taken(
            {
                "aor": "sip:Bob@EXAMPLE.com",
                "note": "from school",
                "days": 3,
                "wish": "calls",
                "owner": True,
                "file": base64.b64encode(b"\x00file").decode(),
                "passphrase": "päss",
            }
        )
        self.assertEqual(
            taken,
            {
                "aor": "Bob@example.com",
                "note": "from school",
                "days": 3,
                "wish": "calls",
                "owner": True,
                "file": b"\x00file",
                "passphrase": "päss".encode(),
            },
        )

    def test_left_out(self) -> None:
        """What was left out is None, a flag false; what must be there is asked for in words."""
        taken = make_verb().taken({"aor": "bob@example.com"})
        rest = {"note": None, "days": None, "wish": None, "owner": False, "file": None, "passphrase": None}
        self.assertEqual(taken, {"aor": "bob@example.com", **rest})
        error = self.assertRaises(LocalError, make_verb().taken, {})
        self.assertEqual(str(error), "aor is missing: the name")

    def test_wrong(self) -> None:
        """Another type, too much of it, and an argument that there is not, are refused in words."""
        for name, value, words in (
            ("note", 3, "note must be a text"),
            ("note", "", "note must be a text"),
            ("note", "x" * (LONGEST_WORD + 1), "note must be a text"),
            ("days", True, "days must be a whole number"),
            ("days", "3", "days must be a whole number"),
            ("owner", "yes", "owner must be true or false"),
            ("wish", "everything", "wish must be one of calls, messages"),
            ("file", "no base64!", "in base64"),
            ("file", base64.b64encode(bytes(LONGEST_FILE + 1)).decode(), "in base64"),
            ("colour", "red", "contact add has no argument 'colour': there are aor, days"),
        ):
            error = self.assertRaises(LocalError, make_verb().taken, {"aor": "bob@example.com", name: value})
            self.assertIn(words, str(error))

    @given(st.dictionaries(st.sampled_from([one.name for one in ARGUMENTS]), JSON))
    def test_garbage(self, given: dict[str, Any]) -> None:
        """Whatever JSON has is taken or refused, in no other way."""
        try:
            make_verb().taken(given)
        except P2PShipError as error:
            self.assertTrue(str(error))


class TableTests(SynchronousTestCase):
    """The verbs that there are."""

    def test_complete(self) -> None:
        """Every noun has verbs, each of its own noun, with words for people."""
        self.assertEqual({verb.noun for verb in all_verbs()}, set(NOUNS))
        names = [verb.command for verb in all_verbs()]
        self.assertEqual(len(names), len(set(names)))
        for verb in all_verbs():
            self.assertTrue(verb.help and not verb.help.endswith("."), verb.command)
            for argument in verb.arguments:
                self.assertTrue(argument.help and not argument.help.endswith("."), verb.command)

    def test_arguments(self) -> None:
        """No argument is called like an option that the command line adds, and only choices have choices."""
        taken = {"state", "json", "out", "force", "unlock_fd", "run", "parser", "passphrase_read"}
        for verb in all_verbs():
            names = [argument.name for argument in verb.arguments]
            self.assertEqual(len(names), len(set(names)), verb.command)
            added = taken | ({"yes"} if verb.warning is not None else set())
            self.assertEqual(set(names) & added, set(), verb.command)
            for argument in verb.arguments:
                self.assertEqual(bool(argument.choices), argument.kind is Kind.CHOICE, verb.command)

    def test_run(self) -> None:
        """A verb gets the desk and its arguments."""
        desk = cast(Any, object())
        verb = make_verb(run=lambda desk, taken: (desk, taken["aor"]))
        self.assertEqual(verb.run(desk, verb.taken({"aor": "bob@example.com"})), (desk, "bob@example.com"))
