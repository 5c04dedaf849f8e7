"""A peer's own environment, made once below `.bench` (or a judge's, below `.judges`): nothing of it is ever installed
beside holdfast."""

from __future__ import annotations

import platform
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path

import click

ENVIRONMENTS = Path(".bench")
"""Below the working directory; git ignores it, and `make clean` removes it."""

INSTALL_LIMIT_S = 900.0
REASON_MOST = 200
PEERS = Path(__file__).parent / "peers"
READY = "ready"


class PeerMissing(Exception):
    """The peer can't be had here; the message says why. The comparison goes on without it."""


def interpreter_of(
    peer: str, pinned_in: Path | None = None, below: Path | None = None, limit_s: float = INSTALL_LIMIT_S
) -> Path:
    """The Python of a peer's environment, which is made where it is not there or of other packages.

    `pinned_in` has its packages in a file of its name, `below` the environments: those of the benchmark, if left out;
    `limit_s` is what an installation may take. Raises `PeerMissing` with the installer's own last word, for example
    where no package registry answers.
    """
    below = below or ENVIRONMENTS
    directory, wanted = below.absolute() / peer, (pinned_in or PEERS) / f"{peer}.txt"
    python, ready = directory / "bin" / "python", directory / READY
    if not (ready.is_file() and ready.read_text("utf-8") == _fingerprint(wanted) and python.exists()):
        click.echo(f"making {below / peer} (once; some packages are large)", err=True)
        _make(directory, python, wanted, limit_s)
        ready.write_text(_fingerprint(wanted), "utf-8")
    return python


def _fingerprint(wanted: Path) -> str:
    """Of what the environment holds: another Python or another pin makes it anew."""
    return f"{platform.python_version()} {sha256(wanted.read_bytes()).hexdigest()}"


def _make(directory: Path, python: Path, wanted: Path, limit_s: float) -> None:
    """An environment without a pip of its own: ours installs into it, wheels alone, each by its hash."""
    try:
        venv.create(directory, clear=True, symlinks=True)
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "-qq", "install",
             "--retries", "1", "--timeout", "20", "--only-binary", ":all:", "--require-hashes",
             "--requirement", str(wanted)],
            capture_output=True, text=True, check=False, timeout=limit_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PeerMissing(f"not installed within {limit_s:.0f} s") from None
    except OSError as error:
        raise PeerMissing(f"no environment in {directory}: {error}") from error
    if done.returncode:
        raise PeerMissing(last_word(done.stderr or done.stdout))


def last_word(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:REASON_MOST] if lines else "it said nothing"
