"""A control socket always has a place, and its clients find it."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pship.controlpath import LONGEST_PATH, ControlPath
from p2pship.errors import LocalError


class ControlPathTests(SynchronousTestCase):
    """The socket is in the state folder, or noted there."""

    def state(self, length: int = 0) -> Path:
        """Make a folder whose path has this length."""
        top = Path(tempfile.mkdtemp())  # mktemp's path can be too long for a socket
        self.addCleanup(shutil.rmtree, top)
        folder = top / ("x" * (length - len(str(top)) - 1))
        folder.mkdir(exist_ok=True)
        return folder

    def test_in_the_state_folder(self) -> None:
        """A path that fits is used, up to the last octet; there is no note."""
        state = self.state(LONGEST_PATH - len("/control"))
        path = ControlPath(state)
        self.assertEqual(path.choose(), state / "control")
        self.assertEqual(path.find(), state / "control")
        self.assertEqual(list(state.iterdir()), [])

    def test_elsewhere(self) -> None:
        """One octet more, and it is in a private folder elsewhere, which another start uses again."""
        state = self.state(LONGEST_PATH - len("/control") + 1)
        path = ControlPath(state)
        chosen = path.choose()
        self.addCleanup(path.forget)
        self.assertLessEqual(len(os.fsencode(chosen)), LONGEST_PATH)
        self.assertEqual(stat.S_IMODE(chosen.parent.stat().st_mode), 0o700)
        self.assertEqual(ControlPath(state).find(), chosen)
        self.assertEqual(ControlPath(state).choose(), chosen)

    def test_runtime_folder(self) -> None:
        """Elsewhere is the person's runtime folder, if there is one; if that is too long too, the way out is said."""
        state = self.state(LONGEST_PATH)
        runtime = self.state()
        self.patch(os, "environ", {**os.environ, "XDG_RUNTIME_DIR": str(runtime)})
        chosen = ControlPath(state).choose()
        self.assertEqual(chosen.parent.parent, runtime)
        ControlPath(state).forget()
        self.patch(os, "environ", {**os.environ, "XDG_RUNTIME_DIR": str(state)})
        error = self.assertRaises(LocalError, ControlPath(state).choose)
        self.assertIn("shorten --state", str(error))
        self.assertEqual(list(state.iterdir()), [])

    def test_forget(self) -> None:
        """Forgetting takes the note and the folder away; the next start makes new ones."""
        state = self.state(LONGEST_PATH)
        path = ControlPath(state)
        chosen = path.choose()
        path.forget()
        self.assertFalse(chosen.parent.exists())
        self.assertEqual(path.find(), state / "control")
        path.forget()
        self.assertNotEqual(path.choose(), chosen)
        path.forget()
