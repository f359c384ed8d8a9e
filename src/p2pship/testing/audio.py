"""Sound for tests: a signal like speech, WAV files, and whether what was heard is what was sent.

What was heard is late, begins and ends elsewhere, has gone through codecs, and a lost packet may have shifted what
followed. So the two are aligned first as a whole, by their loudness, and then second by second, to the sample.
"""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul
from pathlib import Path
from random import Random

RATE = 8000
"Samples a second of telephone speech, at which all comparing is done."

HOP = RATE // 100
"Samples in one value of a loudness curve: 10 ms."

LONGEST_DELAY = 300
"Loudness values by which one may be late against the other: 3 s."

LARGEST_SHIFT = 20
"Loudness values by which one second may be shifted against the others: 200 ms, ten lost packets."

GOOD_MATCH = 0.9
"Correlation at which a second is taken to lie where the one before it lay, so that nothing is searched."

QUIET = 10.0
"Loudness, of 32,768, below which there is nothing to hear: -70 dB."


@dataclass(frozen=True)
class Sound:
    """One channel of 16-bit samples."""

    samples: array[int]
    rate: int = RATE
    "samples a second"

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate


ALIKE = 0.8
"The correlation above which nothing but a packet here and there is missing; that of two voices is 0.05."


@dataclass(frozen=True)
class Comparison:
    """How what was heard compares with what was sent."""

    correlation: float
    "1 for the same wave form, 0 for another; over all whole seconds that both have"
    worst_level_difference: float
    "dB between the two in the second where they differ most; infinite if nothing was compared"
    delay: float
    "seconds by which what was heard is late; negative if its recording began later than that of what was sent"
    seconds: int
    "whole seconds that were compared"

    @property
    def alike(self) -> bool:
        """Whether a person would call it the same: correlation above :data:`ALIKE`, and within 3 dB in every second."""
        return self.correlation > ALIKE and self.as_loud

    @property
    def as_loud(self) -> bool:
        """Whether every second is within 3 dB: all was said, and heard."""
        return self.worst_level_difference < 3


def speech(seconds: float, seed: int) -> Sound:
    """Make a signal like speech: syllables of voice and of noise, each its own loudness and pitch, and pauses.

    The same seed makes the same signal, another seed one that does not correlate with it.
    """
    random = Random(seed)
    samples: array[int] = array("h")
    wanted = round(seconds * RATE)
    while len(samples) < wanted:
        for _ in range(random.randint(3, 6)):
            samples.extend(_syllable(random))
            samples.extend(_silence(random.uniform(0.02, 0.08)))
        samples.extend(_silence(random.uniform(0.1, 0.3)))
    return Sound(samples[:wanted])


def _silence(seconds: float) -> array[int]:
    return array("h", bytes(2 * round(seconds * RATE)))


def _syllable(random: Random) -> Iterator[int]:
    length = round(random.uniform(0.08, 0.25) * RATE)
    loudness = random.uniform(3000, 9000)
    noisy = random.random() < 0.25
    wave_form = _wave_form(random)
    pitch, glide = random.uniform(90, 220), random.uniform(-0.3, 0.3)
    phase = 0.0
    for place in range(length):
        share = place / length
        phase += pitch * (1 + glide * share) / RATE
        value = (
            random.uniform(-0.6, 0.6) if noisy else wave_form[int(phase * len(wave_form)) % len(wave_form)]
        )
        yield int(loudness * math.sin(math.pi * share) * value)


def _wave_form(random: Random) -> list[float]:
    """Return one period of a voice: harmonics that are strong around two formants."""
    formants = random.uniform(2, 6), random.uniform(7, 14)
    weights = [sum(math.exp(-(((n - formant) / 1.5) ** 2)) for formant in formants) for n in range(1, 16)]
    values = [
        sum(w * math.sin(math.tau * n * place / 256) for n, w in enumerate(weights, 1))
        for place in range(256)
    ]
    peak = max(map(abs, values))
    return [value / peak for value in values]


def resampled(sound: Sound, rate: int) -> Sound:
    """Return the sound at another rate: a multiple of its own by straight lines, a divisor of it by means.

    :raises ValueError: if the rate is neither.
    """
    if rate == sound.rate:
        return sound
    if rate % sound.rate == 0:
        return Sound(array("h", _raised(sound.samples, rate // sound.rate)), rate)
    if sound.rate % rate:
        raise ValueError(f"{sound.rate} samples a second cannot become {rate}")
    step = sound.rate // rate
    whole = len(sound.samples) // step * step
    means = (sum(sound.samples[place : place + step]) // step for place in range(0, whole, step))
    return Sound(array("h", means), rate)


def _raised(samples: Sequence[int], times: int) -> Iterator[int]:
    for here, there in pairwise([*samples, 0]):
        for part in range(times):
            yield here + (there - here) * part // times


def write_wav(path: Path, sound: Sound, channels: int = 1) -> None:
    """Write a sound as a 16-bit WAV file, the same in every channel."""
    repeated = array("h", [sample for sample in sound.samples for _ in range(channels)])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        file.writeframes(repeated.tobytes())


def read_wav(path: Path) -> Sound:
    """Read the first channel of a 16-bit WAV file, also one whose writer did not get to its end.

    :raises ValueError: if its samples are not of 16 bits.
    """
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path} has samples of {8 * file.getsampwidth()} bits, not of 16")
        frames = file.readframes(file.getnframes())
        channels, rate = file.getnchannels(), file.getframerate()
    samples = array("h", frames[: len(frames) // 2 * 2])
    return Sound(samples[::channels], rate)


def compare(sent: Sound, heard: Sound) -> Comparison:
    """Align what was heard with what was sent and compare them, second by second."""
    here, there = resampled(sent, RATE).samples, resampled(heard, RATE).samples
    coarse = _best_shift(_loudness(here), _loudness(there), range(-LONGEST_DELAY, LONGEST_DELAY + 1)) * HOP
    pairs = list(_aligned_seconds(here, there, coarse))
    products = sum(_product(a, b) for a, b in pairs)
    energy = math.sqrt(sum(_product(a, a) for a, _ in pairs) * sum(_product(b, b) for _, b in pairs))
    differences = (abs(_level(a) - _level(b)) for a, b in pairs)
    return Comparison(
        correlation=products / energy if energy else 0.0,
        worst_level_difference=max(differences, default=math.inf),
        delay=coarse / RATE,
        seconds=len(pairs),
    )


def _product(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(map(mul, a, b))


def _correlation(a: Sequence[int], b: Sequence[int]) -> float:
    energy = math.sqrt(_product(a, a) * _product(b, b))
    return _product(a, b) / energy if energy else 0.0


def _level(samples: Sequence[int]) -> float:
    """Return the loudness in dB; all that cannot be heard is equally quiet."""
    return 20 * math.log10(max(QUIET, math.sqrt(_product(samples, samples) / len(samples))))


def _loudness(samples: array[int]) -> list[float]:
    """Return the loudness of each 10 ms, less the mean."""
    parts = (samples[place : place + HOP] for place in range(0, len(samples) - HOP + 1, HOP))
    values = [math.sqrt(_product(part, part)) for part in parts]
    mean = sum(values) / len(values) if values else 0.0
    return [value - mean for value in values]


def _best_shift(a: Sequence[float], b: Sequence[float], shifts: range) -> int:
    """Return by how many places ``b`` is late against ``a``."""

    def match(shift: int) -> float:
        return float(sum(map(mul, a[max(0, -shift) :], b[max(0, shift) :])))

    return max(shifts, key=match)


def _aligned_seconds(
    here: array[int], there: array[int], coarse: int
) -> Iterator[tuple[array[int], array[int]]]:
    """Yield each whole second of ``here`` with what ``there`` has of it."""
    shift = coarse
    for place in range(0, len(here) - RATE + 1, RATE):
        second = here[place : place + RATE]
        if place + coarse < 0 or place + coarse + RATE > len(there):
            continue
        shift = _shift_of(second, there, place, (shift, coarse))
        yield second, there[place + shift : place + shift + RATE]


def _shift_of(second: array[int], there: array[int], place: int, likely: tuple[int, int]) -> int:
    """Return by how much this second is late: as the one before it was, or what is found in the neighbourhood."""

    def part(shift: int) -> array[int]:
        begin = place + shift
        return there[begin : begin + RATE] if 0 <= begin <= len(there) - RATE else there[:0]

    def match(shift: int) -> float:
        return _correlation(second, part(shift))

    last, coarse = likely
    if match(last) >= GOOD_MATCH:
        return last
    start = max(0, place + coarse - LARGEST_SHIFT * HOP)
    window = there[start : place + coarse + RATE + LARGEST_SHIFT * HOP]
    rough = (
        start - place + HOP * _best_shift(_loudness(second), _loudness(window), range(2 * LARGEST_SHIFT + 1))
    )
    fine = range(rough - 2 * HOP, rough + 2 * HOP + 1)
    found = max(fine, key=lambda shift: _product(second, part(shift)))  # neighbours are equally loud
    return max((coarse, found), key=match)
