"""What the handlers of all routers share, and how they get it: FastAPI dependencies over `app.state`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from bigchaindb.web.ledger import Ledger

if TYPE_CHECKING:
    from bigchaindb.config import Config

__all__ = ["WebSettings", "ledger_of", "settings_of"]


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What an operator has set that the web server must know; nothing secret but the token.

    Attributes:
        transaction_bytes: most bytes of a signed transaction.
    """

    transaction_bytes: int

    @classmethod
    def of(cls, config: Config) -> WebSettings:
        """Return the settings in a configuration."""
        return cls(transaction_bytes=config.limits.transaction_bytes)


def ledger_of(request: Request) -> Ledger:
    """Return the ledger that an app serves."""
    ledger: Ledger = request.app.state.ledger
    return ledger


def settings_of(request: Request) -> WebSettings:
    """Return the settings of an app."""
    settings: WebSettings = request.app.state.settings
    return settings
