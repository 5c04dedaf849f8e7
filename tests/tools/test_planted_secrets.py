"""Secrets are planted, everything that can go wrong goes wrong, and no byte of them is found anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from attrs import frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adapters import simulated
from adapters.redaction import REDACTOR
from adapters.rights import PolicyRefused
from engine import inputs
from engine.inputs import Input, Refusal, RequestKind
from engine.ports import Deliver, VenueUnreachable
from engine.values import ClientOrderId, InstrumentName, VenueName
from tests.tools import lab
from tests.tools.planted import KEYS, forms, left_behind, parts_found
from tools import document
from tools.cli import run_command

VENUE, BTC = VenueName("lab"), InstrumentName("BTC-USDT")
READING = ("status", "orders", "fills", "positions", "balances", "results", "events", "verify", "doctor")

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A run for each case is slow, and a secret has nothing to shrink."""

Plant = Callable[[str, str], Path]


@frozen
class Said:
    """Where a run happened, and all that it and the reading commands said."""

    directory: Path
    text: str

    def assert_clean(self, *secrets: str) -> None:
        """No part of them in what was said or left."""
        everything = self.text.encode() + left_behind(self.directory / "run")
        for secret in secrets:
            assert parts_found(secret, everything) == []


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(document, "adapters", lambda: {"simulated": simulated.ADAPTER, "lab": lab.ADAPTER})
    yield
    REDACTOR.forget()


@pytest.fixture
def plant(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """A configuration whose keys come from the environment and from a file; every input is kept."""

    def _plant(key: str, secret: str) -> Path:
        REDACTOR.forget()
        directory = tmp_path_factory.mktemp("planted")
        monkeypatch.setenv("LAB_KEY", key)
        (directory / "secret").write_text(secret + "\n")
        (directory / "secret").chmod(0o600)
        text = lab.CONFIGURED.replace('{ env = "LAB_SECRET" }', '{ file = "secret" }')
        path = directory / "holdfast.toml"
        path.write_text(f'{text}[record]\nquotes = "all"\n')
        return path

    return _plant


def run(config: Path, capfd: pytest.CaptureFixture[str], code: int = 0) -> Said:
    """A short run, and then everything that tells of it."""
    capfd.readouterr()
    assert run_command(["run", "--for", "150ms", "-c", str(config)]) == code
    if code == 0:
        for command in READING:
            run_command([command, "-c", str(config)])
            run_command([command, "-c", str(config), "--json"])
    said = capfd.readouterr()
    return Said(config.parent, said.out + said.err)


def repeated(key: str, secret: str) -> list[Input]:
    """Every input in which an adapter may repeat what the wire said, with both in all the forms there are."""
    found: list[Input] = []
    for form in (*sorted(forms(key)), f"/order?apiKey={key}&signature={secret}", f"{key}\n{secret}"):
        text = f"<html>{form} {json.dumps({'secret': secret, 'apiKey': key})}"
        found += [
            inputs.ProtocolSurprise(VENUE, text),
            inputs.StreamLost(VENUE, f"btcusdt@{form}", BTC, text),
            inputs.VenueThrottled(VENUE, 0, text),
            inputs.SnapshotFailed(venue=VENUE, asked_seq=0, cause=text),
            inputs.Rejected(venue=VENUE, instrument=BTC, client_order_id=ClientOrderId("x"), raw=text, reason=text,
                            refusal=Refusal.POLICY),
            inputs.OutcomeUnknown(venue=VENUE, client_order_id=ClientOrderId("x"), raw=text, request=RequestKind.NEW,
                                  cause=text),
            inputs.QueryFailed(venue=VENUE, client_order_id=ClientOrderId("x"), raw=text, cause=text),
        ]  # fmt: skip
    return [*found, inputs.VenueLost(VENUE, f"closed: {key}"), inputs.CredentialsRefused(VENUE, f"-2015 {secret}")]


@settings(max_examples=3, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=KEYS, secret=KEYS)
def test_what_the_wire_says(
    plant: Plant, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, key: str, secret: str
) -> None:
    """Into the journal, the tape beside it, the screen and every reading command: each text of each input."""
    told: list[Input] = []

    def hear(deliver: Deliver) -> None:
        for each in repeated(key, secret):
            deliver(each)
            told.append(each)

    monkeypatch.setattr(lab, "hear", hear)
    said = run(plant(key, secret), capfd)
    assert told
    assert "***" in said.text
    said.assert_clean(key, secret)


@settings(max_examples=2, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=KEYS, secret=KEYS, form=st.sampled_from(["{key}", "signature={secret}", "{key!r} {secret!r}"]))
def test_errors_that_a_start_ends_with(
    plant: Plant, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, key: str, secret: str, form: str
) -> None:
    """Unreachable, refused, options that can't be, and a bug with its traceback."""
    words = f"GET https://api.example.com/account?apiKey={key}&signature={secret} {form.format(key=key, secret=secret)}"
    for error, code in (
        (VenueUnreachable(words), 69), (PolicyRefused(words), 77), (ValueError(words), 78), (RuntimeError(words), 1),
    ):  # fmt: skip
        config = plant(key, secret)

        def fail(_: object, error: Exception = error) -> NoReturn:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(
                lab.LabVenue if code != 78 else lab, "describe" if code != 78 else "connect_simulated", fail
            )
            config.write_text(config.read_text() + '[reconcile]\nstart_limit = "1ms"\n')
            said = run(config, capfd, code)
            run_command(["doctor", "-c", str(config), "--json"])
            told = capfd.readouterr()
        assert "***" in said.text, said.text
        Said(said.directory, said.text + told.out + told.err).assert_clean(key, secret)


SLIPS = (
    'api_key = "{key}"',
    'api_key = ["{key}"]',
    'api_key = {{ env = "{key}" }}',
    'api_key = {{ file = "{key}" }}',
    'api_key = {{ keyring = "{key}/{key}" }}',
    'api_key = {{ credential = "{key}" }}',
    'api_key = {{ key = "{key}" }}',
    'api_key = {{ env = "A", file = "{key}" }}',
    'api_kye = "{key}"',
    'secret = "{key}"',
    'rest_url = "https://{key}@testnet.example.com"',
    'rest_url = "https://testnet.example.com/?apiKey={key}"',
    'rest_url = "{key}"',
)


@pytest.mark.parametrize("slip", SLIPS)
@settings(max_examples=8, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=KEYS.filter(lambda text: text.isalnum() and any(map(str.isdigit, text))))
def test_a_slip_of_the_pen(plant: Plant, capfd: pytest.CaptureFixture[str], slip: str, key: str) -> None:
    """The key itself in the configuration, in all the wrong places."""
    config = plant("0123456789abcdef", "fedcba9876543210")
    text = config.read_text().replace('api_key = { env = "LAB_KEY" }\n', "")
    config.write_text(text.replace('adapter = "lab"\n', 'adapter = "lab"\n' + slip.format(key=key) + "\n"))
    said = run(config, capfd, 78)
    assert said.text
    assert parts_found(key, said.text.encode()) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """Whoever finds nothing must be able to find something."""
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"
    for number, form in enumerate(sorted(forms(secret))):
        (tmp_path / f"{number}").write_text(f"x{form[3:20]}y")
    found: Any = left_behind(tmp_path)
    assert len(parts_found(secret, found)) > 10
    assert parts_found(secret, b"x" + secret[:9].encode()) == []
