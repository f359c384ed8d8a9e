"""A lookup of your own: people are found through a folder that their machines share. See docs/howto/write-a-lookup.md."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.config import option
from p2pship.errors import RemoteError
from p2pship.interfaces import ILookup, INode, ISearch, ISearchReceiver
from p2pship.lookup.candidate import Candidate, Publishing, Question, Slot

LONGEST_ITEM = 960
"Octets of a sealed item: what is longer in the folder is none."

MOST_ITEMS = 256
"Items read under one lookup key: no more are taken from one lookup."


@dataclass(frozen=True)
class FolderSettings:
    """Finding people, and being found, through a folder that several machines share."""

    enabled: bool = option(True, "Whether to find and be found through the folder.")
    folder: str = option("", "The folder. Empty: none, and the lookup is off.")


SETTINGS = FolderSettings


def make(reactor: Any, settings: FolderSettings, node: INode) -> FolderLookup | None:
    """Return the lookup for a node; None if there is no folder."""
    return FolderLookup(Path(settings.folder).expanduser()) if settings.folder else None


@implementer(ILookup)
class FolderLookup:
    """Keeps each item in a file: ``LOOKUP KEY/PUBLICATION KEY``, both in hexadecimal."""

    name = "folder"
    wide_area = True  # who shares the folder need not be on our network: no private address goes there
    publishing = Publishing.TESTED

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self) -> Deferred[None]:
        """Begin: there is nothing to open."""
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """End: there is nothing to close."""
        return succeed(None)

    def find(self, question: Question, receiver: ISearchReceiver) -> ISearch:
        """Tell what is in the folder. A thread reads it, as a shared folder may be slow."""
        reading = deferToThread(_read, self._folder / question.lookup_key.hex())
        return FolderSearch(reading, receiver, lambda item: Candidate(item, self.name))

    def follow(self, question: Question, receiver: ISearchReceiver) -> ISearch | None:
        """Return None: the folder tells nothing without being asked."""
        return None

    def publish(self, slot: Slot, item: bytes) -> Deferred[None]:
        """Put an item into the folder."""
        return deferToThread(_write, self._file(slot), item)

    def withdraw(self, slot: Slot) -> Deferred[None]:
        """Take it out again."""
        return deferToThread(self._file(slot).unlink, missing_ok=True)

    def _file(self, slot: Slot) -> Path:
        return self._folder / slot.lookup_key.hex() / slot.publication_key.hex()


@implementer(ISearch)
class FolderSearch:
    """A search under way."""

    def __init__(
        self,
        reading: Deferred[list[bytes]],
        receiver: ISearchReceiver,
        candidate: Callable[[bytes], Candidate],
    ) -> None:
        self._reading = reading
        self._receiver = receiver
        self._candidate = candidate
        reading.addCallbacks(self._told, self._failed)

    def cancel(self) -> None:
        """Tell nothing more."""
        self._reading.cancel()

    def _told(self, items: list[bytes]) -> None:
        for item in items:
            self._receiver.candidate_received(self._candidate(item))
        self._receiver.search_ended(None)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._receiver.search_ended(
                RemoteError(f"the folder cannot be read: {failure.getErrorMessage()}")
            )


def _read(folder: Path) -> list[bytes]:
    items = []
    for file in sorted(folder.iterdir())[:MOST_ITEMS] if folder.is_dir() else []:
        with (
            suppress(OSError),
            file.open("rb") as opened,
        ):  # it may be gone again, and is perhaps not even a file
            items.append(opened.read(LONGEST_ITEM))
    return items


def _write(file: Path, item: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_bytes(item)
    new.replace(file)  # nobody reads half an item
