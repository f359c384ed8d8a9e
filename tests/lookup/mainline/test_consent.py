"""The question of the first start: what is asked, when, and what becomes of the answer."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.config import ANSWERS_FILE, CONFIG_FILE, Config, load
from p2pship.errors import ConfigError
from p2pship.lookup.mainline import consent
from p2pship.lookup.mainline.consent import QUESTION, SECTION, settle
from p2pship.lookup.mainline.settings import MainlineSettings


class Terminal(io.StringIO):
    """What a person types, and sees."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class Interrupted(Terminal):
    """Where somebody presses Ctrl-C."""

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Be interrupted."""
        raise KeyboardInterrupt


class Foreign(Terminal):
    """Whose first line is in another encoding."""

    lines = 0

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Return a line, but for the first."""
        self.lines += 1
        if self.lines == 1:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return super().readline()


class ConsentTests(SynchronousTestCase):
    """One state folder, which is not there at first."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute() / "state"
        self.screen = Terminal()
        self.patch(consent, "find_spec", lambda name: name)
        self.patch(select, "select", lambda *_: ([self.screen], [], []))

    def config(self, overrides: Iterable[str] = (), file: Path | None = None) -> Config:
        """Read the configuration as a start does."""
        return load(file, {SECTION: MainlineSettings}, overrides, self.state / ANSWERS_FILE)

    def start(self, typed: io.StringIO | str, **given: object) -> str:
        """Start at a terminal, and return what the start text says of it."""
        reading = Terminal(typed) if isinstance(typed, str) else typed
        return settle(self.config(**given), self.state, reading, self.screen)  # type: ignore[arg-type]

    def enabled(self) -> bool:
        """Tell whether the next start has it switched on."""
        return self.config().get(MainlineSettings).enabled

    @property
    def asked(self) -> int:
        """How often the question was on the screen."""
        return self.screen.getvalue().count(QUESTION)

    def test_yes(self) -> None:
        """Who says yes has it on, from then on, and is not asked again; the words say who sees what, and how to change it."""
        self.assertEqual(self.start("yes\n"), "")
        self.assertTrue(self.enabled())
        self.assertEqual(self.start("no\n"), "")
        self.assertEqual((self.asked, self.enabled()), (1, True))
        seen = self.screen.getvalue()
        for words in ("knows your name", "strangers", "your provider", str(self.state / CONFIG_FILE)):
            self.assertIn(words, seen)
        self.assertLessEqual(max(map(len, seen.partition("below\n")[0].splitlines())), 80)
        self.assertEqual((self.state / ANSWERS_FILE).stat().st_mode & 0o777, 0o600)

    def test_no(self) -> None:
        """Who says no, or only Enter, has it off, and is not asked again."""
        for typed in ("no\n", "N\n", "\n"):
            self.state = self.state.with_name(f"{self.asked}")
            self.assertEqual(self.start(typed), "")
            before = self.asked
            self.assertEqual(self.start("yes\n"), "")
            self.assertEqual((self.asked, self.enabled()), (before, False))

    def test_nonsense(self) -> None:
        """What is no answer has the question put again, three times; then it is off, which is said, and the next start asks."""
        self.assertEqual(self.start("perhaps\n YES \n"), "")
        self.assertEqual((self.asked, self.enabled()), (2, True))
        self.state = self.state.with_name("other")
        self.assertIn("is off", self.start("a\nb\nc\nyes\n"))
        self.assertEqual((self.asked, self.enabled()), (5, False))
        self.assertFalse(self.state.exists())
        self.assertEqual(self.start(Foreign("y\n")), "")
        self.assertTrue(self.enabled())

    def test_end_of_input(self) -> None:
        """Ctrl-D is no answer."""
        self.assertIn("is off", self.start(""))
        self.assertEqual((self.asked, self.state.exists()), (1, False))

    def test_nobody_there(self) -> None:
        """Where nobody types anything the start goes on, after a minute; the next one asks."""
        waited = []

        def nothing(*given: object) -> tuple[list[object], ...]:
            waited.append(given[-1])
            return [], [], []

        self.patch(select, "select", nothing)
        self.assertIn("is off", self.start("yes\n"))
        self.assertEqual((waited, self.asked, self.state.exists()), ([consent.PATIENCE], 1, False))

    def test_background(self) -> None:
        """Who was started in the background by a shell asks nothing: reading would stop it."""

        class Shells(Terminal):
            """One in a process group's control."""

            def fileno(self) -> int:
                """Return any descriptor."""
                return 0

        self.patch(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
        self.assertIn("is off", self.start(Shells("yes\n")))
        self.assertEqual(self.asked, 0)

    def test_interrupted(self) -> None:
        """Ctrl-C is passed on: whoever starts the node ends it."""
        self.assertRaises(KeyboardInterrupt, self.start, Interrupted())
        self.assertFalse(self.state.exists())

    def test_no_terminal(self) -> None:
        """Without a terminal, on either side, nobody is asked; it is off, and the start text says so and what to do."""
        for reading, writing in (
            (io.StringIO("yes\n"), self.screen),
            (Terminal("yes\n"), io.StringIO()),
            (None, None),
        ):
            said = settle(self.config(), self.state, reading, writing)
            self.assertIn("is off", said)
            self.assertIn("Start the node once at a terminal", said)
            self.assertIn(f"enabled = true below [lookup.mainline] in {self.state / CONFIG_FILE}", said)
        self.assertEqual((self.asked, self.enabled()), (0, False))

    def test_configured(self) -> None:
        """What is configured is not asked, be it the default, and wins over the answer."""
        for word in ("true", "false"):
            self.assertEqual(self.start("yes\n", overrides=[f"{SECTION}.enabled={word}"]), "")
        self.assertEqual(self.asked, 0)
        self.start("yes\n", overrides=[f"{SECTION}.dht_port=7000"])
        self.assertEqual((self.asked, self.enabled()), (1, True))
        file = self.state / CONFIG_FILE
        file.write_text(f"[{SECTION}]\nenabled = false\n")
        self.assertFalse(self.config(file=file).get(MainlineSettings).enabled)

    def test_not_installed(self) -> None:
        """Without the library there is nothing to ask; how to get it is said, unless it is not wanted."""
        self.patch(consent, "find_spec", lambda name: None)
        for overrides in ([], [f"{SECTION}.enabled=true"]):
            said = self.start("yes\n", overrides=overrides)
            self.assertIn(f"{sys.executable} -m pip install libtorrent", said)
        self.assertEqual(self.start("yes\n", overrides=[f"{SECTION}.enabled=false"]), "")
        self.assertEqual(self.asked, 0)
        self.assertEqual(settle(Config({SECTION: None}), self.state, None, None), "")

    def test_not_kept(self) -> None:
        """An answer that cannot be kept is no silent no."""
        self.state.parent.mkdir()
        self.state.write_text("a file")
        self.assertRaises(
            ConfigError,
            settle,
            Config({SECTION: MainlineSettings()}),
            self.state,
            Terminal("y\n"),
            self.screen,
        )

    def test_spoilt(self) -> None:
        """A file of answers that cannot be read is named."""
        self.start("yes\n")
        (self.state / ANSWERS_FILE).write_text("yes")
        self.assertIn(ANSWERS_FILE, str(self.assertRaises(ConfigError, self.config)))
