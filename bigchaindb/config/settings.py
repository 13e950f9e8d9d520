"""The settings of a node, as immutable values that are valid or don't exist.

Invariants:

- The dataclasses below are the one table of settings: names, types, defaults, ranges, environment variables and the
  reference in the documentation are all derived from their fields.
- Every constructor checks its fields, and the fields against each other.
- What is secret, the private key, a password and a token, appears in no message and in no repr.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from bigchaindb.config import kinds
from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import ConfigurationError

__all__ = [
    "Config",
    "Database",
    "Election",
    "KeyPair",
    "Limits",
    "Log",
    "Section",
    "Server",
    "Setting",
    "field_error",
    "join",
    "members",
    "new_config",
    "reference",
    "table",
    "variable_of",
]

ENVIRONMENT_PREFIX: Final = "BIGCHAINDB_"
_BLOCK_BYTES: Final = 4 * 2**20


def _about(kind: kinds.Kind, meaning: str, json_name: str | None = None, *, is_secret: bool = False) -> dict[str, Any]:
    """Return the metadata of a dataclass field that is a setting; it is called `json_name` in the file."""
    return {"kind": kind, "meaning": meaning, "json_name": json_name, "is_secret": is_secret}


class Section:
    """A dataclass of settings that checks them when it is made."""

    __slots__ = ()
    section: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Check every field, then the fields together."""
        for name, item in _settings(type(self)).items():
            try:
                value = item.metadata["kind"].accept(getattr(self, item.name))
            except kinds.Refused as error:
                raise field_error(join(self.section, name), str(error)) from error
            object.__setattr__(self, item.name, value)
        self._check_together()

    def _check_together(self) -> None:
        """Raise ConfigurationError where settings that are good each by itself don't fit together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Section):
    """The web server of this node."""

    section: ClassVar[str] = "server"

    bind: str = field(
        default="localhost:9984",
        metadata=_about(
            kinds.ADDRESS,
            "Where the HTTP API and the explorer are served; IPv6 as in [::1]:9984. Port 0 is any free one, as logged.",
        ),
    )
    api_token: str | None = field(
        default=None,
        repr=False,
        metadata=_about(
            kinds.or_null(kinds.TOKEN),
            "What a client must send (`Authorization: Bearer ...`) to have this node create assets, 16 characters or "
            "more; null lets whoever is on this machine do so, if `server.bind` is a loopback address, and nobody "
            "otherwise. A secret.",
            is_secret=True,
        ),
    )
    cors_origins: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            kinds.ORIGINS,
            "Web pages of these origins may use the HTTP API from a browser, as in https://example.org. In the "
            "environment, they are separated by commas.",
        ),
    )

    @property
    def address(self) -> tuple[str, int]:
        """`bind` as (host, port)."""
        return kinds.split_address(self.bind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database(Section):
    """Where the ledger is kept."""

    section: ClassVar[str] = "database"

    backend: Literal["sqlite", "rethinkdb"] = field(
        default="sqlite",
        metadata=_about(
            kinds.choice("sqlite", "rethinkdb"),
            "sqlite is a file, for nodes of one machine; rethinkdb is a server, for nodes of several.",
        ),
    )
    path: str | None = field(
        default=None,
        metadata=_about(
            kinds.or_null(kinds.FULL_PATH),
            "The file of the sqlite backend; null is `bigchaindb/ledger.sqlite` in the user's data directory.",
        ),
    )
    host: str = field(default="localhost", metadata=_about(kinds.HOST, "Host of the RethinkDB server."))
    port: int = field(default=28015, metadata=_about(kinds.PORT, "Driver port of the RethinkDB server."))
    name: str = field(default="bigchaindb", metadata=_about(kinds.DATABASE_NAME, "Name of the database in RethinkDB."))
    user: str = field(default="admin", metadata=_about(kinds.USER_NAME, "Who this node is to the RethinkDB server."))
    password: str | None = field(
        default=None,
        repr=False,
        metadata=_about(
            kinds.or_null(kinds.PASSWORD),
            "The password of that user; null where there is none. A secret.",
            is_secret=True,
        ),
    )
    tls_ca: str | None = field(
        default=None,
        metadata=_about(
            kinds.or_null(kinds.FULL_PATH),
            "File with the certificates, in PEM, that must have signed the RethinkDB server's; null is to connect "
            "without TLS.",
        ),
    )

    @property
    def file(self) -> Path:
        """The file of the sqlite backend.

        Raises:
            ConfigurationError: `path` is null; after `load` it never is.
        """
        if self.path is None:
            raise field_error("database.path", "is null here: `load` puts the default in its place")
        return Path(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair(Section):
    """The Ed25519 keys of this node, each base58 of 32 bytes."""

    section: ClassVar[str] = "keypair"

    public: str = field(metadata=_about(kinds.PUBLIC_KEY, "The key by which other nodes know this one."))
    private: str = field(
        repr=False, metadata=_about(kinds.PRIVATE_KEY, "The key this node signs with. A secret.", is_secret=True)
    )

    def _check_together(self) -> None:
        if str(SigningKey(self.private).verifying_key) != self.public:
            raise field_error("keypair.public", "is not the public key of keypair.private")


@dataclass(frozen=True, slots=True, kw_only=True)
class Election(Section):
    """How blocks are decided (design.md section 3)."""

    section: ClassVar[str] = "election"

    quorum: Literal["majority", "two-thirds"] = field(
        default="majority",
        metadata=_about(
            kinds.choice("majority", "two-thirds"),
            "Votes that decide a block: more than half, or more than two thirds where nodes might lie. "
            "All nodes of a federation have the same; it is fixed when the ledger begins.",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Section):
    """What this node accepts."""

    section: ClassVar[str] = "limits"

    transaction_bytes: int = field(
        default=2**18,
        metadata=_about(kinds.integer(1024, _BLOCK_BYTES), "Most bytes of a signed transaction, as canonical UTF-8."),
    )
    backlog_transactions: int = field(
        default=100_000,
        metadata=_about(
            kinds.integer(1, 10**9),
            "How many transactions may wait in the backlog before the HTTP API takes no more for the moment (429).",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Section):
    """What the processes of the node write down."""

    section: ClassVar[str] = "log"

    level: Literal["debug", "info", "warning", "error"] = field(
        default="info",
        metadata=_about(kinds.choice("debug", "info", "warning", "error"), "The least level that is logged."),
    )
    file: str | None = field(
        default=None,
        metadata=_about(kinds.or_null(kinds.FULL_PATH), "Where the log is appended; null is standard error."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Section):
    """Everything that can be set, valid."""

    server: Server = field(default_factory=Server, metadata={"section": Server})
    database: Database = field(default_factory=Database, metadata={"section": Database})
    keypair: KeyPair = field(metadata={"section": KeyPair})
    keyring: tuple[str, ...] = field(
        default=(), metadata=_about(kinds.PUBLIC_KEYS, "Public keys of the other members of the federation.")
    )
    earlier_federations: tuple[tuple[str, ...], ...] = field(
        default=(),
        metadata=_about(
            kinds.LISTS_OF_PUBLIC_KEYS,
            "Members of every federation of this ledger before the present one, oldest first; kept by "
            "`bigchaindb keyring`. In the environment, federations are separated by commas.",
        ),
    )
    backlog_reassign_delay_seconds: float = field(
        default=30.0,
        metadata=_about(
            kinds.number(0, 86_400),
            "Seconds that a transaction waits for the node it is assigned to, before any other may take it.",
            "backlog_reassign_delay",
        ),
    )
    block_interval_seconds: float = field(
        default=0.05,
        metadata=_about(
            kinds.number(0, 60),
            "Seconds that a busy node collects transactions before it builds a block.",
            "block_interval",
        ),
    )
    election: Election = field(default_factory=Election, metadata={"section": Election})
    limits: Limits = field(default_factory=Limits, metadata={"section": Limits})
    log: Log = field(default_factory=Log, metadata={"section": Log})

    def _check_together(self) -> None:
        if self.keypair.public in self.keyring:
            raise field_error("keyring", "has this node's own key: it lists the other members only")

    @property
    def federation(self) -> tuple[str, ...]:
        """Public keys of all members, this node's among them, sorted."""
        return tuple(sorted((*self.keyring, self.keypair.public)))

    def with_keys(self, private_key: str, public_key: str) -> Config:
        """Return the same configuration for another key pair.

        Raises:
            ConfigurationError: these are not a pair, or the key is in the keyring.
        """
        return dataclasses.replace(self, keypair=KeyPair(public=public_key, private=private_key))


def new_config(private_key: str, public_key: str) -> Config:
    """Return the defaults for a key pair.

    Raises:
        ConfigurationError: these are not a pair of keys.
    """
    return Config(keypair=KeyPair(public=public_key, private=private_key))


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the reference: a setting as the operator sees it.

    Attributes:
        path: its place in the file, as in `database.port`.
        variable: the environment variable that wins over the file.
        type: what values it takes, in words.
        default: the JSON value that stands for it when it is absent; null where `required`.
        required: it has no default.
        meaning: what it does, with units.
    """

    path: str
    variable: str
    type: str
    default: Any
    required: bool
    meaning: str


def _settings(section: type[Section]) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of a section that are settings, by their JSON names."""
    return {name: item for name, item in members(section).items() if "kind" in item.metadata}


def members(section: type[Section]) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of a section, settings and further sections, by their JSON names."""
    # Every section is a dataclass; only their common base is not.
    items = dataclasses.fields(section)  # type: ignore[arg-type]
    return {item.metadata.get("json_name") or item.name: item for item in items}


def join(section: str, name: str) -> str:
    """Return the path of a name in a section; the section of the whole is the empty text."""
    return f"{section}.{name}" if section else name


def field_error(path: str, problem: str) -> ConfigurationError:
    """Return the error that names a setting."""
    return ConfigurationError(f"{path}: {problem}", field=path)


def reference() -> list[Setting]:
    """Return all settings in the order of the file, for the documentation and the command line."""
    return [
        Setting(
            path=path,
            variable=variable_of(path),
            type=item.metadata["kind"].name,
            default=_default(item),
            required=item.default is dataclasses.MISSING,
            meaning=item.metadata["meaning"],
        )
        for path, item in table().items()
    ]


def table() -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of all settings by path, in the order of the file."""
    result: dict[str, dataclasses.Field[Any]] = {}
    for name, item in members(Config).items():
        section = item.metadata.get("section")
        inner = {name: item} if section is None else {join(name, key): it for key, it in _settings(section).items()}
        result.update(inner)
    return result


def variable_of(path: str) -> str:
    """Return the environment variable of a setting."""
    return ENVIRONMENT_PREFIX + path.replace(".", "_").upper()


def _default(item: dataclasses.Field[Any]) -> Any:
    if item.default is dataclasses.MISSING:
        return None
    return list(item.default) if isinstance(item.default, tuple) else item.default
