"""What a backtest is a function of: configuration, the tapes' bytes and a seed. Its ids are drawn from nothing else."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from attrs import frozen

from adapters.simulated.options import SimulatedOptions
from adapters.simulated.playback import tape_files
from tools.config import Configuration, ConfigurationConflict
from tools.version import RELEASE

CHUNK_BYTES = 1 << 20


@frozen(kw_only=True)
class Identity:
    """Two backtests with one identity have the same journal, byte by byte. Hashes are SHA-256 in hex."""

    configuration_hash: str
    tape_hash: str
    seed: int
    release: str = RELEASE

    @property
    def journal_id(self) -> str:
        """The journal's id: 32 letters and digits that anyone can compute."""
        text = f"{self.configuration_hash} {self.tape_hash} {self.seed} {self.release}"
        return sha256(text.encode()).hexdigest()[:32]

    @property
    def chance(self) -> int:
        """The number that the run's part of order ids is drawn from."""
        return int(self.journal_id[:12], 16)


def identify(configuration: Configuration) -> Identity:
    """The identity of a configuration's backtest; raises `ConfigurationConflict` where a tape can't be read."""
    told: dict[str, Any] = {
        "settings": configuration.settings,
        "venues": {name: [venue.options, venue.symbols] for name, venue in configuration.venues.items()},
        "backtest": configuration.backtest,
    }
    encoded = msgspec.json.encode(told, order="sorted", enc_hook=str)
    tape_hash = _hash_of(tapes_of(configuration))
    return Identity(
        configuration_hash=sha256(encoded).hexdigest(), tape_hash=tape_hash, seed=configuration.backtest.seed
    )


def tapes_of(configuration: Configuration) -> list[Path]:
    """The files that are played, in order of their names; raises `ConfigurationConflict` for one that is not there."""
    found: set[Path] = set()
    for name, venue in configuration.venues.items():
        if isinstance(venue.options, SimulatedOptions) and venue.options.tape is not None:
            for tape in venue.options.tape.values():
                try:
                    files = tape_files(configuration.directory, tape)
                except ValueError as error:
                    raise ConfigurationConflict(f"[venues.{name}]: {error}") from error
                if missing := [path for path in files if not path.is_file()]:
                    raise ConfigurationConflict(f"[venues.{name}]: there is no tape {missing[0]}")
                found.update(files)
    return sorted(found)


def _hash_of(files: list[Path]) -> str:
    """One hash for all: of the files' own, by name."""
    whole = sha256()
    for path in files:
        part = sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                part.update(chunk)
        whole.update(f"{path.name} {part.hexdigest()}\n".encode())
    return whole.hexdigest()
