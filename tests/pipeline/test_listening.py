"""The sockets of the web server: what is listened on, and what is said where that is not possible."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from bigchaindb.config import Server
from bigchaindb.exceptions import ConfigurationError
from bigchaindb.pipeline.listening import listen, shown_address

if TYPE_CHECKING:
    from collections.abc import Iterator


def impatient(_: float) -> bool:
    return True


@contextlib.contextmanager
def listening(bind: str) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(found) for found in listen(Server(bind=bind), impatient)]


def connect(family: int, address: str, port: int) -> None:
    with socket.socket(family) as client:
        client.connect((address, port))


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_whoever_connects_is_let_in() -> None:
    with listening("127.0.0.1:0") as (only,):
        connect(socket.AF_INET, "127.0.0.1", only.getsockname()[1])
        assert shown_address(Server(bind="127.0.0.1:0"), [only]) == f"http://127.0.0.1:{only.getsockname()[1]}"


def test_a_name_is_all_that_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, 1, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with listening("localhost:0") as sockets:
        assert len(sockets) == 1 + has_ipv6()
        assert len({each.getsockname()[1] for each in sockets}) == 1
        for each in sockets:
            connect(each.family, each.getsockname()[0], each.getsockname()[1])


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_an_address_of_ipv6_stands_in_brackets() -> None:
    with listening("[::1]:0") as (only,):
        assert shown_address(Server(bind="[::1]:0"), [only]) == f"http://[::1]:{only.getsockname()[1]}"


def test_a_port_that_somebody_uses_is_named_with_what_to_do() -> None:
    with listening("127.0.0.1:0") as (only,):
        bind = f"127.0.0.1:{only.getsockname()[1]}"
        with pytest.raises(ConfigurationError) as caught:
            listen(Server(bind=bind), impatient)
    assert caught.value.field == "server.bind"
    assert str(caught.value) == (
        f"server.bind: {bind} is in use by another program; `server.bind` in the configuration, or "
        "BIGCHAINDB_SERVER_BIND, sets another"
    )


def test_one_who_is_about_to_leave_is_waited_for() -> None:
    before = socket.create_server(("127.0.0.1", 0))
    bind = f"127.0.0.1:{before.getsockname()[1]}"
    waits = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 3:
            before.close()
        return False

    (found,) = listen(Server(bind=bind), wait)
    found.close()
    assert waits == [0.1] * 3


def test_one_who_stays_is_not_waited_for_much_longer() -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    with listening("127.0.0.1:0") as (only,), pytest.raises(ConfigurationError, match="is in use"):
        listen(Server(bind=f"127.0.0.1:{only.getsockname()[1]}"), wait)
    assert sum(waits) == pytest.approx(1.0)


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "a" * 64 + ".org"])
def test_what_this_machine_is_not_is_named(host: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^server\.bind: {host}:80 cannot be listened on: "):
        listen(Server(bind=f"{host}:80"), impatient)


def test_what_was_opened_before_it_failed_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []
    create = socket.create_server

    def fail_second(*_: object, **__: object) -> socket.socket:
        if made:
            raise PermissionError(13, "not you")
        made.append(create(("127.0.0.1", 0)))
        return made[0]

    two = [(socket.AF_INET, 1, 6, "", (address, 0)) for address in ("127.0.0.1", "127.0.0.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: two)
    monkeypatch.setattr(socket, "create_server", fail_second)
    with pytest.raises(ConfigurationError, match="not you"):
        listen(Server(bind="localhost:0"), impatient)
    assert made[0].fileno() == -1
