"""What was decided, told to all who listen: one thread follows this node's log, the event loop passes on what it reads.

Nobody has a queue.  The newest events are kept once, for all; each reader knows how far it has come, and gets what is
behind that: from there, or, where it is not there any more, from storage.

Invariants:

- A reader gets every event behind the place where it began, in order, once, however far it is behind.
- What is kept is bounded, whatever readers do: the newest events, some sections of the log that were read from storage,
  and for each reader a chunk.
- Sections are read one after the other; all who need the same wait for one.
- While the database is away readers wait, and go on when it is back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from bisect import bisect_left
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from bigchaindb.exceptions import BigchainDBError, InvalidValue, StorageUnavailable
from bigchaindb.node.events import EventLog
from bigchaindb.storage import changes
from bigchaindb.web.frames import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bigchaindb.web.frames import Form, Which
    from bigchaindb.web.ledger import Ledger

__all__ = ["Feed", "Given", "Position"]

# About 10 MB of newest events, encoded in both forms, and at most three times that of others.
_NEWEST_EVENTS: Final = 10_000
_KEPT_EVENTS: Final = 8_000
_SECTION_EVENTS: Final = 30_000
_FAR_BEHIND: Final = 256
_PARTIES_AT_ONCE: Final = 16
_THREADS: Final = 2
_WAIT_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.2
_FIRST_LOOK_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """How far a reader has come.

    Attributes:
        sequence: the first decision of which it was not told everything.
        index: the first transaction of that decision of which it was not told.
    """

    sequence: int
    index: int = 0


class Given(NamedTuple):
    """What a reader gets.

    Attributes:
        data: some events; none where nothing happened in a while.
        position: how far it has come with that.
    """

    data: bytes
    position: Position


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What was decided behind `after` up to `until`."""

    after: int
    until: int
    pages: Sequence[Page]
    events: int

    def holds(self, sequence: int) -> bool:
        return self.after < sequence <= self.until

    def pages_from(self, sequence: int) -> Sequence[Page]:
        return self.pages[bisect_left(self.pages, sequence, key=lambda page: page.told.sequence) :]


class Feed:
    """One node's events; belongs to one event loop, which is the one where it is used first."""

    def __init__(self, ledger: Ledger) -> None:
        """Follow a ledger that nobody else uses; nothing is opened yet."""
        self._ledger = ledger
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="feed")
        self._complaint = ""
        self._complaining = threading.Lock()
        self._ended = False
        self._waiting: set[asyncio.Future[None]] = set()
        self._readers = 0
        self._choosy_readers = 0
        self._alone = asyncio.Event()
        self._alone.set()
        # None until the thread has looked for the first time.
        self._newest: _Stretch | None = None
        self._first: int | None = None
        self._newest_pages: list[Page] = []
        self._sections: OrderedDict[int, _Stretch] = OrderedDict()
        self._turn = asyncio.Lock()

    @property
    def latest_sequence(self) -> int:
        """Number of the last decision that it has heard of; 0 before the first."""
        return self._newest.until if self._newest else 0

    @property
    def first_sequence(self) -> int | None:
        """Number of the last decision when it began; None before it has looked."""
        return self._first

    # --- life ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow the log, unless that was done; in the event loop."""
        if self._thread is None and not self._ended:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._follow_for_ever, name="feed", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Let all readers come to their end; in the event loop."""
        self._ended = True
        self._stopping.set()
        self._wake()

    async def left_alone(self, timeout_seconds: float) -> None:
        """Wait until the last reader has left, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._alone.wait()

    async def stop(self) -> None:
        """End, and release the database when the threads have gone."""
        self.end()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        # Whoever waits for the database is told by this that it is over.
        self._ledger.close()
        if self._thread is not None:
            self._thread.join()
        self._executor.shutdown()
        self._ledger.close()

    # --- waiting ---------------------------------------------------------------------------------------------

    async def changed(self, timeout_seconds: float) -> bool:
        """Wait until something was decided, or for so long; return whether it was."""
        self.start()
        if self._ended:
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(timeout_seconds):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(future)
        return not self._ended

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    # --- reading ---------------------------------------------------------------------------------------------

    async def position(self, since: str | None, field: str = "since") -> Position:
        """Return where a reader begins.

        Args:
            since: number of a decision behind which it begins, or `NUMBER/TRANSACTION_ID` of an event; None for now.
            field: what to call it where it is wrong.

        Raises:
            InvalidValue: there is no such decision, or no such transaction in it.
            BigchainDBError: the database is away.
        """
        if self._newest is None:
            # Its thread may be opening the database this moment, and two at a time do not.
            await self.changed(_FIRST_LOOK_SECONDS)
        return await self._ask(lambda log: _position(log, since, field))

    @contextmanager
    def reading(self, which: Which) -> Iterator[None]:
        """Count a reader for as long as it reads: what nobody reads is not looked up."""
        self._readers += 1
        self._choosy_readers += not which.is_all
        self._alone.clear()
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._alone.set()
            self._choosy_readers -= not which.is_all

    async def next(self, position: Position, which: Which, form: Form, timeout_seconds: float) -> Given | None:
        """Return the events behind a position, as many as go into a chunk, as soon as there are any.

        Args:
            position: how far the reader has come.
            which: the events that it wants.
            form: how they are encoded.
            timeout_seconds: after that it gets none, but a position to go on from.

        Returns:
            None when everything comes to its end.
        """
        self.start()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while not self._ended:
            given = await self._behind(position, which, form)
            left = deadline - loop.time()
            if given.data or left <= 0:
                return given
            if given.position == position:
                is_up_to_date = self._newest is not None and position.sequence > self._newest.until
                await self.changed(left if is_up_to_date else min(left, _RETRY_SECONDS))
            position = given.position
        return None

    async def _behind(self, position: Position, which: Which, form: Form) -> Given:
        """Return what is there now."""
        stretch = await self._stretch(position.sequence)
        if stretch is None:
            return Given(b"", position)
        # Without an `await` between: the newest pages are one list that grows.
        pages, until = stretch.pages_from(position.sequence), stretch.until
        for number, page in enumerate(pages):
            if not which.is_all and page.parties is None:
                await self._learn_parties(pages[number : number + _PARTIES_AT_ONCE])
                if page.parties is None:
                    return Given(b"", position)
            chunk = page.chunk(form, which, position.index)
            sequence = page.told.sequence
            position = Position(sequence + 1) if chunk.next is None else Position(sequence, chunk.next)
            if chunk.data:
                return Given(chunk.data, position)
        return Given(b"", max(position, Position(until + 1)))

    async def _stretch(self, sequence: int) -> _Stretch | None:
        """Return what is known of a decision and those behind it; None where it is not there, or storage is away."""
        found = self._known(sequence)
        if found or self._is_still_to_come(sequence):
            return found
        async with self._turn:
            found = self._known(sequence)
            if found or self._is_still_to_come(sequence):
                return found
            try:
                section = await self._ask(lambda log: log.read(sequence - 1, log.settled()))
            except BigchainDBError as error:
                self._complain(error)
                return None
            if section.until < sequence:
                return None
            found = _stretch_of(sequence - 1, section.until, [Page(told) for told in section.told])
            self._sections[sequence] = found
            while sum(stretch.events for stretch in self._sections.values()) > _SECTION_EVENTS:
                self._sections.popitem(last=False)
            return found

    def _known(self, sequence: int) -> _Stretch | None:
        if self._newest and self._newest.holds(sequence):
            return self._newest
        for key, section in self._sections.items():
            if section.holds(sequence):
                self._sections.move_to_end(key)
                return section
        return None

    def _is_still_to_come(self, sequence: int) -> bool:
        return self._newest is not None and sequence > self._newest.until

    async def _learn_parties(self, pages: Sequence[Page]) -> None:
        async with self._turn:
            missing = [page for page in pages if page.parties is None]
            try:
                found = await self._ask(lambda log: [log.parties(page.told) for page in missing]) if missing else []
            except BigchainDBError as error:
                self._complain(error)
                return
            for page, parties in zip(missing, found, strict=True):
                page.parties = parties

    async def _ask(self, question: Callable[[EventLog], _Answer]) -> _Answer:
        if self._ended:
            raise StorageUnavailable("the node is stopping")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: question(EventLog(self._ledger.node)))

    # --- following -------------------------------------------------------------------------------------------

    def _follow_for_ever(self) -> None:
        """The thread."""
        while not self._stopping.is_set():
            try:
                self._follow()
            except BigchainDBError as error:
                self._complain(error)
                self._stopping.wait(_RETRY_SECONDS)

    def _complain(self, error: BigchainDBError) -> None:
        self._ledger.doubt()
        with self._complaining:
            # That the database is away, the ledger says.
            if not isinstance(error, StorageUnavailable) and str(error) != self._complaint:
                self._complaint = str(error)
                _log.error("nobody is told of events: %s", error)

    def _follow(self) -> None:
        node = self._ledger.node
        log = EventLog(node)
        while not self._stopping.is_set():
            settled = log.settled()
            latest = self._newest.until if self._newest else -1
            if settled <= latest:
                node.storage.wait_for_change(_LOOK_SECONDS, (changes.decisions_of(node.me),))
            elif not self._readers or settled - latest > _FAR_BEHIND:
                # Whoever needs what is between reads it by himself.
                self._hand_over(_stretch_of(settled, settled, []))
            else:
                section = log.read(latest, settled)
                choosy = self._choosy_readers > 0
                pages = [Page(told, log.parties(told) if choosy else None) for told in section.told]
                self._hand_over(_stretch_of(latest, section.until, pages))

    def _hand_over(self, stretch: _Stretch) -> None:
        """Let the event loop know, and wait until it does."""
        taken = threading.Event()
        assert self._loop is not None  # noqa: S101 - the thread was started there
        try:
            self._loop.call_soon_threadsafe(self._take, stretch, taken)
        except RuntimeError:  # the loop was closed
            self._stopping.set()
        while not self._stopping.is_set() and not taken.wait(_WAIT_SECONDS):
            pass

    def _take(self, stretch: _Stretch, taken: threading.Event) -> None:
        """Add to the newest what was decided since; in the event loop."""
        pages, events, after = self._newest_pages, stretch.events, stretch.after
        if self._newest and after == self._newest.until:
            events, after = events + self._newest.events, self._newest.after
        else:
            pages.clear()
        pages += stretch.pages
        if events > _NEWEST_EVENTS:
            dropped = 0
            while events > _KEPT_EVENTS and dropped < len(pages) - 1:
                events, after = events - len(pages[dropped]), pages[dropped].told.sequence
                dropped += 1
            del pages[:dropped]
        self._newest = _Stretch(after, stretch.until, pages, events)
        self._first = stretch.until if self._first is None else self._first
        taken.set()
        self._wake()


def _stretch_of(after: int, until: int, pages: Sequence[Page]) -> _Stretch:
    return _Stretch(after, until, pages, sum(map(len, pages)))


def _position(log: EventLog, since: str | None, field: str) -> Position:
    if since is None:
        return Position(log.settled() + 1)
    number, _, txid = since.partition("/")
    sequence = int(number)
    if not txid:
        decided = log.decided()
        if sequence > decided:
            raise InvalidValue(f"{field}: this node has made {decided} decisions, not {sequence}", field=field)
        return Position(sequence + 1)
    told = log.one(sequence)
    if told is None or txid not in told.transactions:
        raise InvalidValue(f"{field}: transaction {txid} did not become valid with decision {sequence}", field=field)
    index = told.transactions.index(txid) + 1
    return Position(sequence, index) if index < len(told.transactions) else Position(sequence + 1)
