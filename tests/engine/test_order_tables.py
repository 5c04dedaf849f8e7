"""The order tables against an expectation of their own, written down by hand: state x report -> state, events.

A cell is `.` where nothing is journaled, `!` where an anomaly is and the order stays as it was, else `status/events`
(`=` is the same status). Events by letter:

    A OrderAccepted   R OrderRejected    C OrderCanceled  X OrderExpired   V OrderVoided    O OrderResolved
    F FillBooked      H FillCorrected    B FillBusted     E FeeBooked      L OrderReplaced  U OutcomeUnknown
    S OrderSuspended  D OrderDoneForDay  T OrderRestated  G OrderTriggered Q OrderQueried
    Y CancelRequested K CancelAccepted   N CancelRefused  M ReplaceRefused J ReplaceAccepted
    ! AnomalyRecorded P TradingPaused
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from transitions import Machine

from engine import events, inputs
from engine.events import Event
from engine.fold import apply
from engine.inputs import Refusal, RequestKind, Resolution
from engine.order import (
    CANCEL,
    LIFE,
    REPLACE,
    TERMINAL,
    IllegalEvent,
    Order,
    OrderStatus,
    Pending,
)
from engine.order_decision import CancelAsked, NotEffective, decide_order, report_name
from engine.order_effects import EFFECTS
from engine.order_guards import GUARDS, Look, OperatorResolved
from engine.state import Recorded
from engine.system import SYSTEM, VENUE
from engine.tables import Row, Table
from engine.values import SECOND_NS, Asset, ClientOrderId, ExecId, Liquidity, OrderId, VenueOrderId
from tests.engine.bench import (
    ABSENT_AFTER_NS,
    STANDS,
    STATUS_OF,
    Bench,
    bust,
    cancel_rejected,
    correct,
    d,
    head,
    kinds,
    not_found,
    proof,
    rejected,
    replaced,
    status,
    trade,
    unknown,
)

LETTERS = {
    "A": "OrderAccepted", "R": "OrderRejected", "C": "OrderCanceled", "X": "OrderExpired", "V": "OrderVoided",
    "O": "OrderResolved", "F": "FillBooked", "H": "FillCorrected", "B": "FillBusted", "E": "FeeBooked",
    "L": "OrderReplaced", "U": "OutcomeUnknown", "S": "OrderSuspended", "D": "OrderDoneForDay", "T": "OrderRestated",
    "G": "OrderTriggered", "Q": "OrderQueried", "Y": "CancelRequested", "K": "CancelAccepted", "N": "CancelRefused",
    "M": "ReplaceRefused", "J": "ReplaceAccepted", "!": "AnomalyRecorded", "P": "TradingPaused",
}  # fmt: skip

Build = Callable[[Bench, Order], Any]


def _rest(order: Order, more: int = 0) -> str:
    return str(order.quantity - order.filled + more)


def _resolved(resolution: Resolution, fill: str | None = None) -> Build:
    return lambda bench, order: OperatorResolved(
        order_id=order.order_id, resolution=resolution, by="uid 0", reason="the venue said so by telephone",
        quantity=d(fill) if fill else None, price=d("100") if fill else None,
    )  # fmt: skip


def _fee(bench: Bench, order: Order) -> inputs.FeeReported:
    return inputs.FeeReported(**head(), exec_id=ExecId("e1"), fee=d("0.1"), fee_asset=Asset("USDT"))


def _simple(kind: Callable[..., Any], **fields: Any) -> Build:
    return lambda bench, order: kind(**head(), **fields)


def _trade_of_another(bench: Bench, order: Order) -> inputs.Trade:
    bench.work("o2")
    bench.fill("o2", "1", "e7")
    return trade("1", "e7")


def _replacing(kind: Callable[..., Any]) -> Build:
    return lambda bench, order: kind(**head())


REPORTS: dict[str, Build] = {
    "ack": _simple(inputs.Ack),
    "pending_new_ack": _simple(inputs.PendingNewAck),
    "rejected": lambda bench, order: rejected(),
    "rejected: duplicate id": lambda bench, order: rejected(Refusal.DUPLICATE_ID),
    "trade of 3": lambda bench, order: trade("3"),
    "trade of the rest": lambda bench, order: trade(_rest(order)),
    "trade of too much": lambda bench, order: trade(_rest(order, 1)),
    "trade that is known": lambda bench, order: trade(str(order.filled), "e1"),
    "trade that contradicts": lambda bench, order: trade("1", "e1", "101"),
    "trade with another order's id": _trade_of_another,
    "trade of nothing": lambda bench, order: trade("0"),
    "correct to 2": lambda bench, order: correct("2"),
    "correct to the whole": lambda bench, order: correct("10", price="99"),
    "correct to the same": lambda bench, order: correct(str(order.filled)),
    "correct to nothing": lambda bench, order: correct("0"),
    "bust": lambda bench, order: bust(),
    "fee": _fee,
    "cancel_acked": _simple(inputs.CancelAcked),
    "canceled": _simple(inputs.Canceled),
    "canceled, 2 ahead": lambda bench, order: inputs.Canceled(**head(), filled=order.filled + 2),
    "cancel_rejected": lambda bench, order: cancel_rejected(),
    "replace_acked": _simple(inputs.ReplaceAcked),
    "replaced by 12": lambda bench, order: replaced("12"),
    "replaced by 3": lambda bench, order: replaced("3"),
    "replace_rejected": _simple(inputs.ReplaceRejected),
    "expired": _simple(inputs.Expired),
    "expired, 2 ahead": lambda bench, order: inputs.Expired(**head(), filled=order.filled + 2),
    "done_for_day": _simple(inputs.DoneForDay),
    "suspended": _simple(inputs.Suspended),
    "restated to 12": _simple(inputs.Restated, quantity=d(12)),
    "restated to 4": _simple(inputs.Restated, quantity=d(4)),
    "triggered": _simple(inputs.Triggered),
    "new unknown": lambda bench, order: unknown("new"),
    "cancel unknown": lambda bench, order: unknown("cancel"),
    "replace unknown": lambda bench, order: unknown("replace"),
    "status: open": lambda bench, order: status("new", str(order.filled)),
    "status: open, 2 ahead": lambda bench, order: status("partially_filled", str(order.filled + 2)),
    "status: open, behind": lambda bench, order: status("new", "0"),
    "status: suspended": lambda bench, order: status("suspended", str(order.filled)),
    "status: suspended, 2 ahead": lambda bench, order: status("suspended", str(order.filled + 2)),
    "status: canceled": lambda bench, order: status("canceled", str(order.filled)),
    "status: expired": lambda bench, order: status("expired", str(order.filled)),
    "status: rejected": lambda bench, order: status("rejected", str(order.filled)),
    "status: canceled, 2 ahead": lambda bench, order: status("canceled", str(order.filled + 2)),
    "status: filled, as ours": lambda bench, order: status("filled", str(order.filled)),
    "not found, too early": lambda bench, order: not_found(bench.now_ns + ABSENT_AFTER_NS - 1),
    "not found, not all asked": lambda bench, order: not_found(bench.now_ns + ABSENT_AFTER_NS, ()),
    "not found, proof": lambda bench, order: proof(bench),
    "query failed": _simple(inputs.QueryFailed, cause="503"),
    "resolved: void": _resolved(Resolution.VOID),
    "resolved: canceled": _resolved(Resolution.CANCELED),
    "resolved: filled": _resolved(Resolution.FILLED),
    "resolved: filled, 10": _resolved(Resolution.FILLED, "10"),
    "resolved: filled, 3": _resolved(Resolution.FILLED, "3"),
    "cancel_requested": lambda bench, order: CancelAsked(by="operator"),
}

# Lines beginning with `|` say why.
MATRIX = """
                            |  INT    DEN    PND     DBT     NEW     PAR     SUS     SU4     DFD     DF4     FIL     CAN     CA4     EXP     EX4     REJ     VOI
ack                         |  !      !      NEW/A   NEW/A   .       .       .       .       .       .       .       .       .       .       .       .       NEW/A!P
pending_new_ack             |  !      !      .       !       !       !       !       !       !       !       !       !       !       !       !       !       !
rejected                    |  !      !      REJ/R   REJ/R   REJ/R   CAN/C!  !       !       !       !       !       !       !       !       !       .       REJ/R
| A duplicate id is evidence that the order exists: it never rejects one.
rejected: duplicate id      |  !      !      DBT/UQ  =/Q     .       .       !       !       !       !       !       !       !       !       !       .       DBT/U!PQ
| Executions are facts in every state that a venue can know.
trade of 3                  |  !      !      PAR/F   PAR/F   PAR/F   PAR/F   PAR/F   PAR/F   PAR/F   PAR/F   =/F!P   =/F!    =/F!    =/F!    =/F!    =/F!    PAR/F!P
trade of the rest           |  !      !      FIL/F   FIL/F   FIL/F   FIL/F   FIL/F   FIL/F   FIL/F   FIL/F   !       FIL/F!  FIL/F!  FIL/F!  FIL/F!  FIL/F!  FIL/F!P
trade of too much           |  !      !      FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P FIL/F!P
trade that is known         |  !      !      !       !       !       .       !       .       !       .       .       !       .       !       .       !       !
trade that contradicts      |  !      !      PAR/F   PAR/F   PAR/F   =/!Q    PAR/F   =/!Q    PAR/F   =/!Q    =/!Q    =/F!    =/!Q    =/F!    =/!Q    =/F!    PAR/F!P
trade with another order's id| !      !      =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q
trade of nothing            |  !      !      !       !       !       !       !       !       !       !       !       !       !       !       !       !       !
| Only corrections reduce what was executed.
correct to 2                |  !      !      =/!Q    =/!Q    =/!Q    PAR/H   =/!Q    =/H     =/!Q    =/H     PAR/H   =/!Q    =/H     =/!Q    =/H     =/!Q    =/!Q
correct to the whole        |  !      !      =/!Q    =/!Q    =/!Q    FIL/H   =/!Q    FIL/H   =/!Q    FIL/H   FIL/H   =/!Q    FIL/H   =/!Q    FIL/H   =/!Q    =/!Q
correct to the same         |  !      !      !       !       !       .       !       .       !       .       .       !       .       !       .       !       !
correct to nothing          |  !      !      !       !       !       !       !       !       !       !       !       !       !       !       !       !       !
bust                        |  !      !      =/!Q    =/!Q    =/!Q    NEW/B   =/!Q    =/B     =/!Q    =/B     NEW/B   =/!Q    =/B     =/!Q    =/B     =/!Q    =/!Q
fee                         |  !      !      =/!Q    =/!Q    =/!Q    =/E     =/!Q    =/E     =/!Q    =/E     =/E     =/!Q    =/E     =/!Q    =/E     =/!Q    =/!Q
| Closed by the venue, asked or not; what comes after the end lost a race.
cancel_acked                |  !      .      =/K     =/K     =/K     =/K     =/K     =/K     =/K     =/K     .       .       .       .       .       .       .
canceled                    |  !      !      CAN/C   CAN/C   CAN/C   CAN/C   CAN/C   CAN/C   CAN/C   CAN/C   .       .       .       .       .       .       CAN/C!P
canceled, 2 ahead           |  !      !      =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     DBT/U!PQ
cancel_rejected             |  !      .      !       !       !       !       !       !       !       !       .       .       .       .       .       .       .
expired                     |  !      !      EXP/X   EXP/X   EXP/X   EXP/X   EXP/X   EXP/X   EXP/X   EXP/X   .       .       .       .       .       .       EXP/X!P
expired, 2 ahead            |  !      !      =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     DBT/U!PQ
replace_acked               |  !      .      !       !       !       !       !       !       !       !       .       .       .       .       .       .       .
replace_rejected            |  !      .      !       !       !       !       !       !       !       !       .       .       .       .       .       .       .
replaced by 12              |  !      !      NEW/L   NEW/L   NEW/L   PAR/L   NEW/L   PAR/L   NEW/L   PAR/L   !       !       !       !       !       !       !
replaced by 3               |  !      !      NEW/L   NEW/L   NEW/L   FIL/L   NEW/L   FIL/L   NEW/L   FIL/L   !       !       !       !       !       !       !
suspended                   |  !      !      SUS/S   SUS/S   SUS/S   SUS/S   .       .       SUS/S   SUS/S   !       !       !       !       !       !       !
done_for_day                |  !      !      DFD/D   DFD/D   DFD/D   DFD/D   DFD/D   DFD/D   .       .       !       !       !       !       !       !       !
restated to 12              |  !      !      =/T     =/T     =/T     =/T     NEW/T   PAR/T   NEW/T   PAR/T   !       !       !       !       !       !       !
restated to 4               |  !      !      =/T     =/T     =/T     FIL/T   NEW/T   FIL/T   NEW/T   FIL/T   !       !       !       !       !       !       !
triggered                   |  !      !      NEW/AG  NEW/AG  =/G     =/G     NEW/T   PAR/T   NEW/T   PAR/T   .       .       .       .       .       .       !
| Silence is never an end.
new unknown                 |  !      !      DBT/UQ  .       .       .       .       .       .       .       .       .       .       .       .       .       .
cancel unknown              |  .      .      .       .       .       .       .       .       .       .       .       .       .       .       .       .       .
replace unknown             |  .      .      .       .       .       .       .       .       .       .       .       .       .       .       .       .       .
| A count ahead of our executions is a probe before it is anything else; a stale one is nothing.
status: open                |  !      !      NEW/A   NEW/A   .       .       NEW/T   PAR/T   NEW/T   PAR/T   .       .       .       .       .       .       NEW/A!P
status: open, 2 ahead       |  !      !      =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     NEW/A!PQ
status: open, behind        |  !      !      NEW/A   NEW/A   .       .       NEW/T   PAR/T   NEW/T   PAR/T   .       .       .       .       .       .       NEW/A!P
status: suspended           |  !      !      SUS/S   SUS/S   SUS/S   SUS/S   .       .       SUS/S   SUS/S   .       .       .       .       .       .       NEW/A!P
status: suspended, 2 ahead  |  !      !      =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     NEW/A!PQ
status: canceled            |  !      !      CAN/C   CAN/C   CAN/C   CAN/C   CAN/C   CAN/C   CAN/C   CAN/C   .       .       .       .       .       .       CAN/C!P
status: expired             |  !      !      EXP/X   EXP/X   EXP/X   EXP/X   EXP/X   EXP/X   EXP/X   EXP/X   .       .       .       .       .       .       EXP/X!P
status: rejected            |  !      !      REJ/R   REJ/R   REJ/R   CAN/C!  REJ/R   CAN/C!  REJ/R   CAN/C!  .       .       .       .       .       .       REJ/R
status: canceled, 2 ahead   |  !      !      =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     =/Q     DBT/U!PQ
status: filled, as ours     |  !      !      !       !       !       !       !       !       !       !       .       .       .       .       .       .       !
| Only a late enough, complete, negative answer is proof; a working order needs a second one.
not found, too early        |  !      !      .       .       .       .       .       .       .       .       .       .       .       .       .       .       .
not found, not all asked    |  !      !      .       .       .       .       .       .       .       .       .       .       .       .       .       .       .
not found, proof            |  !      !      .       VOI/V   =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    =/!Q    .       .       .       .       .       .       .
query failed                |  .      .      .       .       .       .       .       .       .       .       .       .       .       .       .       .       .
resolved: void              |  !      !      !       VOI/O   !       !       !       !       !       !       !       !       !       !       !       !       !
resolved: canceled          |  !      !      !       CAN/O   !       !       !       !       !       !       !       !       !       !       !       !       !
resolved: filled            |  !      !      !       FIL/O   !       !       !       !       !       !       !       !       !       !       !       !       !
resolved: filled, 10        |  !      !      !       FIL/F   !       !       !       !       !       !       !       !       !       !       !       !       !
resolved: filled, 3         |  !      !      !       FIL/FO  !       !       !       !       !       !       !       !       !       !       !       !       !
cancel_requested            |  CAN/C  .      =/Y     =/Y     =/Y     =/Y     =/Y     =/Y     =/Y     =/Y     .       .       .       .       .       .       .
"""  # noqa: E501


def _matrix() -> dict[str, dict[str, str]]:
    lines = [line.partition("|") for line in MATRIX.splitlines() if line.strip() and not line.startswith("| ")]
    columns = lines[0][2].split()
    return {name.strip(): dict(zip(columns, cells.split(), strict=True)) for name, _, cells in lines[1:]}


EXPECTED = _matrix()


def shown(bench: Bench, order: OrderId, made: list[Event], before: Order) -> str:
    """What happened, as the matrix writes it."""
    after = bench.order(order)
    letters = "".join(letter for event in made for letter, kind in LETTERS.items() if kind == event.kind)
    assert len(letters) == len(made), kinds(made)
    if after.status is before.status:
        return {"": ".", "!": "!"}.get(letters, f"=/{letters}")
    return f"{next(name for name, value in STATUS_OF.items() if value == after.status)}/{letters}"


def _alike(expected: str, stand: str) -> str:
    """A named status that is the present one is written `=`."""
    to, slash, letters = expected.partition("/")
    return f"={slash}{letters}" if slash and to in STATUS_OF and STATUS_OF[to] == STATUS_OF[stand] else expected


@pytest.mark.parametrize("name", REPORTS)
def test_every_cell_of_the_matrix(name: str) -> None:
    found, expected = {}, {}
    for stand in STANDS:
        bench = Bench()
        order = bench.stand(stand)
        report = REPORTS[name](bench, bench.order(order))
        before = bench.order(order)
        made = bench.about(order, report)
        found[stand] = shown(bench, order, made, before)
        expected[stand] = _alike(EXPECTED[name][stand], stand)
        if found[stand] == "!":
            assert evolve(bench.order(order), anomalies=0) == before
    assert found == expected


def test_the_matrix_has_every_state_and_every_report() -> None:
    assert {STATUS_OF[stand] for stand in STANDS} == set(OrderStatus)
    assert EXPECTED.keys() == REPORTS.keys()
    assert all(cells.keys() == STANDS.keys() for cells in EXPECTED.values())


def test_every_row_of_the_life_table_is_driven_by_the_matrix() -> None:
    """No row of the table is there that no cell of the matrix goes through, but those with a test of their own."""
    elsewhere = {
        ("intent", "risk_denied", ""), ("intent", "submit_requested", ""),  # the requests themselves: see below
        *(("intent", f"order_{made}", "") for made in ("held", "amended", "triggered", "expired")),  # test_held
        *((state, "triggered", "is_triggered_already") for state in OrderStatus),  # test_a_trigger_is_told_twice
        ("new", "ack", "tells_id"), ("partially_filled", "ack", "tells_id"),  # test_a_late_ack_tells_the_id
        ("suspended", "ack", "tells_id"), ("done_for_day", "ack", "tells_id"),  # test_fix_overtaken
        *((state, "not_found", "vanished_before") for state in ("new", "partially_filled", "suspended",
          "done_for_day")),  # test_a_working_order_vanishes_by_a_second_proof
        *((state, "trade_cancel", guard) for guard in ("is_busted_already", "leaves_fills", "completes_without",
          "was_closed") for state in OrderStatus),  # test_busts
        *((state, "trade_correct", "was_closed") for state in OrderStatus),  # test_busts
        *((state, "fee_reported", "has_fee") for state in OrderStatus),  # test_a_fee_is_charged_once
        # test_a_late_answer_about_an_earlier_replacement, test_a_replacement_is_told_twice
        *((state, "replaced", guard) for guard in ("answers_another", "is_replaced_already") for state in OrderStatus),
        # test_fix_overtaken: fills that overtake the answer to a replacement
        *((state, "trade", guard) for guard in ("completes_replacement", "fits_replacement") for state in OrderStatus),
        *(("filled", "replaced", guard) for guard in ("leaves_rest", "explains_overfill")),
        *(("filled", "status_open", guard) for guard in ("answers_rest", "lists_rest")),
        # test_a_correction_of_another_orders_execution_changes_neither
        *((state, report, "is_unknown_execution") for state in ("filled", "partially_filled")
          for report in ("trade_correct", "trade_cancel", "fee_reported")),
    }  # fmt: skip
    driven = set()
    for build in REPORTS.values():
        for stand in STANDS:
            bench = Bench()
            order = bench.stand(stand)
            driven |= _first_cell(bench, order, build(bench, bench.order(order)))
    rows = {(state, report, cell.guard) for (state, report), cells in LIFE.cells.items() for cell in cells}
    unreachable = {row for row in rows if _is_unreachable(*row)}
    left = rows - driven - elsewhere - unreachable
    assert left == set(), sorted(left)


NEVER_EXECUTED = {"pending_new", "in_doubt", "new", "rejected", "void"}


def _is_unreachable(state: str, report: str, guard: str) -> bool:
    """Rows that the states alone rule out: what needs an execution where there is none, and the other way round."""
    if state in NEVER_EXECUTED:
        needs_one = report in ("trade_correct", "trade_cancel", "fee_reported") and guard != "is_unknown_execution"
        return needs_one or guard in ("has_fills", "is_filled_by_quantity", "says_rejected_after_fills", "is_known")
    never = {("rejected", ""), ("replaced", ""), ("status_closed", "says_rejected")}
    return state == "partially_filled" and (report, guard) in never


def _first_cell(bench: Bench, order_id: OrderId, report: Any) -> set[tuple[str, str, str]]:
    """The row that a report goes by."""
    order = bench.order(order_id)
    look = Look(bench.state, order, report, bench.now_ns)
    if isinstance(report, inputs.QueryFailed):
        return set()
    name = report_name(order, report)
    for cell in LIFE.find(order.status, name):
        if not cell.guard or GUARDS[cell.guard](look):
            return {(order.status, name, cell.guard)}
    return set()


# --- rows that need a history of their own ----------------------------------------------------------------------


def test_a_trigger_is_told_twice() -> None:
    bench = Bench()
    order = bench.stand("NEW")
    report = REPORTS["triggered"](bench, bench.order(order))
    assert kinds(bench.about(order, report)) == ["OrderTriggered"]
    assert kinds(bench.about(order, report)) == []
    assert bench.order(order).is_triggered


def test_a_late_ack_tells_the_id() -> None:
    bench = Bench()
    order = bench.submit()
    bench.take(decide_order(bench.state, bench.order(order), trade("3", venue_order_id=None), bench.now_ns))
    assert bench.order(order).venue_order_id is None
    made = bench.about(order, inputs.Ack(**head()))
    assert (kinds(made), bench.order(order).status) == (["OrderAccepted"], OrderStatus.PARTIALLY_FILLED)
    assert bench.order(order).venue_order_id == "v-o1"
    assert bench.about(order, inputs.Ack(**head())) == []


@pytest.mark.parametrize("stand", ["NEW", "PAR", "SUS", "SU4", "DFD", "DF4"])
def test_a_working_order_vanishes_by_a_second_proof(stand: str) -> None:
    bench = Bench()
    order = bench.stand(stand)
    bench.wait(10 * SECOND_NS)
    first = not_found(bench.now_ns)
    assert kinds(bench.about(order, first)) == ["AnomalyRecorded", "OrderQueried"]
    assert "OrderCanceled" not in kinds(bench.about(order, first)), "the same answer twice is one answer"
    bench.wait(SECOND_NS)
    made = bench.about(order, not_found(bench.now_ns))
    assert kinds(made) == ["OrderCanceled"]
    assert (bench.order(order).status, bench.order(order).evidence) == ("canceled", "inferred")


def test_a_working_order_with_a_missing_execution_does_not_vanish() -> None:
    bench = Bench()
    order = bench.stand("NEW")
    bench.about(order, status("partially_filled", "2"))
    bench.wait(10 * SECOND_NS)
    bench.about(order, not_found(bench.now_ns))
    bench.wait(SECOND_NS)
    bench.about(order, not_found(bench.now_ns))
    assert bench.order(order).is_open


@pytest.mark.parametrize(
    ("fills", "closed", "busted", "status_after", "filled"),
    [
        ("4", None, "e0", "new", "0"),
        ("4 6", None, "e1", "partially_filled", "4"),
        ("10", None, "e0", "new", "0"),
        ("4 8", None, "e0", "partially_filled", "8"),
        ("10 1", None, "e1", "filled", "10"),
        ("4", events.OrderCanceled, "e0", "canceled", "0"),
        ("4 6", events.OrderCanceled, "e1", "canceled", "4"),
        ("4 6", events.OrderExpired, "e1", "canceled", "4"),
    ],
)
def test_busts(fills: str, closed: Any, busted: str, status_after: str, filled: str) -> None:
    """A bust takes the order back to where its other executions put it; a closed one stays closed."""
    bench = Bench()
    order = bench.work()
    for number, quantity in enumerate(fills.split()):
        if closed and number == max(1, len(fills.split()) - 1):
            fields = {"requested": False} if closed is events.OrderCanceled else {}
            bench.book(closed(order_id=order, **fields))
        bench.about(order, trade(quantity, f"e{number}"))
    if closed and bench.order(order).is_open:
        bench.book(closed(order_id=order, requested=False))
    assert kinds(bench.about(order, bust(busted))) == ["FillBusted"]
    assert (bench.order(order).status, bench.order(order).filled) == (status_after, d(filled))
    assert bench.about(order, bust(busted)) == []
    assert bench.state.position(bench.order(order).instrument).quantity == d(filled)


def test_a_correction_that_leaves_a_late_filled_order_short_closes_it_again() -> None:
    bench = Bench()
    order = bench.stand("CA4")
    bench.about(order, trade("6"))
    assert bench.order(order).status == "filled"
    bench.about(order, correct("5", "e9"))
    assert (bench.order(order).status, bench.order(order).filled) == ("canceled", d(9))


@pytest.mark.parametrize("revive", [trade("3"), inputs.Ack(**head()), status("new")], ids=["trade", "ack", "status"])
def test_a_revoked_void_order_is_open_again_after_a_bust(revive: Any) -> None:
    bench = Bench()
    order = bench.stand("VOI")
    bench.about(order, revive)
    bench.about(order, trade(_rest(bench.order(order)), "last"))
    assert bench.order(order).status == "filled"
    bench.about(order, bust("last"))
    assert bench.order(order).is_open


def test_an_execution_that_is_corrected_after_a_bust_counts_again_with_its_fee() -> None:
    bench = Bench()
    order = bench.work()
    bench.about(order, trade("4", "e1", fee=d("0.5"), fee_asset=Asset("USDT")))
    usdt = bench.state.balances[bench.order(order).venue][Asset("USDT")]
    bench.about(order, bust())
    bench.about(order, correct("4"))
    assert bench.order(order).filled == d(4)
    assert bench.state.balances[bench.order(order).venue][Asset("USDT")] == usdt


def test_a_fee_is_charged_once() -> None:
    bench = Bench()
    order = bench.stand("PAR")
    fee = _fee(bench, bench.order(order))
    assert kinds(bench.about(order, fee)) == ["FeeBooked"]
    assert bench.about(order, fee) == []


FEE = inputs.FeeReported(**head(), exec_id=ExecId("e7"), fee=d(1), fee_asset=Asset("USDT"))
OF_ANOTHER = {"same": correct("1", "e7"), "other": correct("2", "e7"), "bust": bust("e7"), "fee": FEE}


@pytest.mark.parametrize("stand", ["PAR", "FIL"])
@pytest.mark.parametrize("report", OF_ANOTHER.values(), ids=OF_ANOTHER.keys())
def test_a_correction_of_another_orders_execution_changes_neither(stand: str, report: Any) -> None:
    bench = Bench()
    bench.work("o2")
    bench.fill("o2", "1", "e7")
    order = bench.stand(stand)
    before = dict(bench.state.executions)
    assert kinds(bench.about(order, report))[:1] == ["AnomalyRecorded"]
    assert bench.state.executions == before


def test_a_contradiction_is_asked_about_once_and_not_with_every_answer() -> None:
    """The answer to the question contradicts again: that must not ask the next one."""
    bench = Bench()
    order = bench.stand("PAR")
    assert kinds(bench.about(order, trade("1", "e1"))) == ["AnomalyRecorded", "OrderQueried"]
    for _ in range(5):
        bench.wait(SECOND_NS)
        assert bench.about(order, trade("1", "e1")) == []


# --- cancel and replace -----------------------------------------------------------------------------------------

UNKNOWN = cancel_rejected(Refusal.UNKNOWN_ORDER)

# pending cancel and where the order stands -> report -> pending cancel, held, events
CANCELS: list[tuple[str, str, Any, str, list[str]]] = [
    ("none", "NEW", CancelAsked(by="x"), "sent", ["CancelRequested"]),
    ("none", "DBT", CancelAsked(by="x"), "sent", ["CancelRequested"]),
    ("none", "PND", CancelAsked(by="x"), "held", ["CancelRequested"]),
    ("none", "NEW", inputs.CancelAcked(**head()), "none", ["CancelAccepted"]),
    ("none", "NEW", cancel_rejected(), "none", ["AnomalyRecorded"]),
    ("none", "NEW", UNKNOWN, "none", ["AnomalyRecorded"]),
    ("none", "NEW", unknown("cancel"), "none", []),
    ("sent", "NEW", CancelAsked(by="x"), "sent", []),
    ("sent", "NEW", inputs.CancelAcked(**head()), "sent", ["CancelAccepted"]),
    ("sent", "NEW", cancel_rejected(), "none", ["CancelRefused", "OrderQueried"]),
    ("sent", "NEW", cancel_rejected(Refusal.DEFINITIVE), "none", ["CancelRefused", "OrderQueried"]),
    ("sent", "NEW", UNKNOWN, "in_doubt", ["CancelRefused", "OrderQueried"]),
    ("sent", "NEW", unknown("cancel"), "in_doubt", ["OutcomeUnknown", "OrderQueried"]),
    ("sent", "NEW", inputs.Canceled(**head()), "none", ["OrderCanceled"]),
    ("sent", "NEW", trade("3"), "sent", ["FillBooked"]),
    ("sent", "NEW", trade("10"), "none", ["FillBooked"]),
    ("sent", "NEW", replaced("12"), "sent", ["OrderReplaced"]),
    ("in_doubt", "NEW", CancelAsked(by="x"), "sent", ["CancelRequested"]),
    ("in_doubt", "NEW", inputs.CancelAcked(**head()), "in_doubt", ["CancelAccepted"]),
    ("in_doubt", "NEW", cancel_rejected(), "none", ["CancelRefused", "OrderQueried"]),
    ("in_doubt", "NEW", UNKNOWN, "in_doubt", ["CancelRefused", "OrderQueried"]),
    ("in_doubt", "NEW", unknown("cancel"), "in_doubt", []),
    ("in_doubt", "NEW", inputs.Canceled(**head()), "none", ["OrderCanceled"]),
    ("held", "PND", CancelAsked(by="x"), "held", []),
    ("held", "PND", inputs.Ack(**head()), "sent", ["OrderAccepted", "CancelRequested"]),
    ("held", "PND", trade("3"), "sent", ["FillBooked", "CancelRequested"]),
    ("held", "PND", trade("10"), "none", ["FillBooked"]),
    ("held", "PND", rejected(), "none", ["OrderRejected"]),
    ("held", "PND", unknown("new"), "sent", ["OutcomeUnknown", "OrderQueried", "CancelRequested"]),
    ("held", "PND", inputs.Expired(**head()), "none", ["OrderExpired"]),
]


def _with_cancel(pending: str, stand: str) -> tuple[Bench, OrderId]:
    bench = Bench()
    order = bench.stand(stand)
    if pending != "none":
        bench.about(order, CancelAsked(by="operator"))
    if pending == "in_doubt":
        bench.about(order, unknown("cancel"))
    return bench, order


@pytest.mark.parametrize(("pending", "stand", "report", "after", "made"), CANCELS)
def test_cancel_overlay(pending: str, stand: str, report: Any, after: str, made: list[str]) -> None:
    bench, order = _with_cancel(pending, stand)
    assert kinds(bench.about(order, report)) == made
    now = bench.order(order)
    assert ("held" if now.cancel_held else str(now.pending_cancel)) == after
    assert now.cancel_held <= (now.pending_cancel is Pending.SENT)


@pytest.mark.parametrize(
    ("waited_ns", "made"), [(ABSENT_AFTER_NS, []), (ABSENT_AFTER_NS + 1, ["CancelRequested"])], ids=["early", "late"]
)
def test_a_cancel_that_can_have_no_effect_any_more_is_sent_again(waited_ns: int, made: list[str]) -> None:
    bench, order = _with_cancel("in_doubt", "NEW")
    bench.wait(waited_ns)
    assert kinds(bench.about(order, status("new"))) == made


REPLACES: list[tuple[str, Any, str, str, list[str]]] = [
    ("none", replaced("12"), "none", "12", ["OrderReplaced"]),
    ("none", inputs.ReplaceAcked(**head()), "none", "10", ["AnomalyRecorded"]),
    ("none", inputs.ReplaceRejected(**head()), "none", "10", ["AnomalyRecorded"]),
    ("none", unknown("replace"), "none", "10", []),
    ("sent", inputs.ReplaceAcked(**head()), "sent", "10", ["ReplaceAccepted"]),
    ("sent", inputs.ReplaceRejected(**head()), "none", "10", ["ReplaceRefused", "OrderQueried"]),
    ("sent", unknown("replace"), "in_doubt", "10", ["OutcomeUnknown", "OrderQueried"]),
    ("sent", replaced("12", "101"), "none", "12", ["OrderReplaced"]),
    ("sent", trade("3"), "sent", "10", ["FillBooked"]),
    ("sent", trade("10"), "none", "10", ["FillBooked"]),
    ("sent", inputs.Canceled(**head()), "none", "10", ["OrderCanceled"]),
    ("sent", status("new"), "sent", "10", []),
    ("sent", status("new", quantity="12", price="101"), "none", "12", ["OrderReplaced"]),
    ("in_doubt", inputs.ReplaceAcked(**head()), "in_doubt", "10", ["ReplaceAccepted"]),
    ("in_doubt", inputs.ReplaceRejected(**head()), "none", "10", ["ReplaceRefused", "OrderQueried"]),
    ("in_doubt", unknown("replace"), "in_doubt", "10", []),
    ("in_doubt", replaced("12", "101"), "none", "12", ["OrderReplaced"]),
    ("in_doubt", status("new", quantity="12", price="101"), "none", "12", ["OrderReplaced"]),
    ("in_doubt", status("new"), "in_doubt", "10", []),
]


def _with_replace(pending: str) -> tuple[Bench, OrderId]:
    bench = Bench()
    order = bench.stand("NEW")
    if pending != "none":
        bench.book(events.ReplaceRequested(
            order_id=order, new_client_order_id=ClientOrderId("c-new"), quantity=d(12), price=d(101), by="x"
        ))  # fmt: skip
    if pending == "in_doubt":
        bench.about(order, unknown("replace"))
    return bench, order


@pytest.mark.parametrize(("pending", "report", "after", "quantity", "made"), REPLACES)
def test_replace_overlay(pending: str, report: Any, after: str, quantity: str, made: list[str]) -> None:
    bench, order = _with_replace(pending)
    assert kinds(bench.about(order, report)) == made
    now = bench.order(order)
    assert (str(now.pending_replace), now.quantity) == (after, d(quantity))
    assert (now.replacement is None) == (now.pending_replace is Pending.NONE)
    if now.is_open:
        assert now.exposure == max(d(12) if after != "none" else now.quantity, now.quantity) - now.filled


def test_a_replacement_that_can_have_no_effect_any_more_is_over() -> None:
    bench, order = _with_replace("in_doubt")
    bench.wait(ABSENT_AFTER_NS + 1)
    asked_ns = bench.order(order).replace_ns + ABSENT_AFTER_NS
    expires_ns = bench.order(order).replace_ns + bench.state.settings.orders.expiry_ns
    for proves_nothing in (
        status("new"),  # a row of a list: it may be older than it says
        status("new", asked_ns=asked_ns - 1, answered_ns=expires_ns + 1),  # an answer to a question from before
        status("new", asked_ns=asked_ns, answered_ns=expires_ns),  # the venue may still carry it out
    ):
        assert kinds(bench.about(order, proves_nothing)) == []
    proof = status("new", asked_ns=asked_ns, answered_ns=expires_ns + 1)
    assert kinds(bench.about(order, proof)) == ["ReplaceRefused", "OrderQueried"]
    assert bench.order(order).exposure == d(10)


def test_a_clock_that_jumped_proves_no_absence() -> None:
    """Whether a request has expired is for the venue's clock to say: ours may have been put forward since."""
    bench = Bench()
    order = bench.stand("DBT")
    expires_ns = bench.order(order).requested_ns + bench.state.settings.orders.expiry_ns
    assert kinds(bench.about(order, evolve(proof(bench), answered_ns=expires_ns))) == []
    assert kinds(bench.about(order, evolve(proof(bench), answered_ns=expires_ns + 1))) == ["OrderVoided"]


FIRST, SECOND = ClientOrderId("c-first"), ClientOrderId("c-second")


def _with_two_replacements(stand: str = "NEW") -> tuple[Bench, OrderId]:
    """The first was found to have no effect, the second is outstanding."""
    bench = Bench()
    order = bench.stand(stand)
    for name, quantity in ((FIRST, d(12)), (SECOND, d(15))):
        bench.book(events.ReplaceRequested(
            order_id=order, new_client_order_id=name, quantity=quantity, price=d(101), by="x"
        ))  # fmt: skip
        if name is FIRST:
            bench.book(events.ReplaceRefused(order_id=order, reason="not effective"))
    return bench, order


LATE = [
    inputs.ReplaceRejected(**head(), new_client_order_id=FIRST),
    inputs.ReplaceAcked(**head(), new_client_order_id=FIRST),
    evolve(unknown("replace"), new_client_order_id=FIRST),
    evolve(replaced("12", "101"), new_client_order_id=FIRST),
]


@pytest.mark.parametrize("report", LATE, ids=lambda report: type(report).__name__)
@pytest.mark.parametrize("stand", ["NEW", "PAR", "SUS", "DFD"])
def test_a_late_answer_about_an_earlier_replacement_says_nothing_of_this_one(stand: str, report: Any) -> None:
    """A refusal that was delayed once freed the exposure of a newer replacement, which the venue had carried out."""
    bench, order = _with_two_replacements(stand)
    before = bench.order(order)
    assert kinds(bench.about(order, report)) == []
    assert bench.order(order) == before
    assert bench.order(order).exposure == d(15) - before.filled
    assert kinds(bench.about(order, evolve(replaced("15", "101"), new_client_order_id=SECOND))) == ["OrderReplaced"]
    assert bench.order(order).quantity == d(15)


@pytest.mark.parametrize("report", LATE[:3], ids=lambda report: type(report).__name__)
def test_a_late_answer_finds_nothing_outstanding(report: Any) -> None:
    bench, order = _with_two_replacements()
    bench.about(order, inputs.ReplaceRejected(**head(), new_client_order_id=SECOND))
    before = bench.order(order)
    assert kinds(bench.about(order, report)) == []
    assert bench.order(order) == before


@pytest.mark.parametrize("stand", ["NEW", "PAR"])
def test_a_replacement_is_told_twice(stand: str) -> None:
    bench, order = _with_two_replacements(stand)
    told = evolve(replaced("15", "101"), new_client_order_id=SECOND)
    assert [kinds(bench.about(order, told)) for _ in range(2)] == [["OrderReplaced"], []]


def test_a_replacement_that_was_believed_to_be_over_is_a_fact_when_it_is_told() -> None:
    bench, order = _with_two_replacements()
    bench.about(order, inputs.ReplaceRejected(**head(), new_client_order_id=SECOND))
    assert kinds(bench.about(order, evolve(replaced("15", "101"), new_client_order_id=SECOND))) == ["OrderReplaced"]


def test_a_replacement_is_found_by_its_own_id() -> None:
    bench, _order = _with_replace("sent")
    named = evolve(trade("3"), client_order_id=ClientOrderId("c-new"), venue_order_id=VenueOrderId("v-new"))
    assert kinds(bench.report(named)) == ["FillBooked"]


# --- the tables themselves --------------------------------------------------------------------------------------

ORDER_TABLES = (LIFE, CANCEL, REPLACE)
TABLES = (*ORDER_TABLES, SYSTEM, VENUE)


def _cells(table: Table) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in table.rows:
        for source in row.sources:
            found.setdefault((source, row.report), []).append(row)
    return found


def test_every_guard_and_effect_exists_and_is_used() -> None:
    rows = [row for table in ORDER_TABLES for row in table.rows]
    assert {row.guard for row in rows if row.guard} == set(GUARDS)
    events_of_their_own = {"deny", "submit", "request_replace", "hold", "amend"}  # journaled with the verdict
    assert {row.effect for row in rows if row.effect} - events_of_their_own == set(EFFECTS)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_cell_is_not_ambiguous(table: Table) -> None:
    for place, rows in _cells(table).items():
        guards = [row.guard for row in rows]
        assert len(set(guards)) == len(guards), f"{place}: two rows with the same guard"
        assert guards.count("") <= 1, f"{place}: two rows without a guard"
        assert "" not in guards[:-1], f"{place}: rows behind the one without a guard"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_rows_name_states_of_their_table(table: Table) -> None:
    for row in table.rows:
        assert set(row.sources) <= set(table.states)
        assert row.destination is None or row.destination in set(table.states)
        assert len(set(row.sources)) == len(row.sources)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_machine_and_the_compiled_look_up_agree(table: Table) -> None:
    """Each row is driven through the library itself, with only its guard holding."""
    for (source, report), rows in _cells(table).items():
        cells = table.find(source, report)
        assert [cell.guard for cell in cells] == [row.guard for row in rows]
        for row, cell in zip(rows, cells, strict=True):
            model = _Model({row.guard})
            machine = _machine_for(table, model, source)
            getattr(model, report)()
            assert machine.get_model_state(model).name == cell.destination
            assert model.done == ([cell.effect] if cell.effect else [])


class _Model:
    """What the library drives: guards hold as they are told, effects are noted."""

    def __init__(self, holding: set[str]) -> None:
        self.done: list[str] = []
        self._holding = holding

    def __getattr__(self, name: str) -> Any:
        if name in GUARDS or name == "is_paused":
            return lambda event: name in self.__dict__["_holding"]
        if name.startswith("_") or not any(name == row.effect for table in TABLES for row in table.rows):
            raise AttributeError(name)
        return lambda event: self.done.append(name)


def _machine_for(table: Table, model: _Model, source: str) -> Machine:
    table.machine.add_model(model, initial=str(source))
    return table.machine


# --- apply asserts ----------------------------------------------------------------------------------------------


def _events_about(order: Order) -> list[Event]:
    """One of each kind of event that an order's table has a say in."""
    about: dict[str, Any] = {"order_id": order.order_id}
    where: dict[str, Any] = {"venue": order.venue, "instrument": order.instrument}
    return [
        events.OrderDenied(**about, reason="x"),
        events.SubmitRequested(**about, client_order_id=ClientOrderId("c-o1")),
        events.OrderAccepted(**about, venue_order_id=None),
        events.OrderRejected(**about, reason="x"),
        events.FillBooked(
            **about, **where, exec_id=ExecId("e9"), strategy=order.strategy, side=order.side, quantity=d(3),
            price=d(100), fee=None, fee_asset=None, liquidity=Liquidity.TAKER,
        ),
        events.FillCorrected(**about, **where, exec_id=ExecId("e1"), quantity=d(2), price=d(100)),
        events.FillBusted(**about, **where, exec_id=ExecId("e1")),
        events.CancelRequested(**about, held=False, by="x"),
        events.CancelAccepted(**about),
        events.CancelRefused(**about, refusal=Refusal.TOO_LATE, reason=""),
        events.OrderCanceled(**about, requested=False),
        events.OrderExpired(**about),
        events.ReplaceRequested(**about, new_client_order_id=ClientOrderId("n"), quantity=d(12), price=None, by="x"),
        events.ReplaceAccepted(**about),
        events.OrderReplaced(**about, quantity=d(12), price=None),
        events.ReplaceRefused(**about, reason=""),
        events.OrderSuspended(**about),
        events.OrderDoneForDay(**about),
        events.OrderRestated(**about, quantity=d(12)),
        events.OrderTriggered(**about),
        events.OrderHeld(**about, why="x"),
        events.OrderAmended(**about, quantity=d(12), price=None, stop_price=None, why="x"),
        *(events.OutcomeUnknown(**about, request=request, cause="x") for request in RequestKind),
        events.OrderVoided(**about, sources=(), asked_ns=0),
        events.OrderResolved(**about, resolution=Resolution.VOID, by="x", reason=""),
    ]  # fmt: skip


KINDS_ABOUT = 27

# Where each kind may be applied, stands with no outstanding cancel or replacement; hand-written like the matrix.
_OPEN = "PND DBT NEW PAR SUS SU4 DFD DF4"
_WORKING = "NEW PAR SUS SU4 DFD DF4"
_FILLS = "PAR SU4 DF4 FIL CA4 EX4"
ALLOWED = {
    "OrderDenied": "INT",
    "SubmitRequested": "INT",
    "OrderAccepted": f"PND DBT {_WORKING} VOI",
    "OrderRejected": "PND DBT NEW SUS DFD VOI",  # never with executions
    "FillBooked": f"{_OPEN} FIL CAN CA4 EXP EX4 REJ VOI",
    "FillCorrected": _FILLS,
    "FillBusted": _FILLS,
    "CancelRequested": _OPEN,
    "CancelAccepted": _OPEN,
    "CancelRefused": "",
    "OrderCanceled": f"INT {_OPEN} VOI",
    "OrderExpired": f"INT {_OPEN} VOI",
    "ReplaceRequested": _WORKING,
    "ReplaceAccepted": "",
    "OrderReplaced": f"{_OPEN} FIL",  # a fill had overtaken the answer
    "ReplaceRefused": "",
    "OrderSuspended": "PND DBT NEW PAR DFD DF4",
    "OrderDoneForDay": "PND DBT NEW PAR SUS SU4",
    "OrderRestated": _OPEN,
    "OrderTriggered": "INT NEW PAR",
    "OrderHeld": "INT",
    "OrderAmended": "INT",
    "OutcomeUnknown new": "PND VOI",
    "OutcomeUnknown cancel": "",
    "OutcomeUnknown replace": "",
    "OrderVoided": "DBT",
    "OrderResolved": "DBT",
}


@pytest.mark.parametrize("stand", STANDS)
def test_apply_refuses_what_the_tables_do_not_allow(stand: str) -> None:
    for number in range(KINDS_ABOUT):
        bench = Bench()
        order = bench.stand(stand)
        event = _events_about(bench.order(order))[number]
        name = f"{event.kind} {event.request}" if isinstance(event, events.OutcomeUnknown) else event.kind
        if stand in ALLOWED[name].split():
            bench.book(event)
        else:
            with pytest.raises((IllegalEvent, KeyError)):  # a KeyError: there is no such execution
                bench.book(event)


def test_an_event_is_applied_once() -> None:
    """The same record again is refused by its seq; the same fact under a new seq by what it would do twice."""
    bench = Bench()
    order = bench.stand("PAR")
    bench.about(order, _fee(bench, bench.order(order)))
    bench.about(order, bust())
    for recorded in list(bench.recorded):
        with pytest.raises(IllegalEvent):
            apply(bench.state, recorded)
    twice = ("OrderIntended", "SubmitRequested", "FillBooked", "FillBusted", "FeeBooked")
    for recorded in [r for r in bench.recorded if r.event.kind in twice]:
        with pytest.raises(IllegalEvent):
            apply(bench.state, Recorded(bench.state.seq + 1, recorded.at_ns, recorded.event))


def test_a_gap_is_refused() -> None:
    bench = Bench()
    with pytest.raises(IllegalEvent, match="does not follow"):
        apply(bench.state, Recorded(bench.state.seq + 2, bench.now_ns, events.ClockJumped(jump_ns=1)))


def test_terminal_orders_have_nothing_outstanding() -> None:
    for stand in STANDS:
        bench = Bench()
        order = bench.order(bench.stand(stand))
        if order.status in TERMINAL:
            assert not order.leaves
            assert {order.pending_cancel, order.pending_replace} == {Pending.NONE}


def test_a_request_without_effect_has_a_row() -> None:
    assert NotEffective().by == "engine"
    assert CANCEL.find("in_doubt", "cancel_not_effective")
    assert REPLACE.find("in_doubt", "replace_not_effective")
