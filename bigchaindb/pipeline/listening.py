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
    from bigchaindb.config import Server

__all__ = ["listen", "shown_address"]

_BACKLOG: Final = 1024
_ABSENT: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_HOW: Final = "`server.bind` in the configuration, or BIGCHAINDB_SERVER_BIND, sets another"


def listen(server: Server) -> list[socket.socket]:
    """Listen where `server.bind` says; port 0 is any free one, the same on all addresses.

    Raises:
        ConfigurationError: this machine has no such address, it may not be used, or somebody else uses it.
    """
    host, port = server.address
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        absent: OSError | None = None
        for family, address in _addresses(server.bind, host):
            try:
                found = _listen_at(family, address, port)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise _refused(server.bind, error) from error
                absent = error
                continue
            undo.callback(found.close)
            sockets.append(found)
            port = found.getsockname()[1]
        if not sockets:
            raise _refused(server.bind, absent or OSError("it has no address")) from absent
        undo.pop_all()
        return sockets


def _addresses(bind: str, host: str) -> list[tuple[int, str]]:
    """Return what a host's name stands for, as (family, address), IPv4 first."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _refused(bind, error) from error
    return list(dict.fromkeys((int(family), str(address[0])) for family, _, _, _, address in sorted(found)))


def _listen_at(family: int, address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), family=family, backlog=_BACKLOG)


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
