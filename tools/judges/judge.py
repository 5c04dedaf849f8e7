"""What a judge is asked, and how it tells. The standard library alone is imported here: a judge's environment has
nothing of ours.

A judge is a client library that no one here wrote. It drives the local exchange through its own calls, so its parsers,
its classes of exceptions and its signatures are what is checked against, not ours.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, ClassVar
from urllib.request import Request, urlopen

CASES = {
    "server time": "its clock, in milliseconds",
    "exchange info": "symbols, filters and limits",
    "order book": "bids below asks",
    "recent trades": "with ids that grow",
    "klines": "rows of twelve columns",
    "book ticker": "the best of both sides",
    "limit order": "rests, under the id that was given",
    "market order": "is filled, and its fills add up",
    "stop order": "waits, and does not work yet",
    "limit maker": "rests, and one that would take is refused",
    "oco": "two legs in one list; canceling it ends both",
    "query": "an order by its id, and by ours",
    "open orders": "of a symbol and of the account",
    "all orders": "open and closed ones",
    "my trades": "the executions, their fees and whose they are",
    "cancel": "ends the order; its first id is told beside the new one",
    "cancel and replace": "the old one ends, the new one rests",
    "amend": "a smaller quantity in place",
    "account": "balances that an open order locks",
    "insufficient balance": "refused: -2010",
    "filter failure": "refused: -1013",
    "unknown order": "refused: a query by -2013, a cancel by -2011",
    "duplicate id": "refused while the first is open: -2010; taken once that is closed",
    "unknown symbol": "refused: -1121",
    "bad signature": "refused: -1022",
    "wrong key": "refused: -2015 or -2014",
    "old timestamp": "refused: -1021",
    "too many requests": "429 and -1003, with the time to wait",
    "banned": "418 and -1003",
    "unknown outcome": "a 503 to an order that was taken: the client can't say, the books have it",
    "firewall": "403 with a page instead of JSON",
    "WS API order": "placed, asked about, canceled on a socket",
    "WS API refusal": "the same codes on a socket",
    "user stream of orders": "new, traded, canceled, by the client's own types",
    "user stream of balances": "what is free and what is locked",
    "book ticker stream": "arrives, for the symbol asked for",
    "depth stream": "arrives, numbered without a gap",
    "trade stream": "arrives with ids that grow",
    "kline stream": "arrives for the interval asked for",
    "Ed25519 key": "opens the account too",
    "listen key": "is gone: 410",
    "ledger": "the trades and balances that are told are those of the exchange's own books",
}
"""Every judge has a check for each of these, or says why not."""

HERE = str(Path(__file__).parent)
CHECK_SECONDS = 30
SAID_MOST = 600


class Mismatch(AssertionError):
    """The client did something else than it does at Binance."""


class Strict(logging.Handler):
    """What a client writes into its log of messages that it can't read: some libraries go on without a word else."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Kept, and told with the check in which it was written."""
        self.lines.append(record.getMessage())


class Judge:
    """One client. The check for a case is the method of its name; the checks are carried out one after the other in one
    event loop, each told on a line of JSON.

    `package` is the distribution whose version is told; `lacks` says of which case the client has nothing, and why.
    """

    package: str
    lacks: ClassVar[Mapping[str, str]] = {}

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._log = Strict()
        self._forgiven = False

    async def begin(self) -> None:
        """Before the first check."""

    async def end(self) -> None:
        """After the last one."""

    async def tidy(self) -> None:
        """After a check that failed, so that what it has left behind does not fail others; may raise."""

    def forgive_log(self) -> None:
        """The check under way expects a warning of the client."""
        self._forgiven = True

    @classmethod
    def check_of(cls, case: str) -> Any:
        """The method for a case, or None.

        >>> Judge.check_of("server time") is None
        True
        """
        return getattr(cls, case.lower().replace(" ", "_"), None)

    async def judge(self) -> None:
        """Carry out all checks."""
        logging.getLogger().addHandler(self._log)
        tell(judge=self.package, version=version_of(self.package))
        await self.begin()
        for case in CASES:
            if case in self.lacks:
                tell(case=case, without=self.lacks[case])
            elif self.check_of(case) is None:
                tell(case=case, failed="the judge has no such check, and does not say why")
            else:
                await self._carry_out(case)
        await self.end()

    async def _carry_out(self, case: str) -> None:
        self._log.lines.clear()
        self._forgiven = False
        began = time.monotonic()
        try:
            await asyncio.wait_for(_called(self.check_of(case), self), CHECK_SECONDS)
            if self._log.lines and not self._forgiven:
                raise Mismatch(f"the client wrote into its log: {self._log.lines[0]}")
        except Exception as error:  # noqa: BLE001 (whatever the client says is what is looked for)
            tell(case=case, failed=_words(error))
            await self._tidy()
        else:
            tell(case=case, seconds=round(time.monotonic() - began, 3))

    async def _tidy(self) -> None:
        try:
            await self.tidy()
        except Exception as error:  # noqa: BLE001 (such as nothing to cancel; the failure is told already)
            self._log.lines.append(str(error))


def run(kind: type[Judge]) -> None:
    """Judge the exchange that the first argument names."""
    asyncio.run(kind(Exchange.from_arguments()).judge())


async def _called(check: Any, judge: Judge) -> None:
    found = check(judge)
    if inspect.isawaitable(found):
        await found


def _words(error: Exception) -> str:
    """What the client said, and the line of the check in which it did."""
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if f"{HERE}/" in frame.filename]
    asked = next((frame for frame in reversed(lines) if not frame.filename.endswith("judge.py")), None)
    where = f" (line {asked.lineno}: {asked.line})" if asked else ""
    return f"{type(error).__name__}: {error}"[:SAID_MOST] + where


def tell(**told: Any) -> None:
    """One line."""
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


# --- what a check says --------------------------------------------------------------------------------------------


def same(found: object, wanted: object, what: str) -> None:
    """Raises `Mismatch` where they differ."""
    if found != wanted:
        raise Mismatch(f"{what} is {found!r}, not {wanted!r}")


def holds(condition: object, what: str) -> None:
    """Raises `Mismatch` saying what does not hold."""
    if not condition:
        raise Mismatch(what)


@contextmanager
def refused(kind: type[BaseException], **attributes: object) -> Iterator[list[Any]]:
    """The client raises exactly this class, with these attributes; what it raised is in the list afterwards. Raises
    `Mismatch` else."""
    caught: list[Any] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
        same(type(error).__name__, kind.__name__, "the class of the exception")
        for name, wanted in attributes.items():
            same(getattr(error, name), wanted, f"{name} of {error!r}")
    else:
        raise Mismatch(f"nothing was raised where {kind.__name__} should be")


def same_books(
    ledger: Any, symbol: str, trades: Iterable[Sequence[Any]], balances: Mapping[str, Sequence[Any]]
) -> None:
    """Raises `Mismatch` where trades (price, quantity, fee, asset of the fee) or balances (free, locked) differ."""
    booked = [
        (row["price"], row["quantity"], row["fee"], row["fee_asset"])
        for row in ledger["executions"]
        if row["symbol"] == symbol
    ]
    same(sorted(_exact(row) for row in trades), sorted(_exact(row) for row in booked), "what was traded")
    owned = {row["asset"]: _exact((row["free"], row["locked"])) for row in ledger["balances"]}
    told = {asset: _exact(row) for asset, row in balances.items()}
    same({asset: told.get(asset, _exact((0, 0))) for asset in owned}, owned, "what the account has")


def _exact(row: Sequence[Any]) -> tuple[Decimal | str, ...]:
    return tuple(each if isinstance(each, str) and each.isalpha() else Decimal(str(each)).normalize() for each in row)


async def eventually(look: Callable[[], Any], what: str, seconds: float = 10) -> Any:
    """What `look` finds once it finds something; raises `Mismatch` where it does not in time."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise Mismatch(f"{what} did not come within {seconds} s")
        await asyncio.sleep(0.02)
    return found


# --- the exchange -------------------------------------------------------------------------------------------------


class Exchange:
    """Where the local exchange is, its keys, and its own endpoints: faults to set, books to look into."""

    def __init__(self, told: dict[str, str]) -> None:
        self.url, self.api_key, self.secret = told["url"], told["api_key"], told["secret"]
        self.public_api_key, self.private_key = told["public_api_key"], Path(told["private_key"])
        self.socket_url = told["socket_url"]

    @classmethod
    def from_arguments(cls) -> Exchange:
        """As the first argument says, in JSON."""
        return cls(json.loads(sys.argv[1]))

    @property
    def pem(self) -> str:
        """The private half of the key that the exchange knows by `public_api_key`."""
        return self.private_key.read_text("utf-8")

    @contextmanager
    def faults(self, **table: object) -> Iterator[None]:
        """These faults, as long as it takes."""
        self._own("PUT", "faults", table)
        try:
            yield
        finally:
            self._own("PUT", "faults", {})

    def ledger(self) -> Any:
        """All orders, executions and balances."""
        return self._own("GET", "ledger")

    def transfer(self, asset: str, quantity: str) -> None:
        """A deposit."""
        self._own("POST", "transfer", {"asset": asset, "quantity": quantity})

    def _own(self, method: str, name: str, table: object = None) -> Any:
        body = None if table is None else json.dumps(table).encode()
        request = Request(f"{self.url}/holdfast/{name}", data=body, method=method)
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)
