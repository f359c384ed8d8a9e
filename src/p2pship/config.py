"""The configuration: sections that each package declares as a frozen dataclass, read from one TOML file.

A package declares its section beside the code that uses it; each field is an :func:`option`::

    @dataclass(frozen=True)
    class LANSettings:
        "Multicast on the local network."

        enabled: bool = option(True, "Whether to ask and answer on the local network.")
        port: int = option(5565, "The UDP port shared by all nodes.", check=check_port)

A value may be a ``bool``, an ``int``, a ``float``, a ``str`` or a list of strings (``tuple[str, ...]``). What two
options must be to each other is checked in the dataclass's ``__post_init__``, which raises ValueError. Every problem of
a file is reported at once, each with the way out.
"""

from __future__ import annotations

import os
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields
from inspect import cleandoc
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import platformdirs

from p2pship.address import canonical_host
from p2pship.errors import ConfigError
from p2pship.sectionreader import Check, SectionReader, written

S = TypeVar("S")

CONFIG_FILE = "p2pship.toml"
"The configuration file in the state folder, read if it is there and no other is named."

ANSWERS_FILE = "answers.toml"
"What the person answered when asked at a start, in the state folder: what is configured wins over it."

LONGEST_FILE = 1_000_000
"Characters of a configuration file: more is a wrong file, and is not read into memory to find that out."

LONGEST_DOMAIN = 253
"Characters of a domain name (RFC 1035 §2.3.4, without the length octets)."

LONGEST_LABEL = 63
"Characters of one part of it (RFC 1035 §2.3.4)."

WIDTH = 100
"Columns of the documented file."


def option(default: Any, doc: str, *, check: Check | None = None) -> Any:
    """Declare a field of a section: its default, what the documented file says of it, and what its value must be.

    ``doc`` is one or more whole sentences for the person who edits the file. A list as default becomes a tuple.
    """
    value = tuple(default) if isinstance(default, list) else default
    return field(default=value, metadata={"doc": doc, "check": check})


def default_state() -> Path:
    """Return the state folder of a person who named none."""
    return platformdirs.user_data_path("p2pship", appauthor=False)


class Config:
    """What was configured: an instance of each section's dataclass."""

    def __init__(
        self,
        sections: Mapping[str, object],
        source: str = "the defaults",
        given: Mapping[str, Iterable[str]] = MappingProxyType({}),
    ) -> None:
        self._sections = dict(sections)
        self._given = {name: frozenset(options) for name, options in given.items()}
        self.source = source
        "the file it was read from, for people"

    def get(self, settings: type[S]) -> S:
        """Return the section of this class.

        :raises LookupError: if no section has it.
        """
        for section in self._sections.values():
            if isinstance(section, settings):
                return section
        raise LookupError(f"no section is a {settings.__name__}")

    def section(self, name: str) -> Any | None:
        """Return the section ``[name]``; None when there is none, because its plug-in is off."""
        return self._sections.get(name)

    def has(self, name: str, key: str) -> bool:
        """Tell whether somebody gave the option ``key`` of ``[name]`` a value, be it the default."""
        return key in self._given.get(name, ())


def load(
    path: Path | None,
    sections: Mapping[str, type | None],
    overrides: Iterable[str] = (),
    answers: Path | None = None,
) -> Config:
    """Read a file (None: only defaults), then overrides such as ``sip.port=5070``, into these sections.

    What is in the file ``answers``, if that is there, takes the place of the defaults.

    ``sections`` maps ``lookup.lan`` to its class, or to None where the plug-in is off: its section is then not read.

    :raises ConfigError: if the file cannot be read or anything in it cannot be used; it names every problem.
    """
    reader = SectionReader(sections)
    if answers is not None and os.path.lexists(answers):
        reader.walk(_toml(answers), "", str(answers))
    if path is not None:
        reader.walk(_toml(path), "", str(path))
    for override in overrides:
        reader.override(override)
    return Config(reader.made(), "the defaults" if path is None else str(path), reader.given)


def print_documented(sections: Mapping[str, type]) -> str:
    """Return a configuration file that says everything: each option with its default, commented out, and its doc.

    Documentation begins with ``# ``, a default with ``#``: taking away the latter gives a file of all defaults.
    """
    head = (
        "Every option with its default. To change one, take away the # before it and put your value. "
        "What cannot be used keeps the program from starting, and it says what to write instead."
    )
    parts = ["\n".join(_comment(head))]
    parts += [_documented(name, settings) for name, settings in sections.items()]
    return "\n\n".join(parts) + "\n"


def _documented(name: str, settings: type) -> str:
    lines = [*_comment(cleandoc(settings.__doc__ or "")), f"[{name}]"]
    for item in fields(settings):
        lines += ["", *_comment(item.metadata["doc"]), f"#{item.name} = {written(item.default)}"]
    return "\n".join(lines)


def _comment(text: str) -> list[str]:
    paragraphs = text.split("\n\n")
    return [f"# {line}".rstrip() for part in paragraphs for line in textwrap.wrap(part, WIDTH - 2)]


def _toml(path: Path) -> dict[str, object]:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; check its name and permissions"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    if len(text) > LONGEST_FILE:
        raise ConfigError(f"{path} is longer than {LONGEST_FILE:,} characters: is it the right file?")
    try:
        return tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # numbers of thousands of digits, lists within lists without end
        raise ConfigError(f"{path} is not TOML: {error}") from None


def within(low: float, high: float) -> Check:
    """Return a check that a number is from ``low`` to ``high``, both included."""

    def check(value: float) -> None:
        if not low <= value <= high:
            raise ValueError(f"give a number from {low} to {high}")

    return check


check_port = within(1, 65535)
"Pass a port."

check_port_or_any = within(0, 65535)
"Pass a port, or 0 where the operating system is to choose."


def each(check: Check) -> Check:
    """Return a check that every text of a list passes ``check``."""

    def check_each(values: Sequence[str]) -> None:
        for value in values:
            check(value)

    return check_each


def check_host(value: str) -> None:
    """Pass an IP address literal in its canonical spelling, such as ``127.0.0.1`` or ``::1``: addresses are compared."""
    canonical = canonical_host(value)
    if value != canonical:
        raise ValueError(f"write it as {canonical}")


def check_aor_domain(value: str) -> None:
    """Pass a domain name of letters, digits and hyphens, the last part of which begins with a letter (RFC 1123 §2.1)."""
    labels = value.removesuffix(".").split(".")
    if len(value) > LONGEST_DOMAIN or not all(map(_is_label, labels)) or not labels[-1][0].isalpha():
        raise ValueError("give a domain name, such as example.com")


def _is_label(label: str) -> bool:
    plain = label.isascii() and label.replace("-", "").isalnum()
    return plain and len(label) <= LONGEST_LABEL and not label.startswith("-") and not label.endswith("-")
