"""Tests of places: who can find and open what."""

from __future__ import annotations

import hmac
from itertools import combinations

from twisted.trial.unittest import TestCase

from p2pship.identity.keys import raw_public
from p2pship.identity.place import DAY, Place, day_of
from tests.identity import example

TODAY = day_of(example.NOW)
SECRET, OTHER = b"s" * 32, b"o" * 32
BOB = "bob@example.com"
DEVICE = example.DEVICE.publication_key


class PlaceTests(TestCase):
    """Keys of open places and of those between friends."""

    def test_hkdf(self) -> None:
        """The lookup key is what RFC 5869 makes of the name and the day, computed by hand."""
        secret = hmac.digest(b"p2pship open mode v1", example.AOR.encode(), "sha256")
        info = b"lookup key\0" + TODAY.to_bytes(4, "big")
        expected = hmac.digest(secret, info + b"\1", "sha256")
        self.assertEqual(Place.of_name(example.AOR).lookup_key(TODAY), expected)

    def test_friends_hkdf(self) -> None:
        """That of a friend's place comes from the pair secret and both names, computed by hand."""
        names = f"{example.AOR}\0{BOB}".encode()
        secret = hmac.digest(b"p2pship friend mode v1", SECRET + names, "sha256")
        info = b"lookup key\0" + TODAY.to_bytes(4, "big")
        expected = hmac.digest(secret, info + b"\1", "sha256")
        self.assertEqual(Place.between(SECRET, example.AOR, BOB).lookup_key(TODAY), expected)

    def test_all_differ(self) -> None:
        """Each name, secret, direction, day and piece has keys of its own."""
        places = [
            Place.of_name(example.AOR),
            Place.of_name(BOB),
            Place.between(SECRET, example.AOR, BOB),
            Place.between(SECRET, BOB, example.AOR),
            Place.between(OTHER, example.AOR, BOB),
        ]
        keys = {
            place.lookup_key(day, piece)
            for place in places
            for day in (TODAY, TODAY + 1)
            for piece in (b"", b"p" * 16, b"q" * 16)
        }
        self.assertEqual((len(keys), {len(key) for key in keys}), (5 * 2 * 3, {32}))

    def test_names_cannot_run_together(self) -> None:
        """Where one name ends and the other begins is part of what the keys are made of."""
        first, second = Place.between(SECRET, "a@b.c", "d@e.f"), Place.between(SECRET, "a@b.cd", "@e.f")
        self.assertNotEqual(first, second)

    def test_publication_private_keys(self) -> None:
        """The private key is that to the public one: the device's own where everybody looks, another one elsewhere."""
        device = example.DEVICE.publication_private_key
        for place in (Place.of_name(example.AOR), Place.between(bytes(32), example.AOR, "bob@example.com")):
            for piece in (b"", b"p" * 16):
                private = place.publication_private_key(TODAY, device, piece)
                self.assertEqual(raw_public(private), place.publication_key(TODAY, DEVICE, piece))
                self.assertEqual(private is device, place.open)

    def test_publication_keys(self) -> None:
        """In an open place a device has its own key, between friends another in each slot that does not tell whose it is."""
        self.assertEqual(Place.of_name(example.AOR).publication_key(TODAY, DEVICE), DEVICE)
        one, two = Place.between(SECRET, example.AOR, BOB), Place.between(OTHER, example.AOR, BOB)
        keys = [place.publication_key(day, DEVICE) for place in (one, two) for day in (TODAY, TODAY + 1)]
        keys += [one.publication_key(TODAY, DEVICE, b"p" * 16), one.publication_key(TODAY, bytes(32)), DEVICE]
        self.assertTrue(all(first != second for first, second in combinations(keys, 2)))

    def test_equal(self) -> None:
        """Two places of the same secret are one, and nothing else is."""
        self.assertEqual(len({Place.of_name(BOB), Place.of_name(BOB)}), 1)
        self.assertNotEqual(Place.of_name(BOB), BOB)

    def test_day(self) -> None:
        """Days are those of UTC."""
        self.assertEqual([day_of(now) for now in (0, DAY - 0.5, DAY, 1790000000)], [0, 0, 1, 20717])
