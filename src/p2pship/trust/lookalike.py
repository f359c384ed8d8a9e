"""Names that are easily taken for another: by case, by characters that look alike (UTS 39), by a mix of scripts.

Two names look alike if their skeletons (UTS 39 §4) are the same once case is put aside. A host in its ASCII form is read as
what a browser would show (RFC 5891). The tables of the Unicode Consortium come from a library that is loaded when the first
name with other than ASCII characters comes; of ASCII only six characters look like others.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from urllib.parse import unquote

from p2pship.identity.aor import split_aor

REMEMBERED = 4_096
"Names whose looks are remembered: those of who calls and is called, and many a contact's."

_ASCII = {"0": "O", "1": "l", "I": "l", "|": "l", "m": "rn", "`": "'", '"': "''"}
"What looks like other ASCII characters (UTS 39 confusables.txt)."
_LEFT_TO_RIGHT = "\u200e"
_DIRECTION_MARKS = dict.fromkeys(map(ord, _LEFT_TO_RIGHT + "\u200f"))
"They stand in the table around letters that are written from right to left."


@lru_cache(maxsize=REMEMBERED)
def looks(aor: str) -> frozenset[str]:
    """Return what a canonical AOR looks like: two names that have anything of it in common are easily mixed up."""
    user, host = _shown(aor)
    name = f"{user}@{host}"
    # Some letters look like another one than that which they stand for: as they are, and compatible ones made one.
    forms = (name, unicodedata.normalize("NFKC", name))
    return frozenset(one for form in forms for one in (skeleton(form).casefold(), skeleton(form.casefold())))


@lru_cache(maxsize=REMEMBERED)
def oddities(aor: str) -> tuple[str, ...]:
    """Return what is odd about the characters of a name, in words."""
    user, host = _shown(aor)
    found = []
    if any(_mixed(part) for part in (user, *host.split("."))):
        found.append("its name mixes letters of several scripts, of which some look the same")
    if "\ufffd" in host:
        found.append("its host is no valid international domain name")
    return tuple(found)


def skeleton(text: str) -> str:
    """Return what a text looks like (UTS 39 §4): each character replaced by the one that stands for all that look like it."""
    if text.isascii():
        return "".join(_ASCII.get(character, character) for character in text)
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFD", "".join(map(_prototype, decomposed)))


def _prototype(character: str) -> str:
    from confusable_homoglyphs import confusables

    table = confusables.confusables_data
    row = table.get(character) or table.get(f"{_LEFT_TO_RIGHT}{character}{_LEFT_TO_RIGHT}", ())
    similar = [entry["c"] for entry in row]
    if len(similar) != 1:
        return character  # nothing looks like it, or it stands for all that do
    other: str = similar[0]
    if len(table.get(other, ())) == 1 and len(other) == 1:
        other = min(character, other)  # only the two look alike: either can stand for both
    return other.translate(_DIRECTION_MARKS)


def _mixed(text: str) -> bool:
    if text.isascii():
        return False
    from confusable_homoglyphs import confusables

    return bool(confusables.is_dangerous(text))


def _shown(aor: str) -> tuple[str, str]:
    """Return user part and host as a person sees them."""
    user, host = split_aor(aor)
    shown = unquote(user, errors="replace") if "%" in user else user
    return shown, ".".join(map(_label, host.split("."))) if "xn--" in host else host


def _label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    import idna

    try:
        return idna.decode(label)
    except (idna.IDNAError, UnicodeError):
        return "\ufffd"
