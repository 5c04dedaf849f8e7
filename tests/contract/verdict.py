"""What holds at the end of every case, whatever went wrong in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from journal.entry import Entry
from journal.journal import Reader
from tests.contract.served import VENUE, Served
from tests.contract.trading import Trading
from tools.checker import check
from tools.checker.form import Row
from tools.harness.story import Violation
from tools.proof.processes.books import books_of, fold_rows, ledger_faults, row_faults

LOOKS_MOST = 20


def assert_at_rest(trading: Trading, served: Served, *, rejected: Sequence[str] = ()) -> None:
    """Without faults all comes to rest: the engine trades, nothing is in doubt, and the books are the exchange's ledger
    to the last decimal, by two pairs of eyes. Only what is in `rejected` was refused for good."""
    served.set_faults({})
    trading.wait(lambda: trading.is_settled() and trading.is_trading(), "everything to be settled")
    problems: list[str] = []
    for _ in range(LOOKS_MOST):  # what is on its way at one look is not at another
        problems = [*_problems(trading, served), *_pauses(trading)]
        if not problems:
            break
        trading.run("100ms")
    refused = {body["order_id"] for body in trading.bodies("OrderRejected")}
    problems += [f"O6: {order_id} was refused, or taken for it" for order_id in sorted(refused ^ set(rejected))]
    if problems:
        raise Violation([*problems, trading.told_orders()])


def _pauses(trading: Trading) -> Iterator[str]:
    for pause in trading.state.pauses.values():
        yield f"{pause.reason} still pauses: {pause.detail}"


def _problems(trading: Trading, served: Served) -> Iterator[str]:
    served.look()
    rows, ledger = list(trading.log.entries), served.ledger()
    books = books_of(VENUE, rows, fold_rows(rows), ledger, served.exchange.exec_name)
    if books.facts != ledger:
        yield "O3: the last executions are not known yet"
    yield from row_faults(rows, ())
    yield from ledger_faults(books)
    yield from check(_exported(rows, trading.log.journal_id), _exported(ledger, _id_of(served)))


def _id_of(served: Served) -> str:
    with Reader(served.directory / "books" / "exchange", "ledger") as reader:
        return reader.journal_id


def _exported(rows: Sequence[Entry], journal_id: str) -> Iterator[Row]:
    """As the checker reads them."""
    yield {"journal_id": journal_id}
    for row in rows:
        yield {
            "seq": row.seq, "batch": row.batch, "epoch": row.epoch, "at_ns": row.at_ns, "kind": row.kind,
            "version": row.version, "subject": row.subject, "cause": row.cause, "body": row.body,
            "chain": row.chain.hex(),
        }  # fmt: skip
