"""The fields of a paper: a CBOR map with integers for names, read one by one."""

from __future__ import annotations

from typing import Any

from p2pship.errors import BadPapers
from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.identity.cbor import BadCBOR, decode
from p2pship.identity.keys import BadKey, expanded

FORMAT_VERSION = 1
"The version of statements and records that this node writes and reads; field 0 of each."

LARGEST_INTEGER = 2**63 - 1
"What the database can keep."


class Fields:
    """The fields of one paper; those that nobody asks for are ignored, so that later versions may add some.

    Every method names the paper and the field in the BadPapers that it raises when the field is missing or not of its
    form.
    """

    def __init__(self, paper: str, payload: bytes) -> None:
        self._paper = paper
        try:
            self._values = decode(payload)
        except BadCBOR as error:
            raise BadPapers(f"the {paper} cannot be read: {error}") from None
        if not isinstance(self._values, dict) or 0 not in self._values:
            raise BadPapers(f"the {paper} is not a map with a format version")
        if self._values[0] != FORMAT_VERSION or self._values[0] is True:
            raise BadPapers(
                f"the {paper} is of format version {self._values[0]!r}; this node reads {FORMAT_VERSION}"
            )

    def unsigned(self, number: int, name: str) -> int:
        """Return an integer from 0 to 2⁶³ - 1."""
        value = self._value(number, name, int)
        if isinstance(value, bool) or not 0 <= value <= LARGEST_INTEGER:
            raise self._bad(name)
        return int(value)

    def octets(self, number: int, name: str, length: int) -> bytes:
        """Return exactly ``length`` octets."""
        value: bytes = self._value(number, name, bytes)
        if len(value) != length:
            raise BadPapers(f"the {name} in the {self._paper} has {len(value)} octets instead of {length}")
        return value

    def pieces(self, number: int, name: str, length: int, most: int) -> tuple[bytes, ...]:
        """Return octets cut into pieces of ``length``, at most ``most``; none if the field is missing."""
        value = self._value(number, name, bytes, default=b"")
        if len(value) % length or len(value) > length * most:
            raise BadPapers(f"the {name} in the {self._paper} are not up to {most} times {length} octets")
        return tuple(value[at : at + length] for at in range(0, len(value), length))

    def long_octets(self, number: int, name: str, most: int) -> bytes:
        """Return at most ``most`` octets; none if the field is missing."""
        value: bytes = self._value(number, name, bytes, default=b"")
        if len(value) > most:
            raise BadPapers(f"the {name} in the {self._paper} have {len(value)} octets, more than {most}")
        return value

    def key(self, number: int, name: str) -> bytes:
        """Return a P-256 key, which comes as a compressed point, as DER SubjectPublicKeyInfo."""
        value = self._value(number, name, bytes)
        try:
            return expanded(value)
        except BadKey as error:
            raise BadPapers(f"the {name} in the {self._paper} cannot be used: {error}") from None

    def aor(self, number: int, name: str) -> str:
        """Return a canonical AOR."""
        return self._canonical(self._value(number, name, str), name)

    def aors(self, number: int, name: str, most: int) -> tuple[str, ...]:
        """Return at most ``most`` canonical AORs; none if the field is missing."""
        values = self._value(number, name, list, default=[])
        if len(values) > most or not all(isinstance(value, str) for value in values):
            raise BadPapers(f"the {name} in the {self._paper} are not up to {most} names")
        return tuple(self._canonical(value, name) for value in values)

    def texts(self, number: int, name: str, most: int, longest: int) -> tuple[tuple[str, str], ...]:
        """Return at most ``most`` texts by name, each part at most ``longest`` octets; none if the field is missing."""
        values = self._value(number, name, dict, default={})
        parts = [*values.keys(), *values.values()]
        if len(values) > most or not all(
            isinstance(part, str) and len(part.encode("utf-8")) <= longest for part in parts
        ):
            raise BadPapers(f"the {name} in the {self._paper} are not up to {most} texts of {longest} octets")
        return tuple(values.items())

    def _value(self, number: int, name: str, kind: type, default: Any = None) -> Any:
        value = self._values.get(number, default)
        if value is None:
            raise BadPapers(f"the {self._paper} has no {name}")
        if not isinstance(value, kind):
            raise self._bad(name)
        return value

    def _canonical(self, text: str, name: str) -> str:
        try:
            canonical = canonical_aor(text)
        except BadAOR as error:
            raise BadPapers(f"the {name} in the {self._paper}: {error}") from None
        if canonical != text:
            raise BadPapers(
                f"the {name} in the {self._paper}: {text!r} is not in its canonical form, {canonical!r}"
            )
        return text

    def _bad(self, name: str) -> BadPapers:
        return BadPapers(f"the {name} in the {self._paper} is not of its form")
