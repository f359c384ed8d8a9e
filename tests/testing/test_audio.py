"""The test signal, and telling whether what was heard is what was sent."""

from __future__ import annotations

import math
from array import array
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.audio import RATE, Sound, compare, read_wav, resampled, speech, write_wav


def late(sound: Sound, seconds: float) -> Sound:
    """Return the sound after some silence."""
    return Sound(array("h", bytes(2 * round(seconds * sound.rate))) + sound.samples, sound.rate)


def scaled(sound: Sound, factor: float, noise: float = 0.0) -> Sound:
    """Return the sound louder or quieter, with noise."""
    random = Random(1)
    return Sound(array("h", [int(s * factor + random.gauss(0, noise)) for s in sound.samples]), sound.rate)


class SpeechTests(SynchronousTestCase):
    """What the test signal is like."""

    def test_length(self) -> None:
        """It has the length that was asked for, to the sample."""
        self.assertEqual(len(speech(2.5, 1).samples), 20000)

    def test_repeatable(self) -> None:
        """A seed always makes the same signal."""
        self.assertEqual(speech(1, 7), speech(1, 7))

    def test_every_second_is_heard(self) -> None:
        """No second is silent, so that levels can be compared in each; nothing is clipped."""
        sound = speech(20, 3)
        for place in range(0, len(sound.samples), RATE):
            second = sound.samples[place : place + RATE]
            self.assertGreater(math.sqrt(sum(s * s for s in second) / RATE), 300)
        self.assertLess(max(map(abs, sound.samples)), 32000)

    def test_has_pauses(self) -> None:
        """Like speech it is silent now and then."""
        sound = speech(5, 3)
        quiet = sum(1 for s in sound.samples if abs(s) < 30)
        self.assertGreater(quiet, len(sound.samples) // 10)


class WAVTests(SynchronousTestCase):
    """Reading and writing WAV files."""

    def test_round_trip(self) -> None:
        """What was written is read; of several channels the first."""
        path = Path(self.mktemp())
        sound = resampled(speech(0.5, 1), 48000)
        for channels in (1, 2):
            write_wav(path, sound, channels)
            self.assertEqual(read_wav(path), sound)

    def test_cut(self) -> None:
        """A file that ends in the middle of a sample is read up to there."""
        path = Path(self.mktemp())
        write_wav(path, speech(0.5, 1))
        path.write_bytes(path.read_bytes()[:-1001])
        self.assertEqual(read_wav(path).samples, speech(0.5, 1).samples[:-501])

    def test_resampled(self) -> None:
        """A sound raised to 48 kHz and taken down again sounds the same."""
        sound = speech(3, 1)
        high = resampled(sound, 48000)
        self.assertEqual((high.rate, high.seconds), (48000, 3.0))
        self.assertTrue(compare(sound, resampled(high, RATE)).alike)

    def test_odd_rates(self) -> None:
        """A rate that does not divide is refused."""
        self.assertRaises(ValueError, resampled, speech(0.1, 1), 11025)


class CompareTests(SynchronousTestCase):
    """Whether two sounds are the same."""

    def setUp(self) -> None:
        """Make 6 s of the signal."""
        self.sent = speech(6, 1)

    def test_same(self) -> None:
        """A sound is like itself."""
        found = compare(self.sent, self.sent)
        self.assertAlmostEqual(found.correlation, 1.0)
        self.assertEqual((found.worst_level_difference, found.delay, found.seconds), (0.0, 0.0, 6))

    def test_late(self) -> None:
        """What is heard late is the same, by any number of samples."""
        for seconds in (0.02, 0.7351, 2.9):
            found = compare(self.sent, late(self.sent, seconds))
            self.assertGreater(found.correlation, 0.99)
            self.assertLess(abs(found.delay - seconds), 0.02)

    def test_early(self) -> None:
        """A recording that began later has the rest of the sound; the delay is then negative."""
        found = compare(self.sent, Sound(self.sent.samples[9000:]))
        self.assertGreater(found.correlation, 0.99)
        self.assertLess(abs(found.delay + 1.125), 0.02)
        self.assertEqual(found.seconds, 4)

    def test_noise(self) -> None:
        """A little noise, as of a codec, is not heard."""
        self.assertTrue(compare(self.sent, scaled(self.sent, 0.9, noise=100)).alike)

    def test_lost_packets(self) -> None:
        """Packets lost from the middle shift the rest, which is found where it is."""
        samples = self.sent.samples[:20000] + self.sent.samples[20480:]
        found = compare(self.sent, late(Sound(samples), 0.4))
        self.assertGreater(found.correlation, 0.85)
        self.assertTrue(found.alike)

    def test_quieter(self) -> None:
        """Half the loudness is 6 dB, though the wave form is the same."""
        found = compare(self.sent, scaled(self.sent, 0.5))
        self.assertGreater(found.correlation, 0.99)
        self.assertLess(abs(found.worst_level_difference - 6), 0.3)
        self.assertFalse(found.alike)

    def test_gap(self) -> None:
        """A second of silence in the middle is found."""
        samples = array("h", self.sent.samples)
        samples[2 * RATE : 3 * RATE] = array("h", bytes(2 * RATE))
        found = compare(self.sent, Sound(samples))
        self.assertGreater(found.worst_level_difference, 6)
        self.assertFalse(found.alike)

    def test_another(self) -> None:
        """Other words do not correlate."""
        found = compare(self.sent, speech(6, 2))
        self.assertLess(found.correlation, 0.5)
        self.assertFalse(found.alike)

    def test_silence(self) -> None:
        """Silence is not like speech."""
        found = compare(self.sent, Sound(array("h", bytes(12 * RATE))))
        self.assertEqual(found.correlation, 0.0)
        self.assertFalse(found.alike)

    def test_nothing(self) -> None:
        """Nothing was heard, or less than a second: nothing was compared."""
        for heard in (Sound(array("h")), Sound(self.sent.samples[:4000])):
            found = compare(self.sent, heard)
            self.assertEqual((found.seconds, found.correlation), (0, 0.0))
            self.assertFalse(found.alike)

    def test_other_rate(self) -> None:
        """A recording at 48 kHz compares with what was sent at 8 kHz."""
        self.assertTrue(compare(self.sent, resampled(self.sent, 48000)).alike)
