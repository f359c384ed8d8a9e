"""Asks a person once, at the first start at a terminal, whether to use the Mainline DHT, and says who then sees what."""

from __future__ import annotations

import os
import select
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from p2pship.config import ANSWERS_FILE, CONFIG_FILE, Config
from p2pship.errors import ConfigError
from p2pship.storage.files import make_private_folder, write_file

SECTION = "lookup.mainline"

LIBRARY = "libtorrent"

TRIES = 3
"Answers that are neither yes nor no until it is left for the next start."

PATIENCE = 60.0
"Seconds that an answer is waited for: a terminal with nobody at it must not keep the node from starting."

ANSWERS = {"yes": True, "y": True, "no": False, "n": False, "": False}

WORDS = """
Finding people everywhere: yes or no?

On the local network people find each other already. Your node can also find
people, and be found, anywhere in the Internet, through the BitTorrent
Mainline DHT: millions of computers that strangers run, and no server.

If you say yes
  - whoever knows your name learns your address in the Internet, and can call
    (behind most home routers without IPv6 you have none, and only call out);
  - strangers whose computers take part see that your address is there, and
    that it is, or looks for, somebody. They see no name, and nothing of what
    is said. Who runs many such computers can follow your device from day to
    day, and from one network to another;
  - your provider sees that you take part.

If you say no, nothing of yours goes there, and you are not found that way.
You are not asked again; to change it, put enabled = true, or false, below
[lookup.mainline] in
{file}

"""

QUESTION = "Find people, and be found, everywhere? yes or no (Enter is no): "


def settle(config: Config, state: Path, reading: TextIO | None, writing: TextIO | None) -> str:
    """Ask, if it is to be asked, and keep the answer in the state folder; return what the start text is to say, empty for nothing.

    What is configured is not asked. Nobody is asked where ``reading`` or ``writing`` is no terminal: it stays off then.

    :raises ConfigError: if the answer cannot be kept.
    """
    settings, decided = config.section(SECTION), config.has(SECTION, "enabled")
    if settings is None or (decided and not settings.enabled):
        return ""
    if find_spec(LIBRARY) is None:
        return (
            f"Nobody is found through the Mainline DHT, which finds people everywhere: the library {LIBRARY} is not installed. "
            f"Install it, if you want that, with {sys.executable} -m pip install {LIBRARY}, and start the node again."
        )
    if decided:
        return ""
    answer = None
    if reading is not None and writing is not None and _is_before(reading) and writing.isatty():
        answer = _ask(state, reading, writing)
    if answer is None:
        return (
            "The Mainline DHT, which finds people everywhere, is off: nobody has said yes to what strangers see of it. "
            "Start the node once at a terminal, and it asks; or put enabled = true below [lookup.mainline] in "
            f"{state / CONFIG_FILE}."
        )
    _keep(state, answer)
    return ""


def _ask(state: Path, reading: TextIO, writing: TextIO) -> bool | None:
    """Return the answer; None if there is none."""
    writing.write(WORDS.format(file=textwrap.indent(str(state / CONFIG_FILE), "  ")))
    for _ in range(TRIES):
        writing.write(QUESTION)
        writing.flush()
        if not _is_typed(reading):
            break
        try:
            line = reading.readline()
        except UnicodeDecodeError:
            line = "?"
        if not line:  # the end of the input
            break
        answer = ANSWERS.get(line.strip().lower())
        if answer is not None:
            return answer
    writing.write("\nThat was neither yes nor no: it is off, and the next start asks again.\n")
    return None


def _is_before(reading: TextIO) -> bool:
    """Tell whether somebody may answer there: not where a shell runs us in the background, which would stop us as we read (tty(4))."""
    if not reading.isatty():
        return False
    try:
        return os.tcgetpgrp(reading.fileno()) == os.getpgrp()
    except OSError:  # a terminal that has no control over us
        return True


def _is_typed(reading: TextIO) -> bool:
    """Wait for a line, or the end of the input, and tell whether it came in time."""
    return bool(select.select([reading], [], [], PATIENCE)[0])


def _keep(state: Path, answer: bool) -> None:
    text = (
        f"# The answer to the question of the first start; {CONFIG_FILE} wins over it. Without this file it is asked again.\n"
        f"[{SECTION}]\nenabled = {str(answer).lower()}\n"
    )
    try:
        make_private_folder(state)
        write_file(state / ANSWERS_FILE, text.encode())
    except OSError as error:
        raise ConfigError(
            f"the state folder {state} cannot be used: {error.strerror}; make it writable for this user, or name another one"
        ) from error
