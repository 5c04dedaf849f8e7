"""What the venue says of itself at a start, and again when the account's settings were changed: several questions."""

from __future__ import annotations

import threading
from typing import TypeVar

from adapters.binance.access import Access, NoResult
from adapters.binance.calls import Call, http_request, key_rights
from adapters.binance.codes import Verdict
from adapters.binance.wire import WireError, decode
from adapters.binance_usdm import calls, wire
from adapters.binance_usdm.hosts import BY_NAME
from adapters.binance_usdm.listing import alias_of, describe, rights
from adapters.binance_usdm.options import UsdmOptions
from adapters.binance_usdm.translate import Translator
from adapters.budget import Lane as Right
from adapters.redaction import redact
from adapters.rest import Answered, HttpLine
from adapters.rights import PolicyRefused
from engine.capabilities import VenueDescription
from engine.ports import VenueUnreachable
from engine.values import SECOND_NS

PATIENCE_NS = 5 * SECOND_NS
TRIES = 3
OK = 200

Answer = TypeVar("Answer")


class Describer:
    """For one thread at a time."""

    def __init__(self, access: Access, translator: Translator, options: UsdmOptions, absent_after_ns: int) -> None:
        self._access, self._translator, self._options = access, translator, options
        self._absent_after_ns = absent_after_ns
        self._lock = threading.Lock()

    def describe(self) -> VenueDescription:
        """Raises `VenueUnreachable`, and `PolicyRefused` where the key is not taken or the account is in hedge mode."""
        line = self._access.http_line()
        try:
            with self._lock:
                return self._describe(line)
        except (WireError, ValueError) as error:
            raise VenueUnreachable(f"{self._options.urls.rest} gave an answer that can't be read: {error}") from None
        finally:
            line.close()

    def _describe(self, line: HttpLine) -> VenueDescription:
        measured = self._access.measure(line, Right.URGENT)
        if isinstance(measured, NoResult):
            raise VenueUnreachable(f"{self._options.urls.rest}: {measured.cause}")
        info = self._asked(calls.exchange_info(), wire.ExchangeInfo, line)
        self._access.adopt_limits(info.rate_limits)
        account = self._asked(calls.account_settings(), wire.AccountConfig, line)
        if account.dual_side_position:
            raise PolicyRefused(
                f"[venues.{self._access.venue}] the account is in hedge mode, where a contract has two positions: "
                "set it to one-way mode; nothing here changes it"
            )
        settings = self._asked(calls.symbol_settings(), tuple[wire.SymbolConfig, ...], line)
        alias = alias_of(self._asked(calls.balances(), tuple[wire.BalanceRow, ...], line))
        may = rights(self._options.environment, account, self._key_rights(line))
        return describe(
            self._access.venue, self._options.environment, self._translator.pairs, info,
            {row.symbol: row for row in settings}, may, alias, self._absent_after_ns,
        )  # fmt: skip

    def _asked(self, call: Call, kind: type[Answer], line: HttpLine) -> Answer:
        """An answer that a start needs; raises `VenueUnreachable`, and `PolicyRefused` for a key that is not taken."""
        result = self._access.ask(line, call, Right.URGENT, PATIENCE_NS, TRIES)
        if not isinstance(result, NoResult) and result.verdict in (Verdict.CREDENTIALS, Verdict.POLICY):
            raise PolicyRefused(
                f"[venues.{self._access.venue}] {self._options.urls.rest} refuses the key: {redact(result.cause)}"
            )
        if isinstance(result, NoResult) or not result.is_good:
            raise VenueUnreachable(f"{self._options.urls.rest}{call.path}: {redact(result.cause)}")
        return decode(result.text, kind)

    def _key_rights(self, line: HttpLine) -> wire.KeyRights | None:
        """What the key may do; None where nobody tells. Raises `VenueUnreachable` where money is real and the answer
        did not come."""
        url = self._options.key_rights_url
        if url is None:
            return None
        request = http_request(key_rights(), url, self._access.credentials, self._access.validity())
        outcome = line.ask(request)
        if isinstance(outcome, Answered) and outcome.status == OK:
            return decode(outcome.text, wire.KeyRights)
        if BY_NAME[self._options.environment].is_live:
            cause = f"HTTP {outcome.status}" if isinstance(outcome, Answered) else outcome.cause
            raise VenueUnreachable(f"{url}{key_rights().path}: {cause}")
        return None
