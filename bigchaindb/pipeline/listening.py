"""The sockets that the web server of a node accepts connections on; its supervisor holds them.

Invariants:

- Who has sockets has the port: nobody else gets it while the web server is started again, and whoever connects
  meanwhile waits instead of being refused.
- All addresses that the host's name stands for are listened on, as far as this machine has them.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import TYPE_CHECKING, Final

from bigchaindb.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.config import Server

__all__ = ["listen", "shown_address"]

_BACKLOG: Final = 1024
_ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_HOW: Final = "`server.bind` in the configuration, or BIGCHAINDB_SERVER_BIND, sets another"
# The web server of a supervisor that was killed needs a moment to notice.
_TRIES: Final = 10
_PAUSE_SECONDS: Final = 0.1


def listen(server: Server, wait: Callable[[float], bool]) -> list[socket.socket]:
    """Listen where `server.bind` says; port 0 is any free one, the same on all addresses.

    Args:
        server: settings.
        wait: waits so many seconds, or returns True at once because there is no time left.

    Raises:
        ConfigurationError: this machine has no such address, it may not be used, or somebody else uses it.
    """
    host, port = server.address
    addresses = _addresses(server.bind, host)
    for _ in range(_TRIES):
        try:
            return _listen(addresses, port)
        except OSError as error:
            # Of a port that was left to chance, another address may have none.
            if error.errno != errno.EADDRINUSE or wait(0 if port == 0 else _PAUSE_SECONDS):
                raise _refused(server.bind, error) from error
            last = error
    raise _refused(server.bind, last) from last


def _addresses(bind: str, host: str) -> list[tuple[int, str]]:
    """Return what a host's name stands for, as (family, address), IPv4 first."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _refused(bind, error) from error
    return list(dict.fromkeys((int(family), str(address[0])) for family, _, _, _, address in sorted(found)))


def _listen(addresses: list[tuple[int, str]], port: int) -> list[socket.socket]:
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        absent = OSError(errno.EADDRNOTAVAIL, "it has no address")
        for family, address in addresses:
            try:
                found = socket.create_server((address, port), family=family, backlog=_BACKLOG)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
                continue
            undo.callback(found.close)
            sockets.append(found)
            port = found.getsockname()[1]
        if not sockets:
            raise absent
        undo.pop_all()
        return sockets


def _refused(bind: str, error: OSError | UnicodeError) -> ConfigurationError:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        problem = "is in use by another program"
    else:
        problem = f"cannot be listened on: {getattr(error, 'strerror', None) or error}"
    return ConfigurationError(f"server.bind: {bind} {problem}; {_HOW}", field="server.bind")


def shown_address(server: Server, sockets: list[socket.socket]) -> str:
    """Return where the web server is, as an URL: the host as configured, the port that it really has."""
    host, _ = server.address
    port = sockets[0].getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
