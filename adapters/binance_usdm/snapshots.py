"""How the account stands: open orders of all symbols in one call, executions and fundings since, balances, positions
and margins. What is not whole is not claimed."""

from __future__ import annotations

from adapters.binance.access import Access
from adapters.binance.history import Unreadable
from adapters.binance_usdm import calls, wire
from adapters.binance_usdm.history import History
from adapters.binance_usdm.translate import Translator
from adapters.budget import Lane
from engine import inputs, outbox
from engine.inputs import Input, Section
from engine.values import MILLISECOND_NS, Asset

IN_DOLLARS = ("USDT", "USDC", "USD", "BUSD")
"""What may stand for the USD in which the venue counts margins; the first that the account has."""

ONE_WAY = "BOTH"
"""The side of a position that has no sides."""


class Snapshots:
    """For one thread."""

    def __init__(self, access: Access, translator: Translator) -> None:
        self._access, self._translator = access, translator
        self._history = History(access, translator, Lane.RECONCILE)
        self._was_flat = False

    def take(self, request: outbox.TakeSnapshot) -> Input:
        """One snapshot, or why there is none."""
        try:
            return self._take(request)
        except Unreadable as error:
            return self._translator.unanswered(request, error.cause)
        except ValueError as error:
            return self._translator.unanswered(request, f"a row that can't be read: {error}")

    def _take(self, request: outbox.TakeSnapshot) -> inputs.Snapshot:
        taken_ns = self._history.venue_time()
        orders = self._history.open_orders()
        since_ns = request.since_ns + taken_ns - self._access.now_ns()  # by the venue's clock
        since_ns -= since_ns % MILLISECOND_NS
        found = [self._history.trades_since(symbol, since_ns) for symbol in self._translator.symbols]
        positions = self._history.ask(calls.positions(), tuple[wire.PositionRow, ...])
        is_flat = not any(row.position_amt for row in positions) and not any(rows for rows, _is_read in found)
        fundings, are_fundings_whole = self._fundings(since_ns, is_flat=is_flat)
        balances = self._history.ask(calls.balances(), tuple[wire.BalanceRow, ...])
        account = self._history.ask(calls.account(), wire.Account)
        is_whole = are_fundings_whole and all(is_read for _rows, is_read in found)
        if any(row.position_side != ONE_WAY and row.position_amt for row in positions):
            raise Unreadable("the account has been set to hedge mode")
        complete = (Section.OPEN_ORDERS, Section.BALANCES, Section.POSITIONS)
        return inputs.Snapshot(
            venue=self._access.venue, asked_seq=request.seq, asked_ns=request.at_ns, taken_ns=taken_ns,
            complete=(*complete, Section.EXECUTIONS) if is_whole else complete,
            open_orders=tuple(self._translator.status(row) for row in orders),
            executions=tuple(self._translator.trade(row) for rows, _is_read in found for row in rows),
            balances=tuple(self._translator.balance(row) for row in balances),
            positions=tuple(self._translator.position(row) for row in positions if row.position_amt),
            fundings=tuple(self._translator.funding(row) for row in fundings),
            margin=self._translator.margin(account, _dollars(balances)),
        )  # fmt: skip

    def _fundings(self, since_ns: int, *, is_flat: bool) -> tuple[tuple[wire.IncomeRow, ...], bool]:
        """Who holds nothing, and has held nothing since the last snapshot, is paid nothing: that is not asked, because
        it is the dearest question of all. The first time it is."""
        was_flat, self._was_flat = self._was_flat, False
        found = ((), True) if was_flat and is_flat else self._history.fundings(since_ns)
        self._was_flat = is_flat
        return found


def _dollars(balances: tuple[wire.BalanceRow, ...]) -> Asset:
    held = [row.asset for row in balances if row.balance]
    return Asset(next((asset for asset in IN_DOLLARS if asset in held), IN_DOLLARS[0]))
