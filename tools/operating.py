"""What an operator orders: it goes to the running engine and is answered once it stands in the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.order import Order
from engine.state import State
from engine.values import exact
from journal.errors import JournalMissing
from tools.config import Configuration, read_configuration, read_journal_directory
from tools.control import ANSWER_SECONDS, KILL_SECONDS, ControlRefused, EngineSilent
from tools.control import order as send
from tools.last_resort import cancel_unjournaled
from tools.rows import Row, order_row, sorted_orders, to_json
from tools.run import EXIT_CLEAN, EXIT_NO_VENUE
from tools.takeover import OwnerStays, end_owner, kill_without_engine
from tools.view import read_state
from tools.why import NothingKnown
from tools.wording import count, order_words, status_words

DONE = {"pause": "paused", "resume": "resumed"}


def give(config: Path, command: dict[str, Any], as_json: bool) -> None:
    """Pause or resume; raises `EngineSilent` where no engine runs."""
    answer = _send(_journal(config), command)
    if as_json:
        click.echo(to_json(answer))
        return
    what = f"{command['scope']} {command['subject']}" if "scope" in command else "everything"
    click.echo(f"{DONE[command['action']]} {what}; journaled at seq {answer['seq']:,}")
    if command["action"] == "pause":
        click.echo("Open orders stay at the venues. `holdfast resume` ends it, a restart does not.")


def kill_all(config: Path, flatten: bool, reason: str) -> int:
    """Pause, cancel, verify; gives the exit code: 0 when each venue has shown zero open orders, else 69.

    A configuration that is wrong does not stop a kill as long as an engine answers; without one it is needed.
    """
    journal = _journal(config)
    try:
        verified = _kill_running(journal, flatten, reason)
    except (EngineSilent, ControlRefused) as silent:
        click.echo(f"{silent}; the work is done from here")
        verified = _take_over(read_configuration(config, load=False), flatten, reason)
    if verified:
        click.echo("every venue shows zero open orders; nothing new leaves until `holdfast resume`")
        return EXIT_CLEAN
    click.echo("NOT PROVEN that no order is open: look at the venue itself, and repeat `holdfast kill`", err=True)
    for order in sorted_orders(read_state(journal)):
        click.echo(f"  {order.order_id}  {order_words(order)}, {status_words(order)}", err=True)
    return EXIT_NO_VENUE


def _kill_running(journal: Path, flatten: bool, reason: str) -> bool:
    """A kill by the engine that runs; raises `EngineSilent` where none answers in time."""
    send(journal, {"action": "status"})
    command = {"action": "kill", "flatten": flatten, "reason": reason}
    answer = send(journal, command, KILL_SECONDS + 2 * ANSWER_SECONDS)
    click.echo(f"killed at seq {answer['seq']:,}: every open order is being cancelled")
    return bool(answer["verified"])


def _take_over(configuration: Configuration, flatten: bool, reason: str) -> bool:
    try:
        owner = end_owner(configuration.journal)
    except OwnerStays as stays:
        click.echo(f"{stays}: sending cancels WITHOUT a journal", err=True)
        sent = cancel_unjournaled(configuration)
        click.echo(f"{count(sent, 'cancel')} sent; nothing is proven by that", err=True)
        return False
    if owner is not None:
        click.echo(f"process {owner.pid} held the journal and was ended")
    return kill_without_engine(configuration, flatten, reason) == EXIT_CLEAN


def resolve_order(
    config: Path, asked: str, resolution: str, fill: tuple[str, str] | None, reason: str, as_json: bool
) -> None:
    """Settle an order in doubt by hand; raises `NothingKnown` for one that the journal does not know."""
    journal = _journal(config)
    order = _find(read_state(journal), asked)
    if not order.is_in_doubt:
        raise click.UsageError(f"{order.order_id} is not in doubt: {status_words(order)}")
    command: dict[str, Any] = {
        "action": "resolve", "order_id": order.order_id, "resolution": resolution, "reason": reason,
    }  # fmt: skip
    if fill is not None:
        command |= {"quantity": fill[0], "price": fill[1]}
    answer = _send(journal, command)
    after = _find(read_state(journal), order.order_id)
    if as_json:
        click.echo(to_json(answer | {"order": order_row(after)}))
    else:
        click.echo(f"{after.order_id} ({order_words(after)}) is now {status_words(after)}")


def _send(journal: Path, command: dict[str, Any]) -> Row:
    try:
        return send(journal, command)
    except EngineSilent as error:
        raise EngineSilent(f"{error}. Start it with `holdfast run`; `holdfast kill` works without.") from error


def _journal(config: Path) -> Path:
    """The journal directory; whatever else is wrong with the configuration must not stop an operator."""
    journal = read_journal_directory(config)
    if not (journal / "journal.db").exists():
        raise JournalMissing("there is no journal", place=str(journal), hint="Start one with `holdfast run`.")
    return journal


def _find(state: State, asked: str) -> Order:
    """An order by any of its ids."""
    for order in state.orders.values():
        if asked in (order.order_id, order.client_order_id, order.venue_order_id):
            return order
    raise NothingKnown(f"{asked}: the journal knows no such order")


def read_fill(resolution: str, fill: str | None) -> tuple[str, str] | None:
    """The execution that an operator asserts, as (quantity, price); raises `click.UsageError` for one that can't be."""
    if resolution == "filled" and fill is None:
        raise click.UsageError("--as filled needs --fill QTY@PRICE")
    if resolution != "filled" and fill is not None:
        raise click.UsageError(f"--fill does not go with --as {resolution}")
    if fill is None:
        return None
    quantity, at, price = fill.partition("@")
    try:
        if at and exact(quantity) > 0 and exact(price) > 0:
            return str(exact(quantity)), str(exact(price))
    except ValueError:
        pass  # said below, in the words of the option
    raise click.UsageError(f"--fill {fill}: write it as QTY@PRICE, such as 0.01@60000")
