"""Tables and indexes of the RethinkDB backend: made, checked, spread over servers, dropped.

Invariants:

- Making is idempotent, and several processes may do it at once: they take turns, because the server itself would make
  two tables of one name.  One that was killed is found out by its making no progress, and the next goes on.
- A ledger is opened only where every server is new enough and every table keeps the promise of `interface`: a write
  that has returned is on the disks of a majority (design.md section 4).  `bells` is exempt: it holds hints only.
- A database with tables of somebody else's is left as it is.
- What is looked up for every transaction is a primary key: one key costs 10 us of the server, one of a secondary
  index 50, because every table is eight trees and only primary keys tell which.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.exceptions import ConfigurationError, StorageMismatch, StorageMissing, StorageUnavailable
from bigchaindb.storage.rethinkdb_driver import r, version_of
from bigchaindb.storage.rethinkdb_pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bigchaindb.storage.rethinkdb_driver import Server

__all__ = ["FORMAT_VERSION", "TABLES", "Index", "Opened", "drop", "open_ledger", "spread"]

FORMAT_VERSION: Final = 6

BELLS: Final = "bells"

_READY_SECONDS: Final = 30
_TURN_SECONDS: Final = 0.05
# A table takes a fraction of a second; a machine that is busy may take many times that.
_STUCK_SECONDS: Final = 60.0
_MENDED: Final = {"durability": "hard", "write_acks": "majority"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index.

    Attributes:
        keys: from a document to its key, or to its keys where there are several; a document without is not indexed.
        several: see `keys`.
    """

    keys: Callable[[Any], Any]
    several: bool = False


TABLES: Final[Mapping[str, Mapping[str, Index]]] = {
    # {id: all digits of a place, spread, but the last, of: {...}}; see `rethinkdb_texts`.
    "transactions": {},
    # {id: what is looked up, of: what belongs to it, in the order in which it came}; see `rethinkdb_postings`.
    "postings": {},
    # {id: the first millisecond, at: received at, waiting: [last digits of the place + name of the id:of the hash]}
    "backlog": {},
    # {id: 1, 2, ... without a gap, key, block: its id, text, transactions, transaction_ids, tags, genesis}
    "blocks": {"key": Index(lambda row: row["key"]), "block": Index(lambda row: row["block"])},
    # {id: node/key, node, key, block, seen_at, checked, verdict (once it is set), place}
    "sightings": {
        "open": Index(
            lambda row: r.branch(
                row.has_fields("verdict"),
                r.error("decided"),
                [row["node"], row["checked"], row["seen_at"], row["place"]],
            )
        ),
        "of_block": Index(lambda row: [row["node"], row["block"]]),
    },
    # {id: block/node, block, node, text (once the place is filled), evidence: [{text, place}]}
    "votes": {
        "block": Index(lambda row: row["block"]),
        "evidence": Index(lambda row: row["evidence"].map(lambda kept: kept["place"]), several=True),
    },
    # {id: node/sequence, node, sequence, block, verdict, text, valid_transactions, newest_time}
    "decisions": {"block": Index(lambda row: row["block"])},
    # {id: all digits of an address, spread, but the last, of: {...}}; see `rethinkdb_outputs`.
    "outputs": {},
    # {id: u, g or s/owner/all digits of a place but the last, of: {...}}; see `rethinkdb_holdings`.
    "holdings": {},
    # {id: hash/node, tx, node, text, place}
    "rejections": {"tx": Index(lambda row: row["tx"])},
    # {id: =name, text}, and {id: format, version}
    "registers": {},
    # {id: whose, rung: how often, of: {what: at which count it was told last}, at: Unix seconds by the server's clock}
    BELLS: {},
}


@dataclass(frozen=True, slots=True)
class Opened:
    """What a server said when a ledger was opened.

    Attributes:
        writer: a name that nobody else was given.
        now_seconds: Unix seconds by its clock.
        version: the oldest version in the cluster.
    """

    writer: str
    now_seconds: float
    version: tuple[int, int, int]


def open_ledger(pool: Pool, *, create: bool) -> Opened:
    """Check that the database is a ledger which can be trusted, after making what is missing if asked to.

    Raises:
        StorageMismatch: there is none, or it is another's, of another format, or promises less than it must; the
            message says how to mend that.
        StorageUnavailable: the server cannot be reached, or a table, because the servers that keep it are away.
    """
    server = pool.server
    found = _survey(pool)
    version = version_of(found["versions"])
    tables = _tables(server, found["tables"])
    if "registers" in tables:
        _check_format(pool)
    missing = [name for name in TABLES if not set(TABLES[name]) <= set(tables.get(name, {"indexes": []})["indexes"])]
    missing += [name for name in TABLES if name not in tables and name not in missing]
    if missing and not create:
        if not tables:
            raise StorageMissing(f"{server}: the ledger is not there: run `bigchaindb init`")
        raise StorageMismatch(f"{server}: the ledger lacks {', '.join(missing)}: run `bigchaindb init`")
    if missing:
        _make(pool)
    if create:
        _mark_format(pool)
    if not _check_format(pool):
        raise StorageMismatch(f"{server}: the ledger is incomplete: run `bigchaindb init`")
    if create:
        _warn_of_one_replica(server, len(found["versions"]), [tables.get(name) for name in TABLES])
    return Opened(found["writer"], float(found["now"]), version)


def _survey(pool: Pool) -> Any:
    """Ask once for all that must be known."""
    system = r.db("rethinkdb")
    query = r.expr(
        {
            "versions": system.table("server_status")["process"]["version"].coerce_to("array"),
            "tables": system.table("table_config")
            .filter({"db": pool.server.name})
            .pluck("name", "durability", "write_acks", "indexes", "shards", "error")
            .coerce_to("array"),
            "now": r.now().to_epoch_time(),
            "writer": r.uuid(),
        }
    )
    try:
        return pool.administer(query)
    except StorageMismatch as error:
        user = pool.server.user
        mend = f'r.db("rethinkdb").grant("{user}", {{"read": true}})'
        raise StorageMismatch(f"{error} To see versions and tables it needs {mend}") from error


def _tables(server: Server, found: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the tables by name, if they are a ledger's and can be trusted."""
    tables = {table["name"]: table for table in found}
    if len(tables) < len(found):
        raise StorageMismatch(f"{server} has two tables of one name: drop one by its id in rethinkdb.table_config")
    if set(tables) - set(TABLES):
        others = ", ".join(sorted(set(tables) - set(TABLES)))
        raise StorageMismatch(f"{server} has tables that are not of a ledger: {others}; choose another database.name")
    for name, table in tables.items():
        _check_there(server, name, table)
        _check_promise(server, name, table)
    return tables


def _check_there(server: Server, name: str, table: Mapping[str, Any]) -> None:
    # What is known of a table only its replicas know.
    if not {*_MENDED, "indexes"} <= set(table):
        raise StorageUnavailable(f"{server}: table {name} is not available: {table.get('error', 'it tells nothing')}")


def _check_promise(server: Server, name: str, table: Mapping[str, Any]) -> None:
    if name != BELLS and {key: table[key] for key in _MENDED} != _MENDED:
        weaker = ", ".join(f"{key} {table[key]!r}" for key in _MENDED if table[key] != _MENDED[key])
        table_of = f'r.db("{server.name}").table("{name}")'
        raise StorageMismatch(
            f"{server}: table {name} may lose what it has acknowledged, having {weaker}; mend it with "
            f'{table_of}.config().update({{"durability": "hard", "write_acks": "majority"}})'
        )


def _warn_of_one_replica(server: Server, servers: int, tables: Sequence[Mapping[str, Any] | None]) -> None:
    """Warn where one server's end would stop the ledger although there are others; a table just made is None."""
    lone = [table for table in tables if table is None or any(len(each["replicas"]) == 1 for each in table["shards"])]
    if servers > 1 and lone:
        _log.warning(
            "%s: the cluster has %d servers, but tables are kept on one only: run `bigchaindb set-replicas %d`",
            *(server, servers, servers),
        )


def _check_format(pool: Pool) -> bool:
    """Refuse a ledger of another release, whatever it lacks; tell whether it has been completed."""
    found = pool.read(r.table("registers").get("format"))
    if found is not None and found.get("version") != FORMAT_VERSION:
        raise StorageMismatch(
            f"{pool.server}: the ledger has format {found.get('version')!r}; this release knows {FORMAT_VERSION}"
        )
    return found is not None


def _mark_format(pool: Pool) -> None:
    mark = {"id": "format", "version": FORMAT_VERSION}
    pool.write(r.table("registers").insert(mark, conflict=lambda _, standing, __: standing))


def _make(pool: Pool) -> None:
    name = pool.server.name
    with _turn(pool):
        if name not in pool.administer(r.db_list()):
            pool.administer(r.db_create(name))
        for table, indexes in TABLES.items():
            _make_table(pool, table, indexes)
        pool.administer(r.db(name).wait(wait_for="ready_for_writes", timeout=_READY_SECONDS))
        for table, indexes in TABLES.items():
            if indexes:
                pool.administer(r.table(table).index_wait())


@contextmanager
def _turn(pool: Pool) -> Iterator[None]:
    """Be the only one who makes tables: whoever has made a certain empty database is."""
    name = f"{pool.server.name}_init"
    seen: object = None
    seen_at = time.monotonic()
    while not _is_mine(pool, name):
        progress = pool.administer(r.expr([name, pool.server.name]).map(_names))
        if progress != seen:
            seen, seen_at = progress, time.monotonic()
        elif time.monotonic() - seen_at > _STUCK_SECONDS:
            if progress[0]:
                raise StorageMismatch(f"{pool.server}: database {name} is in the way; choose another database.name")
            _ignoring(pool, r.db_drop(name), "does not exist")
        time.sleep(_TURN_SECONDS)
    try:
        yield
    finally:
        pool.administer(r.db_drop(name))


def _names(database: Any) -> Any:
    return r.branch(r.db_list().contains(database), r.db(database).table_list(), [])


def _is_mine(pool: Pool, name: str) -> bool:
    made = _ignoring(pool, r.db_create(name), "already exists")
    if made is None:
        return False
    same = r.db("rethinkdb").table("db_config").filter({"name": name}).count()
    if pool.administer(same) == 1:
        return True
    # Made through two servers at the same moment: both see both, and both try again.
    mine = made["config_changes"][0]["new_val"]["id"]
    pool.administer(r.db("rethinkdb").table("db_config").get(mine).delete())
    return False


def _ignoring(pool: Pool, query: Any, problem: str) -> Any:
    """Run a query; None where it fails because somebody else was first."""
    try:
        return pool.administer(query)
    except StorageUnavailable as error:
        if problem not in str(error):
            raise
        return None


def _make_table(pool: Pool, name: str, indexes: Mapping[str, Index]) -> None:
    if name not in pool.administer(r.table_list()):
        pool.administer(r.table_create(name, durability="soft" if name == BELLS else "hard"))
    there = pool.administer(r.table(name).index_list())
    for index, made in indexes.items():
        if index not in there:
            pool.administer(r.table(name).index_create(index, made.keys, multi=made.several))


def spread(server: Server, *, shards: int | None = None, replicas: int | None = None) -> None:
    """Divide every table into so many parts, or keep it on so many servers; what is not given stays.

    Raises:
        ConfigurationError: the cluster cannot do that; the message is the server's.
        StorageMismatch: as `open_ledger`.
        StorageUnavailable: the server cannot be reached, or is still at work; do it again.
    """
    pool = Pool(server)
    try:
        open_ledger(pool, create=False)
        for name in TABLES:
            _spread(pool, name, shards, replicas)
    finally:
        pool.close()


def _spread(pool: Pool, name: str, shards: int | None, replicas: int | None) -> None:
    now = pool.administer(r.table(name).config()["shards"])
    wanted = {
        "shards": len(now) if shards is None else shards,
        "replicas": max(len(shard["replicas"]) for shard in now) if replicas is None else replicas,
    }
    try:
        pool.administer(r.table(name).reconfigure(**wanted))
    except StorageUnavailable as error:
        if "replicas" in str(error) or "shards" in str(error):
            raise ConfigurationError(str(error)) from error
        raise
    pool.administer(r.table(name).wait(wait_for="all_replicas_ready", timeout=_READY_SECONDS))


def drop(pool: Pool) -> None:
    """Delete the database.

    Raises:
        StorageUnavailable: the server cannot be reached.
    """
    pool.administer(r.db_drop(pool.server.name))
