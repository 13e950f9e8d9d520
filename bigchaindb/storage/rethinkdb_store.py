"""Reading and writing documents of the RethinkDB backend, however many there are.

Invariants:

- Keys and documents go in chunks: no query comes near the 16 MiB that a server should be sent, none is unbounded.
- Every write says what happens where there is a document already, and is atomic for each document.
- After a write the others' attention is called to it (`rethinkdb_bells`): once per write, or once per batch; not to
  what is only found through something that is stored later.
- A name that cannot be a key is one under which nothing is stored.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from bigchaindb.exceptions import StorageError, StorageMismatch, StorageUnavailable
from bigchaindb.storage import rethinkdb_schema as schema
from bigchaindb.storage.rethinkdb_bells import Bells
from bigchaindb.storage.rethinkdb_driver import literal, r, written
from bigchaindb.storage.rethinkdb_places import PER_MILLISECOND, Places, end_of
from bigchaindb.storage.rethinkdb_pool import Pool
from bigchaindb.storage.rethinkdb_rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from bigchaindb.storage.rethinkdb_driver import Server

__all__ = ["Conflict", "Store", "is_a", "keep", "may_be_key", "rounds"]

# A thousand texts add two postings each, as a rule, which then go in one query.
_CHUNK: Final = 2_000
# Of documents that hold something of several.
_SHARED_CHUNK: Final = 100
_PICKED: Final = 3
_CHUNK_CHARACTERS: Final = 4 * 2**20
_KEY_BYTES: Final = 127
_CLOCK_SECONDS: Final = 60.0
_HELPERS: Final = 4
# What was abandoned ends before its successor begins.
_BESIDE: Final = 1
_SAID: Final = 100
_SILENT: Final = frozenset({"transactions", "postings", "outputs", "holdings"})

_log = logging.getLogger(__name__)

T = TypeVar("T")

Conflict: TypeAlias = "Callable[[Any, Any, Any], Any]"
"""From the name of the key, the stored document and the new one to what is stored."""


def keep(_: Any, standing: Any, __: Any) -> Any:
    """On a conflict, let what is stored stay."""
    return standing


class Store:
    """The documents of one ledger; threads may share it."""

    def __init__(self, server: Server, *, create: bool) -> None:
        """Connect, and check that there is a ledger.

        Raises:
            BigchainDBError: as `Pool` and `rethinkdb_schema.open_ledger`.
        """
        self._pool = Pool(server)
        try:
            opened = schema.open_ledger(self._pool, create=create)
            self._bells = Bells(self._pool, opened.writer)
        except BaseException:
            self._pool.close()
            raise
        self._places = Places(opened.now_seconds)
        self._of_thread = threading.local()
        self._said: set[str] = set()
        self._helper = ThreadPoolExecutor(_HELPERS, thread_name_prefix="rethinkdb")
        # What is done there may do two things together, and must not wait for itself.
        self._beside = ThreadPoolExecutor(_BESIDE, thread_name_prefix="rethinkdb beside")

    # --- life ------------------------------------------------------------------------------------------------

    def check_open(self) -> None:
        """Raise StorageUnavailable where it is closed."""
        self._pool.check_open()

    @property
    def server(self) -> Server:
        """Where the ledger is."""
        return self._pool.server

    def close(self) -> None:
        """Close; twice is harmless."""
        self._pool.close()
        self._bells.close()
        self._helper.shutdown(wait=False)
        self._beside.shutdown(wait=False, cancel_futures=True)

    def drop(self) -> None:
        """Delete the database and close."""
        schema.drop(self._pool)
        self.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Call attention only once to all that this thread writes.

        Raises:
            StorageError: inside a batch.
        """
        self.check_open()
        if getattr(self._of_thread, "in_batch", False):
            raise StorageError(f"{self._pool.server}: batches do not nest")
        self._of_thread.in_batch, self._of_thread.news = True, None
        try:
            yield
        finally:
            self._of_thread.in_batch = False
            if self._of_thread.news is not None:
                self._bells.ring(self._of_thread.news)

    def wait_for_change(self, timeout_seconds: float, of: Collection[str]) -> bool:
        """See `Storage.wait_for_change`."""
        self.check_open()
        return self._bells.wait(timeout_seconds, of)

    # --- reading ---------------------------------------------------------------------------------------------

    def read(self, query: Any, *, decides: bool = True) -> Any:
        """Run a query; see `Pool.read`."""
        return self._pool.read(query, decides=decides)

    def find(
        self,
        table: str,
        keys: Iterable[object],
        *,
        index: str | None = None,
        fields: Sequence[str] = (),
        decides: bool = True,
    ) -> list[Row]:
        """Return the documents under these keys, in no order; what is not there is left out.

        Args:
            table: its name.
            keys: of the primary or the secondary index; repeats are harmless.
            index: name of a secondary index, or None.
            fields: those that are wanted; none for all.
            decides: see `Pool.read`.
        """
        self.check_open()
        wanted = [key for key in dict.fromkeys(keys) if may_be_key(key)]
        options = {} if index is None else {"index": index}
        found: list[Row] = []
        for start in range(0, len(wanted), _CHUNK):
            query = r.table(table).get_all(r.args(literal(wanted[start : start + _CHUNK])), **options)
            found += self.rows(table, query.pluck(*fields) if fields else query, decides=decides)
        return found

    def find_parts(
        self, table: str, parts: Mapping[str, Collection[str]], *, decides: bool = True
    ) -> Iterator[tuple[str, str, Any]]:
        """Give what there is of the object in the field `of` of documents: (key, name, value), in no order.

        Args:
            table: its name.
            parts: the names that are wanted, by key.
            decides: see `Pool.read`.
        """
        self.check_open()
        keys = [key for key in parts if may_be_key(key)]
        for start in range(0, len(keys), _SHARED_CHUNK):
            chunk = keys[start : start + _SHARED_CHUNK]
            query = r.table(table).get_all(r.args(literal(chunk)))
            wanted = {key: list(parts[key]) for key in chunk}
            # To pick costs the server about what it costs to send two or three.
            if sum(map(len, wanted.values())) < _PICKED * len(chunk):
                query = _picked(query, wanted)
            rows = self.rows(table, query, decides=decides)
            for key, of in self.sound(rows, lambda row: (row.text("id"), row.mapping("of"))):
                for name in parts[key]:
                    if name in of:
                        yield key, name, of[name]

    def rows(self, table: str, query: Any, *, decides: bool = True) -> list[Row]:
        """Return the documents of a table that a bounded query finds, in its order."""
        return [Row(table, document) for document in self.read(query, decides=decides)]

    def sound(self, rows: Iterable[Row], read: Callable[[Row], T]) -> list[T]:
        """Return what is read of documents, without those that were not written here.

        Anybody in the federation can put a document into a list.  That must keep nobody from the others in it, so it is
        passed over, and logged once.
        """
        found = []
        for row in rows:
            try:
                found.append(read(row))
            except StorageMismatch as error:
                self.say_once(str(error))
        return found

    def say_once(self, problem: str) -> None:
        """Log what is wrong with something that is passed over, unless that was said before."""
        if problem not in self._said and len(self._said) < _SAID:
            self._said.add(problem)
            _log.warning("%s: %s; it is passed over", self._pool.server, problem)

    # --- writing ---------------------------------------------------------------------------------------------

    def put(
        self, table: str, documents: Iterable[Mapping[str, Any]], conflict: Conflict, *, news: Collection[str] = ()
    ) -> int:
        """Store documents.

        Args:
            table: its name.
            documents: each with its `id`; of two with one id, the second meets the first.
            conflict: what to do where there is one.
            news: what that is to whoever waits for changes; see `changes`.

        Returns:
            How many were not there.
        """
        queries = (r.table(table).insert(r.json(chunk), conflict=conflict) for chunk in self._chunks(documents))
        return sum(self._write_to(table, query, news)["inserted"] for query in queries)

    def put_and_see(
        self, table: str, documents: Iterable[Mapping[str, Any]], conflict: Conflict, *, news: Collection[str] = ()
    ) -> dict[str, Row]:
        """Store documents as `put` does; return by id what is stored now."""
        standing: dict[str, Row] = {}
        for chunk in self._chunks(documents):
            query = r.table(table).insert(r.json(chunk), conflict=conflict, return_changes="always")
            changes = self.write(query, news=news)["changes"]
            standing.update((change["new_val"]["id"], Row(table, change["new_val"])) for change in changes)
        return standing

    def change(self, table: str, values: Mapping[str, Any], change: Callable[[Any, Any], Any]) -> None:
        """Replace those of some documents that are there.

        Args:
            table: its name.
            values: what to know for each id.
            change: from the stored document and its value to what is stored; None deletes it.
        """
        self.check_open()
        ids = list(values)
        for start in range(0, len(ids), _CHUNK):
            chunk = {id_: values[id_] for id_ in ids[start : start + _CHUNK]}
            # Bound outside the function, or the server would make it anew for every document.
            query = literal(chunk).do(
                lambda known: (
                    r.table(table)
                    .get_all(r.args(known.keys()))
                    # Found, and deleted by somebody else before its turn came: it is null then.
                    .replace(lambda row: r.branch(row.eq(None), None, change(row, known[row["id"]])))
                )
            )
            self._write_to(table, query, ())

    def together(self, one: Callable[[], object], other: Callable[[], object]) -> None:
        """Do two things at once that do not depend on each other, so that they wait for the disk together.

        Raises:
            StorageUnavailable: closed.
            BigchainDBError: what either of them raises; both have ended then.
        """
        future = self._submit(self._helper, one)
        try:
            other()
        finally:
            future.exception()
        future.result()

    def beside(self, write: Callable[[], object]) -> Callable[[], None]:
        """Begin to write something to which nobody's attention needs to be called; return what waits for its end.

        Raises:
            StorageUnavailable: closed.
        """
        future = self._submit(self._beside, write)

        def end() -> None:
            future.result()

        return end

    def _submit(self, helper: ThreadPoolExecutor, write: Callable[[], object]) -> Future[None]:
        self.check_open()
        try:
            return helper.submit(self._quietly, write)
        except RuntimeError as error:
            # Closed by another thread meanwhile.
            raise StorageUnavailable(f"{self._pool.server}: this connection is closed") from error

    def _quietly(self, write: Callable[[], object]) -> None:
        # Whoever waits for this one calls attention to it.
        self._of_thread.in_batch, self._of_thread.news = True, None
        write()

    def _write_to(self, table: str, query: Any, news: Collection[str]) -> Any:
        return self._pool.write(query) if table in _SILENT else self.write(query, news=news)

    def write(self, query: Any, *, news: Collection[str] = ()) -> Any:
        """Run a query that writes; see `Pool.write`, and `put` for `news`."""
        result = self._pool.write(query)
        if getattr(self._of_thread, "in_batch", False):
            self._of_thread.news = {*(self._of_thread.news or ()), *news}
        else:
            self._bells.ring(news)
        return result

    def _chunks(self, documents: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """Give JSON lists of documents, none too large."""
        self.check_open()
        chunk: list[str] = []
        characters = 0
        for document in documents:
            text = written(document)
            if chunk and (len(chunk) == _CHUNK or characters + len(text) > _CHUNK_CHARACTERS):
                yield f"[{','.join(chunk)}]"
                chunk, characters = [], 0
            chunk.append(text)
            characters += len(text)
        if chunk:
            yield f"[{','.join(chunk)}]"

    # --- places ----------------------------------------------------------------------------------------------

    def places(self, count: int) -> int:
        """Return the first of so many places; see `Places.take`."""
        self._set_clock()
        return self._places.take(count)

    def _set_clock(self) -> None:
        if self._places.age_seconds() > _CLOCK_SECONDS:
            self._places.learn(self.read(r.now().to_epoch_time(), decides=False))

    def is_past(self, place: int, seconds: float) -> bool:
        """Tell whether a place was taken so many seconds ago, by the server's clock."""
        self._set_clock()
        return place < self._places.now() - int(seconds * 1_000) * PER_MILLISECOND

    def learn_places(self, after_seconds: float, latest: Any) -> None:
        """Ask for the clock and the latest moment in a list, unless that was done within so many seconds.

        Args:
            after_seconds: how long what was learnt will do.
            latest: query for a list with the latest moment, if there is any.
        """
        if self._places.age_seconds() > after_seconds:
            now, moments = self.read(r.expr([r.now().to_epoch_time(), latest]), decides=False)
            self._places.learn(now, max(map(end_of, moments), default=0))


def _picked(rows: Any, names: Mapping[str, Sequence[str]]) -> Any:
    """Return documents with nothing else in `of` than what is named by key, where it is an object."""

    def picked(row: Any, known: Any) -> Any:
        part = {"id": row["id"], "of": row["of"].pluck(r.args(known[row["id"]]))}
        return r.branch(is_a(row["of"], "OBJECT"), part, row)

    return literal(names).do(lambda known: rows.map(lambda row: picked(row, known)))


def rounds(keys: Sequence[Sequence[Hashable]]) -> Iterator[list[int]]:
    """Give the numbers of things in such groups that no two of a group share a key, each as early as may be.

    What becomes of each thing in a group is known from what is stored afterwards, and the next may depend on it.
    """
    left = list(range(len(keys)))
    while left:
        taken: set[Hashable] = set()
        now: list[int] = []
        later: list[int] = []
        for i in left:
            (later if taken.intersection(keys[i]) else now).append(i)
            taken.update(keys[i])
        yield now
        left = later


def is_a(value: Any, type_: str) -> Any:
    """Return the query whether a value is there and of a type, as the server calls it."""
    return value.type_of().default(None).eq(type_)


def may_be_key(key: object) -> bool:
    """Tell whether something could be stored under a key: the server refuses even to look others up."""
    if isinstance(key, str) and key.isascii() and len(key) <= _KEY_BYTES:
        return "\0" not in key  # nearly all are such, and there are thousands
    parts = key if isinstance(key, tuple) else (key,)
    return all("\0" not in part and _is_short(part) for part in parts if isinstance(part, str))


def _is_short(text: str) -> bool:
    try:
        return len(text.encode()) <= _KEY_BYTES
    except UnicodeEncodeError:
        return False
