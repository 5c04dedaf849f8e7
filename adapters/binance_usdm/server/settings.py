"""How the account is set: leverage and margin mode by symbol, position mode. Kept as a note in the ledger, so that it
outlives the exchange's death."""

from __future__ import annotations

import msgspec
from attrs import Factory, evolve, frozen

from adapters.simulated.exchange import Exchange
from adapters.simulated.ledger import Noted
from adapters.simulated.wire import canonical

SUBJECT = "settings"
CROSSED, ISOLATED = "CROSSED", "ISOLATED"


@frozen(kw_only=True)
class AccountSettings:
    """`leverage` and `margin_type` of the symbols that were set; the others are as a new account's."""

    usual_leverage: int
    leverage: dict[str, int] = Factory(dict)
    margin_type: dict[str, str] = Factory(dict)
    is_hedge: bool = False

    def leverage_of(self, symbol: str) -> int:
        """How many times what is set aside may be held."""
        return self.leverage.get(symbol, self.usual_leverage)

    def margin_type_of(self, symbol: str) -> str:
        """CROSSED or ISOLATED."""
        return self.margin_type.get(symbol, CROSSED)

    def with_leverage(self, symbol: str, leverage: int) -> AccountSettings:
        """After a change of one symbol's."""
        return evolve(self, leverage={**self.leverage, symbol: leverage})

    def with_margin_type(self, symbol: str, margin_type: str) -> AccountSettings:
        """After a change of one symbol's."""
        return evolve(self, margin_type={**self.margin_type, symbol: margin_type})


def read_settings(exchange: Exchange, usual_leverage: int) -> AccountSettings:
    """As the ledger has them; of the exchange's thread."""
    text = exchange.state.marks.get(SUBJECT)
    if text is None:
        return AccountSettings(usual_leverage=usual_leverage)
    return msgspec.json.decode(text, type=AccountSettings)


def write_settings(exchange: Exchange, settings: AccountSettings) -> None:
    """From now on these, in the commit that is being made."""
    exchange.scribe.write(exchange.now_ns, Noted(subject=SUBJECT, text=canonical(settings)))
