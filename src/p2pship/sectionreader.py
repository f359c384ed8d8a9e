"""Collects the values of a configuration file's sections, and every problem that there is with them."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from p2pship.errors import ConfigError, P2PShipError

Check = Callable[[Any], object]
"Raises ValueError or a P2PShipError that says what the value should be; any parser will do."

KIND_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    tuple[str, ...]: 'a list of texts, such as ["one", "two"]',
}
"The types that an option can have, and how a person writes them."


class SectionReader:
    """Collects the values of each section, and the problems of all of them."""

    def __init__(self, sections: Mapping[str, type | None]) -> None:
        self._sections = sections
        self._values: dict[str, dict[str, Any]] = {name: {} for name in sections}
        self._files: dict[str, str] = {}
        self._problems: list[str] = []
        parts = [name.split(".") for name in sections]
        self._tables = {".".join(part[: end + 1]) for part in parts for end in range(len(part))}

    def override(self, text: str) -> None:
        """Take ``section.key=value``."""
        target, equals, value = text.partition("=")
        name, _dot, key = target.strip().rpartition(".")
        if not (equals and name and key):
            self._problems.append(f"--set {text}: write section.key=value, such as sip.port=5070")
            return
        settings = self._sections.get(name)
        kind = get_type_hints(settings).get(key) if settings else None
        self.walk(nested(f"{name}.{key}", _typed(value.strip(), kind)), "", "--set")

    def walk(self, table: Mapping[str, object], prefix: str, file: str) -> None:
        """Take the values of every section in a table of tables."""
        for key, value in table.items():
            path = f"{prefix}{key}"
            if path not in self._tables:
                self._lost(path, value, file)
            elif isinstance(value, dict):
                self._enter(path, value, file)
            else:
                self._problems.append(
                    f"{file}: {path} = {written(value)}: {path} is a section: write [{path}]"
                )

    @property
    def given(self) -> Mapping[str, Iterable[str]]:
        """The options that have a value, by section."""
        return self._values

    def made(self) -> dict[str, object]:
        """Return the sections.

        :raises ConfigError: if there was any problem.
        """
        made = {name: self._make(name, settings) for name, settings in self._sections.items() if settings}
        if self._problems:
            raise ConfigError("\n".join(self._problems))
        return made

    def _make(self, name: str, settings: type) -> object:
        try:
            return settings(**self._values[name])
        except (ValueError, P2PShipError) as error:
            given = ", ".join(f"{key} = {written(value)}" for key, value in self._values[name].items())
            self._problems.append(f"{self._files[name]}: [{name}] {given}: {error}")
            return None

    def _lost(self, path: str, value: object, file: str) -> None:
        if isinstance(value, dict):
            beside = [name for name in self._sections if name.startswith(path[: path.rfind(".") + 1])]
            self._unknown(f"{file}: [{path}] is not a section", path, beside)
            return
        self._problems.append(
            f"{file}: {path} = {written(value)} is in no section: put it below its [section]"
        )

    def _enter(self, path: str, table: Mapping[str, object], file: str) -> None:
        """Take a section's own values, and go on into the sections below it."""
        below = {key: value for key, value in table.items() if f"{path}.{key}" in self._tables}
        own = {key: value for key, value in table.items() if key not in below}
        self.walk(below, f"{path}.", file)
        if path not in self._sections:
            self.walk(own, f"{path}.", file)
        elif (settings := self._sections[path]) is not None:
            self._take(path, settings, own, file)

    def _take(self, name: str, settings: type, table: Mapping[str, object], file: str) -> None:
        self._files[name] = file
        hints = get_type_hints(settings)
        declared = {item.name: item for item in fields(settings)}
        for key, value in table.items():
            if key not in declared:
                self._unknown(f"{file}: [{name}] has no option {key}", key, declared)
                continue
            try:
                self._values[name][key] = _checked(value, hints[key], declared[key].metadata["check"])
            except (ValueError, P2PShipError) as error:
                self._problems.append(f"{file}: [{name}] {key} = {written(value)}: {error}")

    def _unknown(self, text: str, word: str, known: Iterable[str]) -> None:
        last = {name.rpartition(".")[2]: name for name in known if name.count(".") == word.count(".")}
        close = difflib.get_close_matches(word.rpartition(".")[2], last, n=1)
        way_out = f"did you mean {last[close[0]]}?" if close else f"there are {', '.join(sorted(known))}"
        self._problems.append(f"{text}: {way_out}")


def _typed(text: str, kind: object) -> object:
    """Read a value of the command line: TOML, or for texts and lists of them also without quotes."""
    if kind is str and not text.startswith(('"', "'")):
        return text
    if kind == tuple[str, ...] and not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _checked(value: object, kind: Any, check: Check | None) -> object:
    """Return the value as its field's type; raises ValueError or what the check raises."""
    value = _converted(value, kind)
    if value is None:
        raise ValueError(f"give {KIND_WORDS[kind]}")
    if check is not None:
        check(value)
    return value


def _converted(value: object, kind: Any) -> object | None:
    """Return the value as its field's type, None where it is of another; a bool is not a number."""
    if kind is float and type(value) is int:
        return float(value)
    if kind == tuple[str, ...]:
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return tuple(value) if isinstance(value, list) and texts else None
    return value if type(value) is kind else None


def written(value: object) -> str:
    """Return a value as TOML; its strings are JSON's, which TOML's basic strings include."""
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def nested(path: str, value: object) -> dict[str, object]:
    """Return a value within the tables that a dotted path names."""
    head, dot, rest = path.partition(".")
    return {head: nested(rest, value) if dot else value}
