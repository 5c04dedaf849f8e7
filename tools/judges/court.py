"""One judge in its environment against one exchange of its own, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from adapters.binance.server.options import ExchangeOptions
from tools.bench.backtest import START
from tools.bench.environment import PeerMissing, interpreter_of, last_word
from tools.judges.recorder import recording
from tools.judges.same_requests import Comparison, compare

JUDGES = ("python_binance", "binance_sdk_spot", "ccxt")
"""Each is a module here, the pins of its environment and the environment's name."""

ENVIRONMENTS = Path(".judges")
"""Below the working directory; git ignores it, and `make clean` removes it."""

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAME = "requests"
EXCHANGE = "from tools.cli import main; main()"
LISTENING = "listening on "
START_SECONDS = 30
JUDGE_SECONDS = 300.0
STOP_SECONDS = 10


class NoExchange(Exception):
    """The local exchange did not start; the message is its last word."""


@frozen
class Finding:
    """What came of one check. `failed` is what the client said, `without` why it was not asked, `note` what else is to
    be known."""

    case: str
    failed: str | None = None
    without: str | None = None
    seconds: float | None = None
    note: str = ""

    @property
    def words(self) -> str:
        """One line."""
        if self.failed is not None:
            return f"FAILED: {self.failed}"
        if self.without is not None:
            return f"not asked: {self.without}"
        return f"ok: {self.note}" if self.note else "ok"


@frozen
class Verdict:
    """What one judge found. `skipped` says why there is nothing."""

    judge: str
    version: str = ""
    findings: list[Finding] = field(factory=list)
    skipped: str | None = None

    @property
    def passed(self) -> int:
        """Checks that found what Binance would have done."""
        return sum(each.failed is None and each.without is None for each in self.findings)

    @property
    def failed(self) -> int:
        """Checks that did not."""
        return sum(each.failed is not None for each in self.findings)

    @property
    def without(self) -> int:
        """Checks that this client has nothing for."""
        return sum(each.without is not None for each in self.findings)


Told = Callable[[str, Finding], None]


def hear(judge: str, told: Told, install_s: float, seconds: float = JUDGE_SECONDS) -> Verdict:
    """Make its environment, start an exchange, let it judge; `told` gets each finding as it comes.

    `install_s` and `seconds` limit the installation and the checks. A judge that can't be installed is skipped, one
    that does not come to its end has failed. Raises `NoExchange`.
    """
    try:
        python = interpreter_of(judge, HERE, ENVIRONMENTS, install_s)
    except PeerMissing as error:
        return Verdict(judge, skipped=str(error))
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-judges-") as name,
        exchange(Path(name)) as told_of,
        recording(told_of["url"]) as (url, recorder),
    ):
        command = [str(python), "-I", "-c", START, str(ROOT)]
        verdict = _judge(judge, command, told_of | {"url": url}, told, seconds)
        for finding in findings_of(compare(recorder.requests)):
            told(judge, finding)
            verdict.findings.append(finding)
    return verdict


def findings_of(comparison: Comparison) -> list[Finding]:
    """Whether the judge's requests are ours; that there are none at all is a failure too."""
    if comparison.differences:
        return [Finding(SAME, failed=difference) for difference in comparison.differences]
    if not comparison.same:
        return [Finding(SAME, failed="it sent none that the adapter makes too")]
    made = f"{comparison.same.total()} of {len(comparison.same)} kinds"
    return [Finding(SAME, note=f"{made} are the adapter's too; {comparison.foreign.total()} it never makes")]


def _judge(judge: str, command: list[str], told_of: dict[str, str], told: Told, seconds: float) -> Verdict:
    process = subprocess.Popen(
        [*command, f"tools.judges.{judge}", json.dumps(told_of)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    errors: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    reader = threading.Thread(target=_drain, args=(process.stderr, errors), name="stderr of the judge", daemon=True)
    reader.start()
    limit = threading.Timer(seconds, process.kill)
    limit.start()
    try:
        verdict = read_verdict(judge, process.stdout, told)
        code = process.wait()
    finally:
        is_late = not limit.is_alive()
        limit.cancel()
        process.kill()
        process.wait()
        reader.join(STOP_SECONDS)
        process.stdout.close()
        process.stderr.close()
    if code or is_late:
        said = f"not ready within {seconds:.0f} s" if is_late else last_word("".join(errors))
        finding = Finding("to its end", failed=said)
        told(judge, finding)
        verdict.findings.append(finding)
    return verdict


def read_verdict(judge: str, lines: Iterator[str] | IO[str], told: Told) -> Verdict:
    """What the judge writes, line by line. A line that is not its own, such as a library's, is no finding."""
    version, findings = "", list[Finding]()
    for line in lines:
        said = _read(line)
        if "judge" in said:
            version = str(said["version"])
        elif "case" in said:
            findings.append(Finding(**said))
            told(judge, findings[-1])
    return Verdict(judge, version, findings)


def _read(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _drain(stream: IO[str], lines: list[str]) -> None:
    lines.extend(stream)


# --- the exchange ---------------------------------------------------------------------------------------------------


@contextmanager
def exchange(directory: Path) -> Iterator[dict[str, str]]:
    """A local exchange in a process of its own: what a judge has to know of it. Raises `NoExchange`."""
    private_key, options = directory / "key.pem", directory / "options.json"
    options.write_text(json.dumps({"public_key": _write_key(private_key)}), "utf-8")
    log = directory / "exchange.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-c", EXCHANGE, "venue", "binance", "--state", str(directory / "state"),
             "--options", str(options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=written, text=True, cwd=directory,
            env=_environment(),
        )  # fmt: skip
    assert process.stdout is not None
    overdue = threading.Timer(START_SECONDS, process.kill)
    overdue.start()
    try:
        line = process.stdout.readline()
        overdue.cancel()
        if not line.startswith(LISTENING):
            process.kill()
            process.wait()
            raise NoExchange(last_word(log.read_text("utf-8")))
        url, defaults = line.removeprefix(LISTENING).partition(",")[0], ExchangeOptions()
        yield {
            "url": url, "socket_url": url.replace("http://", "ws://"), "api_key": defaults.api_key,
            "secret": defaults.api_secret, "public_api_key": defaults.public_api_key, "private_key": str(private_key),
        }  # fmt: skip
    finally:
        overdue.cancel()
        _stop(process)


def _environment() -> dict[str, str]:
    """Ours, with this tree before any other that is installed."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _write_key(private_key: Path) -> str:
    """Make an Ed25519 key, keep its private half; gives the public one."""
    key = Ed25519PrivateKey.generate()
    private_key.touch(0o600)
    private_key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
