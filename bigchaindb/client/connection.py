"""Requests to a node over HTTP.

Invariants:

- A request is sent again only after a failure that may pass: no connection, no answer in time, a broken answer, or the
  statuses 429, 502, 503 and 504.  It is the same to the byte then, and every request of this package may be repeated
  without harm.  A refusal is never asked for twice.
- No redirect is followed, since what was sent would go to whoever it names.
- An answer is read up to a bound of bytes, and within a bound of time.
- The token is sent with the requests that need it only, and shown nowhere.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

import httpx

from bigchaindb.client.answers import Answer, clean
from bigchaindb.client.patience import Patience, retry_after_seconds
from bigchaindb.exceptions import BigchainDBError, InvalidValue, NodeUnreachable, UnexpectedAnswer
from bigchaindb.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Connection"]

_RETRIED: Final = frozenset({429, 502, 503, 504})
_TOKEN: Final = re.compile(r"[!-~]{1,4096}")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_SHOWN_BYTES: Final = 2**16
# Sockets count milliseconds in 32 bits.
_MAX_TIMEOUT_SECONDS: Final = 10**6
_MAX_PORT: Final = 2**16 - 1


class Connection:
    """A way to a node."""

    def __init__(  # noqa: PLR0913 - what a client is told, and what tests put in place of chance and time
        self,
        url: str,
        *,
        api_token: str | None,
        timeout_seconds: float,
        max_answer_bytes: int,
        patience: Patience,
        transport: httpx.BaseTransport | None,
        chance: Callable[[], float],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """Remember the way; nothing is sent yet.

        Raises:
            InvalidValue: the URL, the token or the time is none.
        """
        self.url = _base(url)
        if api_token is not None and not (isinstance(api_token, str) and _TOKEN.fullmatch(api_token)):
            raise InvalidValue("api_token: must be printable ASCII without spaces", field="api_token")
        # NaN is not between any two numbers.
        is_number = isinstance(timeout_seconds, int | float) and not isinstance(timeout_seconds, bool)
        if not is_number or not 0 < timeout_seconds <= _MAX_TIMEOUT_SECONDS:
            problem = f"must be a number of more than 0, and at most {_MAX_TIMEOUT_SECONDS}"
            raise InvalidValue(f"timeout_seconds: {problem}", field="timeout_seconds")
        self._token = api_token
        self._timeout_seconds = timeout_seconds
        self._max_answer_bytes = max_answer_bytes
        self.patience = patience
        self.chance = chance
        self.clock = clock
        self.sleep = sleep
        self._http = httpx.Client(
            # Compressed, a small answer could become any number of bytes.
            headers={"User-Agent": f"bigchaindb/{__version__}", "Accept-Encoding": "identity"},
            timeout=timeout_seconds,
            follow_redirects=False,
            transport=transport,
            # Whatever proxy is set is not for this machine itself.
            mounts={f"all://{host}": None for host in _LOOPBACK},
        )

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    # --- requests with one answer ----------------------------------------------------------------------------

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Ask for something; parameters that are None are left out.

        Returns:
            An answer, successful or a refusal.

        Raises:
            BigchainDBError: no answer came, however patiently it was asked for.
        """
        return self._ask("GET", path, params=_given(params))

    def post(self, path: str, content: str, params: Mapping[str, Any] | None = None, *, token: bool = False) -> Answer:
        """Send JSON that may be sent again; `token` says that it needs the token.  Otherwise as `get`."""
        headers = {"Content-Type": "application/json"}
        if token and self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return self._ask("POST", path, params=_given(params), content=content.encode(), headers=headers)

    def _ask(self, method: str, path: str, **request: Any) -> Answer:
        failures, paused_seconds = 0, 0.0
        while True:
            failure: BigchainDBError
            asked_seconds = 0.0
            try:
                answer = self._attempt(method, path, request)
            except NodeUnreachable as error:
                failure = error
            else:
                if answer.status not in _RETRIED:
                    return answer
                failure, asked_seconds = answer.error(), answer.retry_after_seconds
            failures += 1
            pause = self.patience.pause_seconds(failures, paused_seconds, self.chance(), asked_seconds)
            if pause is None:
                raise failure
            self.sleep(pause)
            paused_seconds += pause

    def _attempt(self, method: str, path: str, request: Mapping[str, Any]) -> Answer:
        until = self.clock() + self._timeout_seconds
        with self._errors(), self._http.stream(method, self.url + path, **request) as response:
            return self._read(response, f"{method} {self.url}{path}", until, self._max_answer_bytes)

    def _read(self, response: httpx.Response, asked: str, until: float, max_bytes: int) -> Answer:
        content = bytearray()
        answer = Answer(
            asked=asked,
            status=response.status_code,
            media_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            content=b"",
            location=response.headers.get("Location"),
            retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After")),
        )
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise answer.unexpected("is compressed, though that was not asked for")
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > max_bytes:
                raise answer.unexpected(f"has more than {max_bytes} bytes")
            if self.clock() > until:
                raise NodeUnreachable(f"{self.url} did not answer within {self._timeout_seconds} s")
        length = response.headers.get("Content-Length")
        if length is not None and length != str(len(content)):
            raise NodeUnreachable(f"{self.url} broke off its answer")
        return Answer(
            answer.asked,
            answer.status,
            answer.media_type,
            bytes(content),
            answer.location,
            answer.retry_after_seconds,
        )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what goes wrong on the way into `NodeUnreachable`, but for having been closed, which will not pass."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise NodeUnreachable(f"{self.url} did not answer within {self._timeout_seconds} s") from error
        except httpx.TransportError as error:
            raise NodeUnreachable(f"{self.url} cannot be reached: {clean(str(error))}") from error
        except RuntimeError as error:
            if not self._http.is_closed:
                raise
            raise BigchainDBError(f"{self.url} is asked nothing more: this client is closed") from error

    # --- streams ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def stream(
        self, path: str, params: Mapping[str, Any], headers: Mapping[str, str], silence_seconds: float
    ) -> Iterator[Iterator[bytes]]:
        """Open a stream, and yield it in pieces as they come; it is not opened again here.

        Args:
            path: what to ask for.
            params: parameters; those that are None are left out.
            headers: what to send beside.
            silence_seconds: how long nothing may come.

        Raises:
            BigchainDBError: it was refused.
            NodeUnreachable: it could not be opened, or broke off; also where it is read.
        """
        timeout = httpx.Timeout(self._timeout_seconds, read=silence_seconds)
        request = self._http.stream("GET", self.url + path, params=_given(params), headers=headers, timeout=timeout)
        with self._errors(), request as response:
            if not response.is_success:
                until = self.clock() + self._timeout_seconds
                raise self._read(response, f"GET {self.url}{path}", until, _SHOWN_BYTES).error()
            media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
            if media_type != headers["Accept"]:
                raise UnexpectedAnswer(
                    f"the answer to GET {self.url}{path} holds {clean(media_type)}, not {headers['Accept']}",
                    status=response.status_code,
                )
            yield response.iter_raw()


def _given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def _base(url: str) -> str:
    """Return the URL of a node without a slash at its end."""
    if not isinstance(url, str):
        raise InvalidValue(f"url: must be a str, not {type(url).__name__}", field="url")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidValue(f"url: {clean(str(error))}", field="url") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InvalidValue(f"url: must be like http://localhost:9984, not {clean(url)!r}", field="url")
    if parsed.port is not None and not 0 < parsed.port <= _MAX_PORT:
        raise InvalidValue(f"url: must have a port from 1 to {_MAX_PORT}", field="url")
    if parsed.userinfo:
        raise InvalidValue("url: must hold no user and password: a node's token is `api_token`", field="url")
    if parsed.query or parsed.fragment:
        raise InvalidValue("url: must end with the path", field="url")
    return str(parsed).rstrip("/")
