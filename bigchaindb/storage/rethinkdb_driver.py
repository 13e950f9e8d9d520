"""The RethinkDB driver behind one door: connections whose every wait is bounded, and errors in the ledger's words.

Invariants:

- Only this module knows the driver's connections and errors; the others build queries with `r` and hand them here.
- Connecting and waiting for an answer end by themselves: a server that fell silent is one that is away.  A connection
  that failed in any way is never used again, because a late answer may still be on its way.
- Closing a connection never fails and never logs; the driver's own socket can do both.
- Documents travel as JSON text that the standard library wrote: the driver makes an object of every leaf otherwise.
- The password is in no message, no repr and no query.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from select import POLLIN, poll
from typing import TYPE_CHECKING, Any, Final

import rapidjson
from rethinkdb import errors, net, r

from bigchaindb.exceptions import (
    ConfigurationError,
    InvalidValue,
    StorageMismatch,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bigchaindb.exceptions import BigchainDBError

__all__ = ["Connection", "Server", "literal", "r", "translated", "version_of", "written"]

OLDEST_VERSION: Final = (2, 4, 0)

_CONNECT_SECONDS: Final = 5.0
# A hard write of a full chunk takes a fraction of a second; a busy machine may take many times that.
_ANSWER_SECONDS: Final = 10.0
_KEEP_ALIVE: Final = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
_SHOWN_CHARACTERS: Final = 200
_WRONG_TLS: Final = (FileNotFoundError, PermissionError, ssl.SSLError)

_MAX_DEPTH: Final = 64
_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]|[^"\[\]{}]+')
_decode: Final = rapidjson.Decoder()

_VERSION: Final = re.compile(r"rethinkdb (\d+)\.(\d+)\.(\d+)")
# What the server says of keys that it cannot have, and of documents that are not as this package writes them.
_NO_KEY: Final = re.compile(r"key too long|contains NULL byte|Invalid UTF-8|JSON", re.IGNORECASE)
_NO_DOCUMENT: Final = re.compile(r"No attribute|Expected type|Cannot (?:call|convert|merge)|Cannot perform bracket")


@dataclass(frozen=True, slots=True)
class Server:
    """Where a ledger is, and how to get in.

    Attributes:
        host: name or address of one server of the cluster.
        port: its driver port.
        name: of the database.
        user: who connects.
        password: of that user; empty for none.
        tls_ca: file with the certificates (PEM) that the server's must be signed by, or None for no TLS.
    """

    host: str
    port: int
    name: str
    user: str = "admin"
    password: str = field(default="", repr=False)
    tls_ca: str | None = None

    def __str__(self) -> str:
        """Return how messages call it."""
        return f"RethinkDB {self.host}:{self.port}/{self.name}"


# --- connections -------------------------------------------------------------------------------------------


class _Answer(bytes):
    """What came in.  What is no Unicode was not written here, and must not hide what was, beside it."""

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, errors)


class _Socket:
    """What the driver asks of a socket, with an end to every wait; its errors are ours already."""

    def __init__(self, server: Server, answer_seconds: float | None) -> None:
        self._server = server
        self._answer_seconds = answer_seconds
        self._socket = socket.create_connection((server.host, server.port), _CONNECT_SECONDS)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEP_ALIVE:
                self._socket.setsockopt(socket.IPPROTO_TCP, option, value)
            if server.tls_ca is not None:
                context = ssl.create_default_context(cafile=server.tls_ca)
                self._socket = context.wrap_socket(self._socket, server_hostname=server.host)
        except BaseException:
            self.close()
            raise

    def shake_hands(self, handshake: Any) -> None:
        """Log in; the driver knows how."""
        deadline = time.monotonic() + _CONNECT_SECONDS
        request = self._next(handshake, None)
        while request is not None:
            if request:
                self._socket.sendall(request)
            answer = bytearray()
            while not answer.endswith(b"\0"):
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                byte = self._socket.recv(1)
                if not byte:
                    raise ConnectionResetError("the server closed the connection")
                answer += byte
            request = self._next(handshake, bytes(answer[:-1]))
        self._socket.settimeout(self._answer_seconds)

    @staticmethod
    def _next(handshake: Any, answer: bytes | None) -> Any:
        try:
            return handshake.next_message(answer)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ConnectionError("whoever listens there does not speak as RethinkDB does") from error

    def be_patient(self, answer_seconds: float | None) -> None:
        """Wait so long for any answer from now on; None for ever."""
        with suppress(OSError):  # closed: whoever uses it finds out
            self._socket.settimeout(answer_seconds)

    def recvall(self, length: int, _deadline: float | None) -> bytes:
        """Read so many bytes."""
        answer = bytearray(length)
        rest = memoryview(answer)
        while rest:
            try:
                count = self._socket.recv_into(rest)
            except OSError as error:
                raise self._lost(error) from error
            if not count:
                raise self._lost("the server closed the connection")
            rest = rest[count:]
        return _Answer(answer)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, problem: object) -> StorageUnavailable:
        self.close()
        reason = "no answer" if isinstance(problem, TimeoutError) else problem
        return StorageUnavailable(f"{self._server}: {reason}; what was being written may have been, or not")

    def is_open(self) -> bool:
        """Tell whether it was not closed here."""
        return self._socket.fileno() >= 0

    def is_quiet(self) -> bool:
        """Tell whether nothing has come in: not even the end of the connection."""
        waiting = poll()
        waiting.register(self._socket, POLLIN)
        return not waiting.poll(0)

    def hang_up(self) -> None:
        """End the connection for whoever is reading from it in another thread."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close; twice is harmless."""
        self.hang_up()
        self._socket.close()


class _Instance(net.ConnectionInstance):  # type: ignore[misc] # the driver has no types
    """The driver's connection over our socket."""

    def connect(self, _timeout: float) -> Any:
        parent = self._parent
        self._socket = _Socket(parent.server, parent.answer_seconds)
        try:
            parent.handshake.reset()
            self._socket.shake_hands(parent.handshake)
        except BaseException:
            self._socket.close()
            raise
        return parent

    def run_query(self, query: Any, noreply: bool) -> Any:  # noqa: FBT001 - the driver's own signature
        """Return a sequence whole.

        The driver's cursors ask for more before they look at what they have, and the answer to that stays unread.
        """
        if self._parent.answer_seconds is None:
            return super().run_query(query, noreply)
        self._send(query)
        if noreply:
            return None
        response = self._read_response(query)
        rows: list[Any] = []
        while response.type == net.pResponse.SUCCESS_PARTIAL:
            rows += response.data
            self._send(net.Query(net.pQuery.CONTINUE, query.token, None, None))
            response = self._read_response(query)
        if response.type == net.pResponse.SUCCESS_SEQUENCE:
            return rows + response.data
        if response.type == net.pResponse.SUCCESS_ATOM:
            return response.data[0]
        raise response.make_error(query)

    def _send(self, query: Any) -> None:
        self._socket.sendall(query.serialize(self._parent._get_json_encoder(query)))  # noqa: SLF001 - as the driver does


class _PlainJson:
    """Answers hold no times and no binary data, so nothing needs to look at every object.

    They hold texts full of quotation marks, which rapidjson reads in a quarter of the standard library's time.
    """

    def __init__(self, _options: object = None) -> None: ...

    @staticmethod
    def decode(text: str) -> Any:
        """Return what a text says; what is nested deeper than anything that is written here is null."""
        try:
            return _decode(text)
        except RecursionError:
            return _decode(_shallow(text))


def _shallow(text: str) -> str:
    """Return a JSON text with null in place of everything that is nested too deep."""
    kept: list[str] = []
    depth = 0
    for token in _TOKEN.findall(text):
        depth += token in {"[", "{"}
        if depth < _MAX_DEPTH:
            kept.append(token)
        elif depth == _MAX_DEPTH and token in {"[", "{"}:
            kept.append("null")
        depth -= token in {"]", "}"}
    return "".join(kept)


class _Driver(net.Connection):  # type: ignore[misc] # the driver has no types
    def __init__(self, *arguments: Any, server: Server, answer_seconds: float | None, **options: Any) -> None:
        self.server = server
        self.answer_seconds = answer_seconds
        super().__init__(_Instance, *arguments, json_decoder=_PlainJson, **options)


class Connection:
    """One connection, for one thread at a time."""

    def __init__(self, server: Server, *, answer_seconds: float | None = _ANSWER_SECONDS) -> None:
        """Connect and log in.

        Args:
            server: where, and as whom.
            answer_seconds: how long to wait for any answer; None for ever, until `hang_up`, and to `stream` only.

        Raises:
            StorageUnavailable: it cannot be reached.
            ConfigurationError: user, password or certificates do not fit; `field` names the setting.
        """
        # The driver writes it in Latin-1, the server reads UTF-8.
        password = server.password.encode().decode("latin-1")
        try:
            self._driver = r.make_connection(
                _Driver,
                host=server.host,
                port=server.port,
                db=server.name,
                user=server.user,
                password=password,
                server=server,
                answer_seconds=answer_seconds,
            )
        except errors.ReqlAuthError as error:
            problem = f"{server} lets user {server.user!r} not in: {_told(error, server)}"
            raise ConfigurationError(problem, field="database.password") from error
        except ssl.SSLCertVerificationError as error:
            problem = f"{server}: its certificate is not vouched for by {server.tls_ca}: {error.verify_message}"
            raise ConfigurationError(problem, field="database.tls_ca") from error
        except (OSError, errors.ReqlDriverError) as error:
            if server.tls_ca is not None and isinstance(error, _WRONG_TLS) and not isinstance(error, ssl.SSLEOFError):
                raise ConfigurationError(f"{server}: {server.tls_ca}: {error}", field="database.tls_ca") from error
            raise StorageUnavailable(f"{server} cannot be reached: {_told(error, server)}") from error

    @property
    def _socket(self) -> _Socket:
        found: _Socket = self._driver._instance._socket  # noqa: SLF001 - made above
        return found

    def run(self, query: Any, *, answer_seconds: float | None = None, **options: Any) -> Any:
        """Run a query to its end; return its value, a sequence as a list.

        Args:
            query: with `r`.
            answer_seconds: how long to wait for this answer, where that is longer than for others.
            options: of the query.

        Raises:
            BigchainDBError: see `translated`.
            StorageUnavailable: the connection broke, and `is_usable` is False now.
        """
        with self._door():
            if answer_seconds is None:
                return query.run(self._driver, **options)
            self._socket.be_patient(answer_seconds)
            try:
                return query.run(self._driver, **options)
            finally:
                self._socket.be_patient(self._driver.answer_seconds)

    def stream(self, query: Any) -> Iterator[Any]:
        """Run a query; give the items of its value as they come, for as long as there are any.

        Raises:
            BigchainDBError: as `run`.
        """
        with self._door():
            yield from query.run(self._driver)

    @contextmanager
    def _door(self) -> Iterator[None]:
        try:
            yield
        except errors.ReqlError as error:
            raise translated(error, self._driver.server) from error
        except UnicodeEncodeError as error:
            raise InvalidValue(f"{self._driver.server}: a value that is no Unicode text: {error}") from error
        except BaseException:
            # Interrupted between question and answer.
            self.close()
            raise

    def is_usable(self) -> bool:
        """Tell whether nothing is known against it; one that the server closed while nobody used it is not."""
        return bool(self._driver.is_open()) and self._socket.is_quiet()

    def hang_up(self) -> None:
        """Wake a thread that waits for an answer; it finds the connection closed."""
        self._socket.hang_up()

    def close(self) -> None:
        """Close; twice is harmless."""
        if self._driver._instance is not None:  # noqa: SLF001 - closing through the driver would wait for the server
            self._socket.close()


# --- values ------------------------------------------------------------------------------------------------


def literal(value: Any) -> Any:
    """Return a JSON value as a query.

    Raises:
        InvalidValue: it has no JSON.
    """
    return r.json(written(value))


def written(value: Any) -> str:
    """Return the JSON text of a value, as short as can be.

    Raises:
        InvalidValue: it has none.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise InvalidValue(f"a value that no ledger can hold: {error}") from error


def version_of(texts: Iterable[str]) -> tuple[int, int, int]:
    """Return the oldest version among what servers say of themselves, as in "rethinkdb 2.4.4 (x86_64...)".

    Raises:
        StorageMismatch: one does not say, or is older than this package can trust.
    """
    versions = []
    for text in texts:
        found = _VERSION.match(text)
        if found is None:
            raise StorageMismatch(f"a server of an unknown version: {text[:_SHOWN_CHARACTERS]!r}")
        versions.append((int(found[1]), int(found[2]), int(found[3])))
    oldest = min(versions, default=(0, 0, 0))
    if oldest < OLDEST_VERSION:
        raise StorageMismatch(f"RethinkDB {_dotted(oldest)} runs there; at least {_dotted(OLDEST_VERSION)} is needed")
    return oldest


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


# --- errors ------------------------------------------------------------------------------------------------


def translated(error: Exception, server: Server) -> BigchainDBError:
    """Return what an error of the driver means for the ledger."""
    told = _told(error, server)
    if isinstance(error, errors.ReqlPermissionError):
        return StorageMismatch(f"{server}: {told}")
    if isinstance(error, errors.ReqlQueryLogicError | errors.ReqlCompileError):
        return of_message(told, server)
    return StorageUnavailable(f"{server}: {told}")


def of_message(told: str, server: Server) -> BigchainDBError:
    """Return what a complaint of the server about a key or a document means."""
    if _NO_KEY.search(told):
        return InvalidValue(f"{server}: a value that no ledger can hold: {told}")
    if _NO_DOCUMENT.search(told):
        return StorageMismatch(f"{server}: the ledger is damaged: {told}")
    return StorageUnavailable(f"{server}: {told}")


def _told(error: Exception, server: Server) -> str:
    if isinstance(error, errors.ReqlError):
        # With these the driver prints the whole query, which may be megabytes of it.
        error.frames = None
        text = str(error.message)
    else:
        text = str(error)
    text = text.removeprefix(f"Could not connect to {server.host}:{server.port}").removeprefix(", ")
    return " ".join(text.split())[:_SHOWN_CHARACTERS]
