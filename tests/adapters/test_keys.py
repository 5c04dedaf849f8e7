"""Keys come from four places, and no refusal repeats one."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.keys import KEY_BYTES_MOST, KeyMissing, KeySource, key_source
from adapters.redaction import REDACTOR, redact

VALUE = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
KEYS = st.one_of(
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=32, max_size=64),
    st.text("0123456789abcdef", min_size=32, max_size=64),
    st.binary(min_size=32, max_size=64).map(lambda held: base64.b64encode(held).decode()),
)


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    yield
    REDACTOR.forget()


def key_file(directory: Path, text: str = f"{VALUE}\n", mode: int = 0o600) -> Path:
    path = directory / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINANCE_API_KEY", VALUE)
    assert KeySource(env="BINANCE_API_KEY").read(".").reveal() == VALUE
    assert VALUE not in redact(f"unexpected: {VALUE}")


def test_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    key_file(tmp_path)
    assert KeySource(file="key").read(tmp_path).reveal() == VALUE
    assert KeySource(file=str(tmp_path / "key")).read("elsewhere").reveal() == VALUE


def test_from_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file(tmp_path, mode=0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert KeySource(credential="key").read(".").reveal() == VALUE


def test_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {("holdfast/live", "binance"): VALUE}
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=lambda *at: held.get(at)))
    assert KeySource(keyring="holdfast/live/binance").read(".").reveal() == VALUE
    with pytest.raises(KeyMissing, match="keyring set holdfast other"):
        KeySource(keyring="holdfast/other").read(".")


def test_a_keyring_that_fails_tells_its_kind_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: str) -> str:
        raise RuntimeError(VALUE)

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=locked))
    with pytest.raises(KeyMissing, match="RuntimeError") as caught:
        KeySource(keyring="a/b").read(".")
    assert VALUE not in str(caught.value)
    assert caught.value.__suppress_context__


def test_without_the_package_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(KeyMissing, match=r"holdfast\[keyring\]"):
        KeySource(keyring="a/b").read(".")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o606, 0o610])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    key_file(tmp_path, mode=mode)
    with pytest.raises(KeyMissing, match=rf"mode 0{mode:o}.*chmod 600"):
        KeySource(file="key").read(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("1234567", "less than 8"),
        ("ключ-ключ-ключ", "in no key"),
        ("abcdefgh\x00ijk", "in no key"),
        ("x" * (KEY_BYTES_MOST + 1), "bytes"),
    ],
)
def test_what_can_be_no_key_is_refused(tmp_path: Path, text: str, words: str) -> None:
    key_file(tmp_path, text)
    with pytest.raises(KeyMissing, match=words):
        KeySource(file="key").read(tmp_path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (KeySource(env="NOT_SET_ANYWHERE"), "variable NOT_SET_ANYWHERE is not set"),
        (KeySource(file="nowhere"), "file nowhere can't be opened: No such file"),
        (KeySource(file="."), "is not a file"),
        (KeySource(credential="key"), "CREDENTIALS_DIRECTORY is not set: LoadCredential="),
    ],
)
def test_a_key_that_is_not_there(
    source: KeySource, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(KeyMissing, match=words):
        source.read(tmp_path)


@pytest.mark.parametrize(
    "given",
    [{}, {"env": "A", "file": "b"}, {"path": "a"}, {"env": 5}, 5, ["A"], None, {"env": "A B"}, {"keyring": "name"},
     {"keyring": "/name"}, {"credential": "../key"}, {"credential": ".."}, {"env": ""}, {"credential": ""}],
)  # fmt: skip
def test_what_is_no_source(given: Any) -> None:
    with pytest.raises(ValueError, match=r"env|keyring|credential"):
        key_source(given)


def test_one_source_is_taken() -> None:
    assert key_source({"env": "A_KEY"}) == KeySource(env="A_KEY")
    assert key_source(KeySource(file="a")) == KeySource(file="a")


@given(KEYS, st.sampled_from(["", "env", "file", "keyring", "credential", "path"]))
def test_a_key_where_its_place_should_stand_is_never_repeated(value: str, field: str) -> None:
    """The slip of a hurried hand: the key itself, as a literal or as the name of its place."""
    with pytest.raises((ValueError, KeyMissing)) as caught:
        key_source({field: value} if field else value).read("/nowhere")
    told = f"{caught.value!s} {caught.value!r} {caught.value.__cause__}"
    assert value not in told
