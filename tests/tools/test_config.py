"""The configuration: what a good file means, and every fault of a bad one with its place."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from adapters.registry import Adapter
from engine.settings import Evaluate, Limits, Mode, OnStop, Record
from engine.values import SECOND_NS, Duration, InstrumentName, StrategyName, VenueName
from tools import document
from tools.config import (
    ConfigurationWrong,
    load_strategies,
    read_configuration,
    read_journal_directory,
)

BTC, SIM, CROSS = InstrumentName("BTC-USDT"), VenueName("sim"), StrategyName("cross")


def _even(value: Any) -> int:
    if value % 2:
        raise ValueError("an even number is wanted")
    return int(value)


@frozen(kw_only=True)
class Rates:
    maker: Decimal = Decimal("0.001")


@frozen(kw_only=True)
class Options:
    """Options as an adapter may have them."""

    seed: int = 7
    speed: str = "1"
    latency_ns: Duration = Duration(0)
    rates: Rates = Rates()
    balances: dict[str, Decimal] = field(factory=dict)
    pairs: Any = field(default=2, converter=_even)

    def __attrs_post_init__(self) -> None:
        if self.speed == "0":
            raise ValueError("speed must be above 0")


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(document, "adapters", lambda: {"simulated": Adapter("simulated", Options, never)})


STRATEGY = """
from engine.strategy import Strategy


class Mine(Strategy):
    pass
"""

GOOD = """
mode = "paper"
journal = "run"

[venues.sim]
adapter = "simulated"
seed = 11
latency = "2ms"
rates = { maker = "0.002" }
balances = { USDT = 1000, BTC = "0.5" }

[instruments."BTC-USDT"]
venue = "sim"
symbol = "BTCUSDT"

[strategies.cross]
class = "mine.py:Mine"
instruments = ["BTC-USDT"]
version = "3"
bars = "1s"
evaluate = { every = "2s" }
params = { fast = 5, quantity = "0.001", eager = true }

[orders]
on_stop = "cancel"

[risk]
max_order_quantity = { "BTC-USDT" = "0.50" }
price_collar = "2%"
max_quote_age = "5s"

[risk.strategies.cross]
max_open_orders = 3

[risk.instruments."BTC-USDT"]
max_position = "1.5"

[reconcile]
every = "30s"

[record]
quotes = "none"
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "mine.py").write_text(STRATEGY)

    def _write(text: str) -> Path:
        path = tmp_path / "holdfast.toml"
        path.write_text(dedent(text).lstrip("\n"))
        return path

    return _write


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigurationWrong) as caught:
        read_configuration(path)
    return [f"{fault.place}: {fault.message}" for fault in caught.value.faults]


def only(path: Path) -> str:
    found = faults(path)
    assert len(found) == 1, found
    return found[0]


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "bars", "evaluate"),
    [
        ('bars = "1s"', 'bars = "5m"', (300,), Evaluate(every_ns=Duration(2 * SECOND_NS))),
        ('bars = "1s"', 'bars = ["5m", "1m"]', (60, 300), Evaluate(every_ns=Duration(2 * SECOND_NS))),
        ('{ every = "2s" }', '{ on = "book" }', (1,), Evaluate(on="book")),
        (
            '{ every = "2s" }', '{ on = ["quote", "trade"], at_most_every = "1s", every = "2s", at = ["00:05"] }', (1,),
            Evaluate(
                on=("quote", "trade"), at_most_every_ns=Duration(SECOND_NS), every_ns=Duration(2 * SECOND_NS),
                at=("00:05",),
            ),
        ),
        ('{ every = "2s" }', '{ at = "23:59" }', (1,), Evaluate(at=("23:59",))),
    ],
)  # fmt: skip
def test_the_ways_in_which_a_strategy_is_asked(
    write: Write, old: str, new: str, bars: tuple[int, ...], evaluate: Evaluate
) -> None:
    strategy = read_configuration(write(edited(old, new))).settings.strategies[CROSS]
    assert strategy.frames_ns == tuple(seconds * SECOND_NS for seconds in bars)
    assert strategy.evaluate == evaluate


def test_complete_bars_can_be_required(write: Write) -> None:
    strategy = read_configuration(write(edited('bars = "1s"', 'bars = "1s"\nrequire_complete = true')))
    assert strategy.settings.strategies[CROSS].require_complete


def test_a_good_file_says_what_it_means(write: Write) -> None:
    path = write(GOOD)
    found = read_configuration(path)
    settings = found.settings
    assert (found.path, found.directory, found.journal) == (path, path.parent, path.parent / "run")
    assert (settings.mode, settings.orders.on_stop, settings.quotes) == (Mode.PAPER, OnStop.CANCEL, Record.NONE)
    assert settings.venues == {SIM: "simulated"}
    assert settings.reconcile.every_ns == 30 * SECOND_NS
    assert settings.risk.account == Limits(
        max_order_quantity={BTC: Decimal("0.5")}, price_collar=Decimal("0.02"), max_quote_age_ns=Duration(5 * SECOND_NS)
    )
    assert settings.risk.strategies == {CROSS: Limits(max_open_orders=3)}
    assert settings.risk.instruments == {BTC: Limits(max_position={BTC: Decimal("1.5")})}
    strategy = settings.strategies[CROSS]
    assert (strategy.tag, strategy.version, strategy.instruments) == ("cross", "3", (BTC,))
    assert strategy.params == {"fast": 5, "quantity": "0.001", "eager": True}
    assert strategy.evaluate == Evaluate(every_ns=Duration(2 * SECOND_NS))
    assert len(strategy.file_hash) == 64


def test_an_adapter_gets_its_own_options(write: Write) -> None:
    venue = read_configuration(write(GOOD)).venues[SIM]
    assert venue.adapter.name == "simulated"
    assert venue.symbols == {BTC: "BTCUSDT"}
    assert venue.options == Options(
        seed=11,
        latency_ns=Duration(2_000_000),
        rates=Rates(maker=Decimal("0.002")),
        balances={"USDT": Decimal(1000), "BTC": Decimal("0.5")},
    )


def test_the_strategies_are_loaded_once_for_each_content(write: Write) -> None:
    found = read_configuration(write(GOOD))
    loaded = load_strategies(found)
    assert loaded[CROSS].__name__ == "Mine"
    assert load_strategies(found) == loaded


def test_what_is_left_out_has_its_default(write: Write) -> None:
    found = read_configuration(write('[venues.sim]\nadapter = "simulated"\n'))
    assert found.venues[SIM].options == Options()
    assert found.settings.strategies == {}
    assert found.settings.risk.account == Limits()


TEN_FAULTS = """
mode = "papre"
jornal = "run"

[venues.sim]
adapter = "simulatd"

[instruments."BTC-USDT"]
venue = "sim"

[strategies.cross]
class = "mine.py:Main"
instruments = ["BTC-USD"]
params = { fast = 0.5 }
evaluate = { on = "quote", at_most_every = "250" }

[orders]
on_stop = "keep"
on_disconnect = "drop"

[risk]
max_opne_orders = 20
max_position = { "BTC-USDT" = 1.5 }
max_daily_loss = "-5"
price_collar = "2 percent"

[reconcile]
every = 60
"""

TEN_FAULTS_TOLD = [
    'line 1, mode: "papre" is not one of paper, live, backtest; did you mean paper?',
    "line 2, jornal: unknown key; did you mean journal?",
    'line 5, venues.sim.adapter: there is no adapter "simulatd"; did you mean simulated?',
    "line 7, instruments.BTC-USDT.symbol: missing",
    "line 11, strategies.cross.class: there is no class Main in mine.py; did you mean Mine?",
    'line 12, strategies.cross.instruments[0]: there is no instrument "BTC-USD"; did you mean BTC-USDT?',
    'line 13, strategies.cross.params.fast: a number with a point is written in quotes: "0.5"',
    "line 14, strategies.cross.evaluate.at_most_every: '250' is not a duration; write it as 250ms, 5s, 2m, 1h or 7d",
    'line 18, orders.on_disconnect: "drop" is not one of keep, cancel',
    "line 21, risk.max_opne_orders: unknown key; did you mean max_open_orders?",
    'line 22, risk.max_position.BTC-USDT: a number with a point is written in quotes: "1.5"',
    "line 23, risk.max_daily_loss: it can't be below zero",
    "line 24, risk.price_collar: '2 percent' is not a number",
    'line 27, reconcile.every: a duration is wanted, such as "250ms", "5s" or "2m", not 60',
]


def test_every_fault_is_told_with_its_place(write: Write) -> None:
    assert faults(write(TEN_FAULTS)) == TEN_FAULTS_TOLD


def test_the_error_as_text_lists_them_all(write: Write) -> None:
    path = write(TEN_FAULTS)
    with pytest.raises(ConfigurationWrong) as caught:
        read_configuration(path)
    assert str(caught.value) == "\n  ".join([f"{path}: 14 faults", *TEN_FAULTS_TOLD])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('venue = "sim"', 'venue = "sin"', 'instruments.BTC-USDT.venue: there is no venue "sin"; did you mean sim?'),
        ('latency = "2ms"', "latency = 2", "venues.sim.latency: a duration is wanted"),
        ("seed = 11", 'seed = "11"', 'venues.sim.seed: a whole number is wanted, not "11"'),
        ("seed = 11", "seed = true", "venues.sim.seed: a whole number is wanted, not true"),
        ("seed = 11", "sed = 11", "venues.sim.sed: unknown key; did you mean seed?"),
        ("seed = 11", 'speed = "0"', "venues.sim.speed: speed must be above 0"),
        ("seed = 11", 'api_key = { env = "KEY" }', "venues.sim.api_key: it belongs to"),
        ("seed = 11", 'prices_from = "binance"', "venues.sim.prices_from: not available yet"),
        ("seed = 11", "pairs = 3", "venues.sim.pairs: an even number is wanted"),
        ('BTC = "0.5"', 'BTC = "0,5"', "venues.sim.balances.BTC: '0,5' is not a number"),
        ('BTC = "0.5"', "BTC = true", "venues.sim.balances.BTC: a number is wanted"),
        ('{ maker = "0.002" }', "{ maker = [] }", "venues.sim.rates.maker: a number is wanted"),
        ('{ maker = "0.002" }', '"low"', "venues.sim.rates: a table is wanted"),
        ('["BTC-USDT"]', '"BTC-USDT"', "strategies.cross.instruments: a list is wanted"),
        ('["BTC-USDT"]', "[]", "strategies.cross.instruments: a strategy needs an instrument"),
        ("mine.py:Mine", "mine.py", 'strategies.cross.class: "mine.py" is not module:Class'),
        ("mine.py:Mine", "yours.py:Mine", "strategies.cross.class: can't read"),
        ("mine.py:Mine", "no_such_module:Mine", "strategies.cross.class: there is no module no_such_module"),
        ("mine.py:Mine", "decimal:Decimal", "strategies.cross.class: Decimal in decimal.py is not a subclass"),
        ('version = "3"', "version = 3", "strategies.cross.version: a text in quotes is wanted, not 3"),
        ('version = "3"', 'tag = "a_b"', 'strategies.cross.tag: "a_b" is not a tag'),
        ('version = "3"', 'file_hash = "x"', "strategies.cross.file_hash: unknown key"),
        ('bars = "1s"', 'bars = "0s"', "strategies.cross.bars: it must be above zero"),
        ('bars = "1s"', 'bars_ns = "1s"', "strategies.cross.bars_ns: unknown key; did you mean bars?"),
        ('{ every = "2s" }', '{ on = ["quote", "trad"] }', 'strategies.cross.evaluate.on: "trad": did you mean trade?'),
        ('{ every = "2s" }', "{ on = [] }", "strategies.cross.evaluate.on: a text in quotes is wanted"),
        ('{ every = "2s" }', '{ at = "25:00" }', 'strategies.cross.evaluate.at: "25:00" is no time of the day'),
        ('bars = "1s"', 'bars = ["1s", "1s"]', "strategies.cross.bars: one of them stands there twice"),
        ('bars = "1s"', 'bars = ["1s", "0s"]', "strategies.cross.bars: it must be above zero"),
        ('bars = "1s"', "bars = 60", "strategies.cross.bars: a text in quotes is wanted"),
        ('bars = "1s"', f"bars = {[f'{n}s' for n in range(1, 10)]}", "strategies.cross.bars: 9 lengths of bars"),
        ('{ every = "2s" }', '{ on = "qoute" }', 'strategies.cross.evaluate.on: "qoute": did you mean quote?'),
        ("eager = true", "eager = []", "strategies.cross.params.eager: a text, a whole number, true or false"),
        ('"2%"', '"200%"', "risk.price_collar:"),
        ('"2%"', '"2"', "risk.price_collar:"),
        ('"BTC-USDT" = "0.50"', '"ETH-USDT" = "0.50"', 'risk.max_order_quantity.ETH-USDT: there is no instrument'),
        ("[risk.strategies.cross]", "[risk.strategies.cros]", 'risk.strategies.cros: there is no strategy "cros"'),
        ("max_open_orders = 3", 'duplicate_intent = "1s"', "duplicate_intent: it holds for the whole account"),
        ('max_position = "1.5"', 'max_position = "x"', "risk.instruments.BTC-USDT.max_position"),
        ('on_stop = "cancel"', 'send_limit = "1s"', "orders.expiry: it must be above send_limit"),
        ('journal = "run"', 'journal = "."', "journal: the journal needs a directory of its own"),
        ("[venues.sim]", '[venues."s/m"]', "venues.s/m"),
    ],
)  # fmt: skip
def test_a_fault_stands_at_its_key(write: Write, old: str, new: str, told: str) -> None:
    found = faults(write(edited(old, new)))
    assert any(told in fault.replace('"s/m"', "s/m") for fault in found), found


def test_a_fault_names_the_line_of_its_key(write: Write) -> None:
    text = edited("max_open_orders = 3", "max_open_orders = -3")
    line = dedent(text).lstrip("\n").splitlines().index("max_open_orders = -3") + 1
    assert only(write(text)) == f"line {line}, risk.strategies.cross.max_open_orders: it can't be below zero"


def test_one_symbol_has_one_name(write: Write) -> None:
    text = GOOD + '[instruments.BTC]\nvenue = "sim"\nsymbol = "BTCUSDT"\n'
    assert "instruments.BTC.symbol: BTCUSDT at sim is BTC-USDT already" in only(write(text))


def test_two_strategies_never_share_a_tag(write: Write) -> None:
    text = GOOD + '[strategies."cr.oss"]\nclass = "mine.py:Mine"\ninstruments = ["BTC-USDT"]\n'
    assert "it has the tag of cross, cross" in only(write(text))


def test_no_venue_is_a_fault(write: Write) -> None:
    assert only(write('mode = "paper"')).startswith("line 1, venues: no venue")


def test_a_missing_adapter_names_those_that_are_there(write: Write) -> None:
    assert only(write("[venues.sim]\nseed = 1\n")) == "line 1, venues.sim.adapter: missing; it can be simulated"


def test_syntax_has_line_and_column(write: Write) -> None:
    assert only(write('mode = "paper"\n[risk\n')).startswith("line 2, column 6: not TOML: Expected ']'")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff\xfe", "it is not UTF-8 at byte 0"), (None, "there is no such file; `holdfast init` writes one")],
)
def test_a_file_that_can_not_be_read(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "holdfast.toml"
    if content is not None:
        path.write_bytes(content)
    assert only(path) == f"holdfast.toml: {told}"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import engine.strategy\n1 / 0\n", "mine.py, line 2: 1 / 0\nZeroDivisionError: division by zero"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("raise SystemError('no')\n", "SystemError: no"),
    ],
)
def test_a_broken_strategy_is_a_fault_with_its_traceback(write: Write, source: str, told: str) -> None:
    path = write(GOOD)
    (path.parent / "mine.py").write_text(source)
    found = only(path)
    assert "strategies.cross.class: mine.py can't be imported" in found
    assert told in found


def test_a_reading_command_runs_no_strategy(write: Write) -> None:
    path = write(GOOD)
    (path.parent / "mine.py").write_text("1 / 0")
    found = read_configuration(path, load=False)
    with pytest.raises(ConfigurationWrong, match="ZeroDivisionError"):
        load_strategies(found)


def test_a_strategy_that_changed_meanwhile_is_not_run(write: Write) -> None:
    path = write(GOOD)
    found = read_configuration(path)
    (path.parent / "mine.py").write_text(STRATEGY + "1 / 0\n")
    with pytest.raises(ConfigurationWrong, match=r"strategies.cross.class: mine.py has changed meanwhile"):
        load_strategies(found)


def test_the_journal_is_found_in_a_wrong_file(write: Write) -> None:
    path = write('journal = "there"\nwrong = 1\n')
    assert read_journal_directory(path) == path.parent / "there"


def test_the_hash_is_of_the_strategy_s_file(write: Write) -> None:
    path = write(GOOD)
    before = read_configuration(path).settings.strategies[CROSS].file_hash
    (path.parent / "mine.py").write_text(STRATEGY + "# changed\n")
    assert read_configuration(path).settings.strategies[CROSS].file_hash != before


@given(st.data())
def test_any_key_that_is_misspelt_is_a_fault_at_its_line(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    directory = tmp_path_factory.mktemp("any")
    (directory / "mine.py").write_text(STRATEGY)
    lines = GOOD.splitlines()
    keyed = [number for number, line in enumerate(lines) if " = " in line]
    number = data.draw(st.sampled_from(keyed))
    key, _, value = lines[number].partition(" = ")
    lines[number] = f"{key}x = {value}"
    path = directory / "holdfast.toml"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigurationWrong) as caught:
        read_configuration(path, load=False)
    assert any(
        fault.place.startswith(f"line {number + 1}, ") and "unknown key" in fault.message
        for fault in caught.value.faults
    )
