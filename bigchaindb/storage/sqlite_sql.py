"""Every statement that the SQLite backend runs, by name.

Invariants:

- A look-up is served by an index: no statement reads a table from end to end (a test asks `EXPLAIN QUERY PLAN`).
- Where a table must be read before another, CROSS JOIN says so: the order must not depend on statistics.
- `{keys}` stands for as many parameters as there are keys, `{pairs}` and `{triples}` for rows of them; see `expanded`.

Why the tables are as they are: ids, hashes and keys are random, and an index on what is random takes every new row at
another place, so each row costs a page written to the log and again to the file.  Such an index is therefore kept only
where nothing else will do, and small: `names` files each id and each owner, `texts` each hash, under 60 bits of it
(`key_of`) beside a number that counts up.  Everything else refers to that number, so that what is new lies together.
Names that share a key are told apart by reading them; that each is there only once is looked up before it is added,
under the lock that all writers take turns with.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Final

__all__ = ["APPLICATION_ID", "FORMAT_VERSION", "SCHEMA", "Query", "expanded", "key_of"]

APPLICATION_ID: Final = 0x42434442
FORMAT_VERSION: Final = 4

_KEY_DIGITS: Final = 12
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "int?": (int, type(None)),
    "float": (float,),
    "str": (str,),
    "str?": (str, type(None)),
    "bytes": (bytes,),
}


def key_of(name: str) -> int:
    """Return the number under which an id, a hash or an owner is filed: up to 62 bits of it.

    Any text has one, because any text may be asked for.
    """
    try:
        return int(name[:_KEY_DIGITS], 36)
    except ValueError:
        return zlib.crc32(name.encode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Query:
    """A statement that gives rows.

    Attributes:
        text: the statement.
        shapes: the types that the columns of a row may have; the tables are strict, so others come of damage alone.
    """

    text: str
    shapes: frozenset[tuple[type, ...]]


def _query(columns: str, text: str) -> Query:
    kinds = [_KINDS[column] for column in columns.split()]
    return Query(text, frozenset(itertools.product(*kinds)))


@cache
def expanded(statement: str, count: int) -> str:
    """Return a statement with parameters for `count` keys, pairs or triples."""
    return statement.format(
        keys=",".join("?" * count),
        pairs=",".join(["(?,?)"] * count),
        triples=",".join(["(?,?,?)"] * count),
    )


SCHEMA: Final = (
    # Every transaction id that was ever named, also by who spends what is not here yet, and every owner of an output.
    """CREATE TABLE names (
        number INTEGER PRIMARY KEY,
        key INTEGER NOT NULL,
        name TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX names_by_key ON names (key)",
    # One row per signed text.
    """CREATE TABLE texts (
        sequence INTEGER PRIMARY KEY,
        number INTEGER NOT NULL REFERENCES names,
        key INTEGER NOT NULL,
        hash TEXT NOT NULL,
        tag BLOB NOT NULL,
        text TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX texts_by_key ON texts (key)",
    "CREATE INDEX texts_by_number ON texts (number)",
    """CREATE TABLE spends (
        number INTEGER NOT NULL REFERENCES names,
        cid INTEGER NOT NULL,
        spender INTEGER NOT NULL REFERENCES names,
        PRIMARY KEY (number, cid, spender)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE backlog (
        sequence INTEGER PRIMARY KEY,
        text INTEGER NOT NULL UNIQUE REFERENCES texts,
        number INTEGER NOT NULL REFERENCES names,
        received_at REAL NOT NULL,
        assigning TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX backlog_by_number ON backlog (number)",
    # What would have to be counted: how many wait, and the last place given in the backlog and among the holdings.
    """CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "INSERT INTO counters VALUES ('backlog_place', 0), ('backlog_size', 0), ('holdings_place', 1)",
    """CREATE TABLE blocks (
        sequence INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        id TEXT NOT NULL,
        tags BLOB NOT NULL,
        text TEXT NOT NULL,
        transactions TEXT NOT NULL,
        transaction_ids TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX blocks_by_id ON blocks (id)",
    """CREATE TABLE genesis (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        block INTEGER NOT NULL REFERENCES blocks
    ) STRICT""",
    """CREATE TABLE block_transactions (
        number INTEGER NOT NULL REFERENCES names,
        block INTEGER NOT NULL REFERENCES blocks,
        hash TEXT NOT NULL,
        PRIMARY KEY (number, block, hash)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE sightings (
        sequence INTEGER PRIMARY KEY,
        node TEXT NOT NULL,
        key TEXT NOT NULL,
        block_id TEXT NOT NULL,
        seen_at REAL NOT NULL,
        checked INTEGER NOT NULL,
        verdict INTEGER,
        UNIQUE (node, key)
    ) STRICT""",
    "CREATE INDEX sightings_open ON sightings (node, checked, seen_at) WHERE verdict IS NULL",
    "CREATE INDEX sightings_by_block ON sightings (block_id, node)",
    """CREATE TABLE votes (
        block_id TEXT NOT NULL,
        node TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (block_id, node)
    ) STRICT""",
    """CREATE TABLE evidence (
        sequence INTEGER PRIMARY KEY,
        block_id TEXT NOT NULL,
        node TEXT NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (block_id, node, text)
    ) STRICT""",
    """CREATE TABLE decisions (
        node TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        block_id TEXT NOT NULL,
        verdict INTEGER NOT NULL,
        text TEXT NOT NULL,
        valid_transactions INTEGER NOT NULL,
        newest_time TEXT NOT NULL,
        PRIMARY KEY (node, sequence),
        UNIQUE (block_id, node)
    ) STRICT""",
    # Where among the holdings of its owners an output is; owner 0 is nobody, who holds what nobody else does.  The
    # lineage stands at the first of several owners, so that each output is found once.
    """CREATE TABLE outputs (
        number INTEGER NOT NULL REFERENCES names,
        cid INTEGER NOT NULL,
        owner INTEGER NOT NULL,
        place INTEGER NOT NULL,
        asset INTEGER REFERENCES names,
        step INTEGER,
        PRIMARY KEY (number, cid, owner)
    ) STRICT, WITHOUT ROWID""",
    # Of an asset's line every 64th output, from which one walks to the others: an entry for each would be one more page
    # written per transfer, for what only readers of long lines need.
    "CREATE INDEX outputs_by_asset ON outputs (asset, step) WHERE step % 64 = 0",
    # An owner's unspent (0) and spent (1) outputs lie side by side, so that spending one changes one page; as do the
    # spent ones once more (2), each in the place at which it was spent.
    """CREATE TABLE holdings (
        owner INTEGER NOT NULL,
        spent INTEGER NOT NULL,
        place INTEGER NOT NULL,
        number INTEGER NOT NULL REFERENCES names,
        cid INTEGER NOT NULL,
        spender INTEGER REFERENCES names,
        PRIMARY KEY (owner, spent, place)
    ) STRICT, WITHOUT ROWID""",
    # The transactions that carry a payload, each in the place of its first output.
    """CREATE TABLE payloads (
        key INTEGER NOT NULL,
        place INTEGER NOT NULL,
        number INTEGER NOT NULL REFERENCES names,
        hash TEXT NOT NULL,
        PRIMARY KEY (key, place)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE rejections (
        sequence INTEGER PRIMARY KEY,
        hash TEXT NOT NULL,
        id TEXT NOT NULL,
        node TEXT NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (hash, node)
    ) STRICT""",
    "CREATE INDEX rejections_by_id ON rejections (id)",
    """CREATE TABLE registers (
        name TEXT PRIMARY KEY,
        text TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
)


# --- counters ----------------------------------------------------------------------------------------------

COUNTER = _query("int", "SELECT value FROM counters WHERE name = ?")

COUNT = "UPDATE counters SET value = value + ? WHERE name = ?"

# --- names and texts ---------------------------------------------------------------------------------------

# Some of these names are others that share their key.
NUMBERS = _query("str int", "SELECT name, number FROM names WHERE key IN ({keys})")

LAST_NUMBER = _query("int", "SELECT coalesce(max(number), 0) FROM names")

ADD_NAME = "INSERT INTO names (number, key, name) VALUES (?, ?, ?)"

# Some of these hashes are others that share their key.
TEXT_SEQUENCES = _query("str int", "SELECT hash, sequence FROM texts WHERE key IN ({keys})")

LAST_TEXT = _query("int", "SELECT coalesce(max(sequence), 0) FROM texts")

NUMBERS_WITH_TEXT = _query("int", "SELECT number FROM texts WHERE number IN ({keys})")

ADD_TEXT = """
    INSERT INTO texts (sequence, number, key, hash, tag, text) VALUES (?, ?, ?, ?, ?, ?)
"""

# Some of these hashes are others that share their key.
CONTENTS = _query(
    "int str str str bytes",
    """
    SELECT t.number, t.hash, i.name, t.text, t.tag
    FROM texts AS t CROSS JOIN names AS i ON i.number = t.number
    WHERE t.key IN ({keys})
""",
)

TEXTS_OF_NUMBERS = _query(
    "int str str bytes",
    """
    SELECT number, hash, text, tag FROM texts WHERE number IN ({keys}) ORDER BY number, sequence
""",
)

ADD_SPEND = "INSERT INTO spends (number, cid, spender) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"

SPENDERS = _query(
    "int int str",
    """
    WITH wanted (number, cid) AS (VALUES {pairs})
    SELECT s.number, s.cid, i.name
    FROM wanted AS w
        CROSS JOIN spends AS s ON s.number = w.number AND s.cid = w.cid
        CROSS JOIN names AS i ON i.number = s.spender
""",
)

# --- backlog -----------------------------------------------------------------------------------------------

WAITING_TEXTS = _query("int", "SELECT text FROM backlog WHERE text IN ({keys})")

ADD_WAITING = "INSERT INTO backlog (sequence, text, number, received_at, assigning) VALUES (?, ?, ?, ?, ?)"

BACKLOG = _query(
    "int float int str str str",
    """
    SELECT b.sequence, b.received_at, b.number, t.hash, i.name, b.assigning
    FROM backlog AS b
        CROSS JOIN texts AS t ON t.sequence = b.text
        CROSS JOIN names AS i ON i.number = b.number
    WHERE b.sequence > ?
    ORDER BY b.sequence
    LIMIT ?
""",
)

WAITING = _query(
    "int str str bytes",
    """
    SELECT b.number, t.hash, t.text, t.tag
    FROM backlog AS b CROSS JOIN texts AS t ON t.sequence = b.text
    WHERE b.number IN ({keys})
    ORDER BY b.number, b.sequence
""",
)

DROP_NUMBERS = "DELETE FROM backlog WHERE number IN ({keys})"

DROP_TEXTS = "DELETE FROM backlog WHERE text IN ({keys})"

# --- blocks ------------------------------------------------------------------------------------------------

GENESIS = _query(
    "str str str str str bytes",
    """
    SELECT b.key, b.id, b.text, b.transactions, b.transaction_ids, b.tags
    FROM genesis AS g CROSS JOIN blocks AS b ON b.sequence = g.block
    WHERE g.one = 1
""",
)

ADD_GENESIS = "INSERT INTO genesis (one, block) SELECT 1, sequence FROM blocks WHERE key = ?"

# Nothing is ever deleted from this table, so its numbers have no gaps and none is given twice.
ADD_BLOCK = _query(
    "int",
    """
    INSERT INTO blocks (key, id, text, transactions, transaction_ids, tags) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO NOTHING
    RETURNING sequence
""",
)

ADD_BLOCK_TRANSACTION = """
    INSERT INTO block_transactions (number, block, hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""

BLOCKS_AFTER = _query(
    "int str str str str str bytes",
    """
    SELECT sequence, key, id, text, transactions, transaction_ids, tags
    FROM blocks
    WHERE sequence > ?
    ORDER BY sequence
    LIMIT ?
""",
)

BLOCKS = _query(
    "str str str str str bytes",
    """
    SELECT key, id, text, transactions, transaction_ids, tags
    FROM blocks
    WHERE id IN ({keys})
    ORDER BY id, sequence
""",
)

BLOCK_COUNT = _query("int", "SELECT coalesce(max(sequence), 0) FROM blocks")

# --- sightings ---------------------------------------------------------------------------------------------

SIGHT = """
    INSERT INTO sightings (node, key, block_id, seen_at, checked, verdict) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (node, key) DO UPDATE SET
        checked = max(checked, excluded.checked),
        verdict = coalesce(verdict, excluded.verdict)
    WHERE checked < excluded.checked OR verdict IS NULL AND excluded.verdict IS NOT NULL
"""

SIGHTINGS = _query(
    "str str float int int?",
    """
    SELECT key, block_id, seen_at, checked, verdict FROM sightings WHERE node = ? AND key IN ({keys})
""",
)

OPEN_SIGHTINGS = _query(
    "str str float int int?",
    """
    SELECT key, block_id, seen_at, checked, verdict
    FROM sightings
    WHERE node = ? AND checked = ? AND verdict IS NULL
    ORDER BY seen_at, sequence
    LIMIT ?
""",
)

OPEN_SIGHTINGS_AFTER = _query(
    "str str float int int?",
    """
    SELECT key, block_id, seen_at, checked, verdict
    FROM sightings
    WHERE node = ? AND checked = ? AND verdict IS NULL AND (seen_at, sequence) > (?, ?)
    ORDER BY seen_at, sequence
    LIMIT ?
""",
)

PLACE_OF_SIGHTING = _query("float int", "SELECT seen_at, sequence FROM sightings WHERE node = ? AND key = ?")

NEWEST_OPEN_SIGHTINGS = _query(
    "str str float int int?",
    """
    SELECT key, block_id, seen_at, checked, verdict
    FROM sightings
    WHERE node = ? AND checked = ? AND verdict IS NULL AND seen_at <= ?
    ORDER BY seen_at DESC, sequence DESC
    LIMIT ?
""",
)

STANDINGS = _query(
    "int str str float int? str",
    """
    SELECT t.number, s.block_id, s.key, s.seen_at, s.verdict, t.hash
    FROM block_transactions AS t
        CROSS JOIN blocks AS b ON b.sequence = t.block
        CROSS JOIN sightings AS s ON s.node = ? AND s.key = b.key AND s.checked = ?
    WHERE t.number IN ({keys})
    ORDER BY t.number, t.block
""",
)

SET_VERDICT = "UPDATE sightings SET verdict = ? WHERE node = ? AND block_id = ? AND verdict IS NULL"

# --- votes -------------------------------------------------------------------------------------------------

PLACE_VOTE = """
    INSERT INTO votes (block_id, node, text) VALUES (?, ?, ?)
    ON CONFLICT (block_id, node) DO UPDATE SET text = excluded.text WHERE text = ?
"""

PLACES = _query(
    "str str str",
    """
    WITH wanted (block_id, node) AS (VALUES {pairs})
    SELECT v.block_id, v.node, v.text
    FROM wanted AS w CROSS JOIN votes AS v ON v.block_id = w.block_id AND v.node = w.node
""",
)

VOTES = _query("str str str", "SELECT block_id, node, text FROM votes WHERE block_id IN ({keys})")

# The first four texts of a place.
ADD_EVIDENCE = """
    WITH wanted (block_id, node, text) AS (VALUES (?, ?, ?))
    INSERT INTO evidence (block_id, node, text)
    SELECT w.block_id, w.node, w.text FROM wanted AS w
    WHERE (SELECT count(*) FROM evidence AS e WHERE e.block_id = w.block_id AND e.node = w.node) < 4
    ON CONFLICT (block_id, node, text) DO NOTHING
"""

# The same, for a text that finds another in its place.
ADD_SECOND_VOTE = """
    WITH wanted (block_id, node, text) AS (VALUES (?, ?, ?))
    INSERT INTO evidence (block_id, node, text)
    SELECT w.block_id, w.node, w.text
    FROM wanted AS w CROSS JOIN votes AS v ON v.block_id = w.block_id AND v.node = w.node
    WHERE v.text <> w.text
        AND (SELECT count(*) FROM evidence AS e WHERE e.block_id = w.block_id AND e.node = w.node) < 4
    ON CONFLICT (block_id, node, text) DO NOTHING
"""

EVIDENCE = _query(
    "str str str",
    """
    SELECT block_id, node, text FROM evidence
    WHERE sequence > ifnull(
        (SELECT e.sequence FROM evidence AS e WHERE e.block_id = ? AND e.node = ? AND e.text = ?), 0
    )
    ORDER BY sequence LIMIT ?
    """,
)

# --- decisions ---------------------------------------------------------------------------------------------

ADD_DECISION = """
    INSERT INTO decisions (node, sequence, block_id, verdict, text, valid_transactions, newest_time)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""

DECISION_AT = _query("str", "SELECT text FROM decisions WHERE node = ? AND sequence = ?")

DECISION_ON = _query("str", "SELECT text FROM decisions WHERE node = ? AND block_id = ?")

DECISIONS = _query(
    "str int str int str int str",
    """
    SELECT node, sequence, block_id, verdict, text, valid_transactions, newest_time
    FROM decisions
    WHERE node = ? AND sequence > ?
    ORDER BY sequence
    LIMIT ?
""",
)

LATEST_DECISION = _query(
    "str int str int str int str",
    """
    SELECT node, sequence, block_id, verdict, text, valid_transactions, newest_time
    FROM decisions
    WHERE node = ?
    ORDER BY sequence DESC
    LIMIT 1
""",
)

DECISIONS_ON = _query(
    "str int str int str int str",
    """
    SELECT node, sequence, block_id, verdict, text, valid_transactions, newest_time
    FROM decisions
    WHERE block_id IN ({keys})
    ORDER BY block_id, node
""",
)

# --- holdings ----------------------------------------------------------------------------------------------

LINEAGES = _query(
    "int int str int",
    """
    WITH wanted (number, cid) AS (VALUES {pairs})
    SELECT o.number, o.cid, i.name, o.step
    FROM wanted AS w
        CROSS JOIN outputs AS o ON o.number = w.number AND o.cid = w.cid
        CROSS JOIN names AS i ON i.number = o.asset
""",
)

# Where to begin a walk along an asset's line: the last of these places before a step, or else the line's beginning.
LINE_BEFORE = _query(
    "int int int int int",
    """
    SELECT step, number, cid, owner, place FROM outputs
    WHERE asset = ? AND step % 64 = 0 AND step <= ?
    ORDER BY step DESC
    LIMIT 1
""",
)

LINE_BEGINNING = _query(
    "int int int int int",
    "SELECT step, number, cid, owner, place FROM outputs WHERE number = ? AND asset = number AND step = 1 LIMIT 1",
)

# What spends an output of the line has the next: the one of its outputs that is of the same asset.
LINE = _query(
    "int str int str?",
    """
    WITH RECURSIVE line (step, number, cid, owner, place) AS (
        VALUES (?, ?, ?, ?, ?)
        UNION ALL
        SELECT o.step, o.number, o.cid, o.owner, o.place
        FROM line AS l
            CROSS JOIN holdings AS h ON h.owner = l.owner AND h.spent = 1 AND h.place = l.place
            CROSS JOIN outputs AS o ON o.number = h.spender AND o.asset = ? AND o.step = l.step + 1
        LIMIT ?
    )
    SELECT l.step, i.name, l.cid, s.name
    FROM line AS l
        CROSS JOIN names AS i ON i.number = l.number
        LEFT JOIN holdings AS h ON h.owner = l.owner AND h.spent = 1 AND h.place = l.place
        LEFT JOIN names AS s ON s.number = h.spender
""",
)

OUTPUTS = _query(
    "int int",
    """
    WITH wanted (number, cid) AS (VALUES {pairs})
    SELECT o.number, o.cid
    FROM wanted AS w CROSS JOIN outputs AS o ON o.number = w.number AND o.cid = w.cid
""",
)

ADD_OUTPUT = "INSERT INTO outputs (number, cid, owner, asset, step, place) VALUES (?, ?, ?, ?, ?, ?)"

ADD_HOLDING = "INSERT INTO holdings (owner, spent, place, number, cid) VALUES (?, 0, ?, ?, ?)"

# The holdings of these outputs that are unspent so far, each with its spender, and the place of its first output.
SPENT_PLACES = _query(
    "int int int int int int",
    """
    WITH wanted (number, cid, spender) AS (VALUES {triples})
    SELECT
        w.spender, o.owner, o.place, w.number, w.cid,
        coalesce((SELECT min(f.place) FROM outputs AS f WHERE f.number = w.spender AND f.cid = 0), o.place)
    FROM wanted AS w
        CROSS JOIN outputs AS o ON o.number = w.number AND o.cid = w.cid
        CROSS JOIN holdings AS h ON h.owner = o.owner AND h.spent = 0 AND h.place = o.place
""",
)

ADD_SPENT_HOLDING = "INSERT INTO holdings (owner, spent, place, number, cid, spender) VALUES (?, 2, ?, ?, ?, ?)"

SPEND_HOLDING = "UPDATE holdings SET spent = 1, spender = ? WHERE owner = ? AND spent = 0 AND place = ?"

HOLDINGS_OF_A_KIND = _query(
    "int str int str?",
    """
    SELECT h.place, i.name, h.cid, s.name
    FROM holdings AS h CROSS JOIN names AS i ON i.number = h.number LEFT JOIN names AS s ON s.number = h.spender
    WHERE h.owner = ? AND h.spent = ? AND h.place > ?
    ORDER BY h.place
    LIMIT ?
""",
)

# Both kinds are in order already, and are merged; what is joined to them may come in any order.
HOLDINGS = _query(
    "int str int str?",
    """
    SELECT h.place, i.name, h.cid, s.name
    FROM (
        SELECT place, number, cid, spender FROM holdings WHERE owner = ? AND spent = 0 AND place > ?
        UNION ALL
        SELECT place, number, cid, spender FROM holdings WHERE owner = ? AND spent = 1 AND place > ?
        ORDER BY place
        LIMIT ?
    ) AS h CROSS JOIN names AS i ON i.number = h.number LEFT JOIN names AS s ON s.number = h.spender
""",
)

# --- payloads ----------------------------------------------------------------------------------------------

ADD_PAYLOAD = """
    INSERT INTO payloads (key, place, number, hash)
    SELECT ?, min(place), number, ? FROM outputs WHERE number = ? AND cid = 0 GROUP BY number
    ON CONFLICT DO NOTHING
"""

# Before all that is settled.
ADD_GENESIS_PAYLOAD = "INSERT INTO payloads (key, place, number, hash) VALUES (?, 1, ?, ?)"

# Each payload that shares its key with this one was made on purpose, at 2^48 hashes: the filter has little to do.
WITH_PAYLOAD = _query(
    "int str",
    """
    SELECT p.place, i.name
    FROM payloads AS p CROSS JOIN names AS i ON i.number = p.number
    WHERE p.key = ? AND p.place > ? AND p.hash = ?
    ORDER BY p.place
    LIMIT ?
""",
)

# --- rejections and registers ------------------------------------------------------------------------------

ADD_REJECTION = """
    INSERT INTO rejections (hash, id, node, text) VALUES (?, ?, ?, ?) ON CONFLICT (hash, node) DO NOTHING
"""

REJECTIONS = _query(
    "str str str str", "SELECT hash, id, node, text FROM rejections WHERE id IN ({keys}) ORDER BY id, sequence"
)

REGISTERS = _query("str str", "SELECT name, text FROM registers WHERE name IN ({keys})")

SET_REGISTER = "INSERT INTO registers (name, text) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text"

EMPTY_REGISTER = "DELETE FROM registers WHERE name = ?"
