"""Which characters a name may have, and which names our own identities may."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from p2pship.errors import LocalError
from p2pship.identity.aor import BadAOR, canonical_aor, split_aor
from p2pship.identity.fingerprint import names_itself


class NameRefused(LocalError):
    """An identity of our own cannot have this name; the message says why."""


_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"Categories of Unicode: controls, format characters such as those that turn the direction, surrogates, separators of lines."
_BEYOND_ASCII = re.compile("%[89A-F][0-9A-F]")
"A canonical user part has these escaped."


def has_unseen_character(aor: str) -> bool:
    """Tell whether the user part of a canonical AOR has a character that cannot be seen, such as NUL, in its escapes."""
    user = unquote(split_aor(aor)[0], errors="replace")
    return any(unicodedata.category(character) in _UNSEEN for character in user)


def is_beyond_ascii(aor: str) -> bool:
    """Tell whether the user part of a canonical AOR has letters other than ASCII in its escapes."""
    return bool(_BEYOND_ASCII.search(split_aor(aor)[0]))


def check_own_name(aor: str, key: bytes | None, beyond_ascii: bool) -> None:
    """Check that an identity with this key (DER; None: any) may have this name.

    :raises NameRefused: if not.
    """
    if not _is_canonical(aor):
        raise NameRefused(f"{aor!r} is not a canonical address of record")
    if has_unseen_character(aor):
        raise NameRefused(f"a name may have nothing that cannot be seen, and no control character: {aor}")
    if is_beyond_ascii(aor) and not beyond_ascii:
        raise NameRefused(f"a name may only have letters of ASCII, as others are easily mistaken: {aor}")
    if names_itself(aor, key or b"") is False:
        raise NameRefused(f"{aor} is not the name that its key proves; such names are made, not chosen")


def _is_canonical(aor: str) -> bool:
    try:
        return canonical_aor(aor) == aor
    except BadAOR:
        return False
