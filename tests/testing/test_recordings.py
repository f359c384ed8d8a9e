"""What a baresip phone recorded, read when its files are not finished yet; no baresip runs."""

from __future__ import annotations

import tempfile
import wave
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.audio import Sound, read_wav, speech, write_wav
from p2pship.testing.baresip import UNFINISHED_PAUSE, UNFINISHED_READS, Baresip
from p2pship.testing.programs import ProgramFailed


class RecordingTests(SynchronousTestCase):
    """A phone that has been stopped, and the files in its folder."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.clock = Clock()
        self.phone = Baresip(self.clock, Path(folder.name, "phone"), "alice@example.com", None)
        self.path = Path(folder.name, "phone", "dump-1-dec.wav")
        self.path.parent.mkdir(exist_ok=True)

    def finished(self) -> tuple[bytes, Sound]:
        """Return a recording's octets, and what it says."""
        write_wav(self.path, speech(0.2, 1))
        return self.path.read_bytes(), read_wav(self.path)

    def test_unfinished(self) -> None:
        """A file that is still being closed, without any octet or with half a head, is read again."""
        octets, said = self.finished()
        for unfinished in (b"", octets[:20]):
            self.path.write_bytes(unfinished)
            heard = self.phone.heard()
            self.clock.pump([UNFINISHED_PAUSE] * 3)
            self.assertNoResult(heard)
            self.path.write_bytes(octets)
            self.clock.advance(UNFINISHED_PAUSE)
            self.assertEqual(self.successResultOf(heard), said)

    def test_never_finished(self) -> None:
        """One that stays so is an error, in time."""
        self.path.write_bytes(b"RIFF")
        heard = self.phone.heard()
        self.clock.pump([UNFINISHED_PAUSE] * (UNFINISHED_READS - 1))
        self.assertNoResult(heard)
        self.clock.advance(UNFINISHED_PAUSE)
        self.failureResultOf(heard, wave.Error, EOFError)

    def test_nothing(self) -> None:
        """A phone that recorded nothing says so."""
        self.failureResultOf(self.phone.heard(), ProgramFailed)
