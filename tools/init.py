"""`holdfast init`: a directory in which `holdfast run` works at once."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from attrs import frozen

WRITTEN = {"holdfast.toml": "holdfast.toml", "my_strategy.py": "my_strategy.py", ".gitignore": "gitignore"}
"""File: the one in `tools/first_run` that it is made of."""

MAY_STAND = (".gitignore",)
"""What may be there already; it is left as it is."""


FIRST = "sma_cross"
"""The strategy that is written unless another is asked for."""

STRATEGIES = {
    FIRST: """\
[strategies.cross]
class = "engine.strategies.sma_cross:SmaCross"     # long while the fast average of closes is above the slow one
instruments = ["BTC-USDT"]
version = "1"                     # noted with each of its orders: raise it when you change the strategy
bars = "250ms"                    # or several lengths: ["1m", "5m"]
evaluate = { on = "quote", at_most_every = "250ms" }
params = { fast = 5, slow = 20, quantity = "0.01" }
""",
    "rsi_threshold": """\
[strategies.rsi]
class = "engine.strategies.rsi_threshold:RsiThreshold"     # long once oversold, flat once overbought
instruments = ["BTC-USDT"]
version = "1"                     # noted with each of its orders: raise it when you change the strategy
bars = "250ms"                    # or several lengths: ["1m", "5m"]
evaluate = { on = "quote", at_most_every = "250ms" }
params = { length = 14, buy_below = "30", sell_above = "70", quantity = "0.01" }
""",
    "mean_reversion": """\
[strategies.reversion]
class = "engine.strategies.mean_reversion:MeanReversion"   # long below its Bollinger band, flat back at the middle
instruments = ["BTC-USDT"]
version = "1"                     # noted with each of its orders: raise it when you change the strategy
bars = "250ms"                    # or several lengths: ["1m", "5m"]
evaluate = { on = "quote", at_most_every = "250ms" }
params = { length = 20, width = "2", quantity = "0.01" }
""",
    "two_sided_quoter": """\
[strategies.quoter]
class = "engine.strategies.two_sided_quoter:TwoSidedQuoter"    # a bid below the market, an ask above it
instruments = ["BTC-USDT"]
version = "1"                     # noted with each of its orders: raise it when you change the strategy
evaluate = { on = "quote", at_most_every = "250ms" }
params = { quantity = "0.01", ticks = 200, requote = 100, max_inventory = "0.05", short = false }
""",
    "price_levels": """\
[strategies.levels]
class = "engine.strategies.price_levels:PriceLevels"   # buy at or below one price, sell at or above another
instruments = ["BTC-USDT"]
version = "1"                     # noted with each of its orders: raise it when you change the strategy
evaluate = { on = "quote", at_most_every = "250ms" }
params = { buy_below = "60000", sell_above = "60100", quantity = "0.01" }
""",
}
"""What `--strategy` may name, and the part of the configuration that is written for it."""

PLACE = "# strategy: what `--strategy` names stands here\n"
"""The line of the configuration's pattern that the strategy takes."""


class FilesExist(Exception):
    """Something of the user's stands where a file would be written; nothing was (exit 78)."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths
        names = " and ".join(str(path) for path in paths)
        super().__init__(f"{names} {'exists' if len(paths) == 1 else 'exist'}; nothing was written or changed")


@frozen
class Begun:
    """What was written, and what was there and has been left alone."""

    directory: Path
    written: tuple[Path, ...]
    left: tuple[Path, ...]


def begin(directory: Path, strategy: str = FIRST) -> Begun:
    """Write the files of a first run, with one of `STRATEGIES`.

    Raises `FilesExist` where one of the user's is in the way, and `OSError`.
    """
    paths = {name: directory / name for name in WRITTEN}
    there = {name for name, path in paths.items() if path.exists() or path.is_symlink()}
    if in_the_way := there - set(MAY_STAND):
        raise FilesExist(tuple(path for name, path in paths.items() if name in in_the_way))
    directory.mkdir(parents=True, exist_ok=True)
    written = [name for name in WRITTEN if name not in there]
    for name in written:
        content = files("tools").joinpath("first_run", WRITTEN[name]).read_text("utf-8")
        with paths[name].open("x", encoding="utf-8") as file:
            file.write(content.replace(PLACE, STRATEGIES[strategy]))
    return Begun(directory, tuple(paths[name] for name in written), tuple(paths[name] for name in sorted(there)))
