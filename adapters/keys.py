"""Where a venue's keys come from: the environment, a file, the keyring or a systemd credential; never a literal."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import fields, frozen

from adapters.redaction import LEAST, REDACTOR
from adapters.secret import Secret

KEY_BYTES_MOST = 64 * 1024
"""The greatest file that is taken for a key."""

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd says that it put a unit's credentials (`LoadCredential=`, `LoadCredentialEncrypted=`)."""

HINT = (
    'name where it is instead: { env = "NAME" }, { file = "PATH" }, { keyring = "service/name" } '
    'or { credential = "NAME" }'
)

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_PRINTABLE = re.compile(r"[\x20-\x7e\t\r\n]*")
_KEY_LIKE = re.compile(r"[A-Za-z0-9+/=_-]*")
_KEY_LENGTH, _KEY_DIGITS = 20, 3


class KeyMissing(Exception):
    """A key can't be read from where the configuration says: the user's to correct (exit 78). Names the place alone."""


@frozen(kw_only=True)
class KeySource:
    """One of four places of a key: `{ env }`, `{ file }` (relative to the configuration), `{ keyring }`,
    `{ credential }`. Raises `ValueError` where it is not exactly one, or looks like the key itself."""

    env: str | None = None
    file: str | None = None
    keyring: str | None = None
    credential: str | None = None

    def __attrs_post_init__(self) -> None:
        given = [field.name for field in fields(KeySource) if getattr(self, field.name) is not None]
        if len(given) != 1:
            raise ValueError(f"a key has one source; {HINT}")
        if self.env is not None:
            _check_variable(self.env)
        if self.keyring is not None and not all(self.keyring.rpartition("/")[::2]):
            raise ValueError('keyring is "service/name"')
        if self.credential is not None and (
            _is_like_a_key(self.credential) or not _CREDENTIAL.fullmatch(self.credential)
        ):
            raise ValueError('credential is the name in LoadCredential=, such as { credential = "binance-key" }')

    @property
    def kind(self) -> str:
        """Which of the four it is."""
        return next(field.name for field in fields(KeySource) if getattr(self, field.name) is not None)

    @property
    def place(self) -> str:
        """The source in words, for a message."""
        if self.env is not None:
            return f"the environment variable {self.env}"
        if self.credential is not None:
            return f"the credential {self.credential}"
        named = self.file if self.file is not None else self.keyring
        what = "the file" if self.file is not None else "the keyring's"
        is_told = not any(map(_is_like_a_key, (str(named), *str(named).split("/"))))
        return f"{what} {named}" if is_told else f"{what} that is named there"

    def read(self, directory: str | Path) -> Secret:
        """The key, known to the redactor from now on; `directory` is the configuration's. Raises `KeyMissing`."""
        value = self._find(Path(directory)).strip()
        if not value:
            raise KeyMissing(f"{self.place} is empty")
        if len(value) < LEAST:
            raise KeyMissing(f"{self.place} holds less than {LEAST} characters, which is no key")
        if not _PRINTABLE.fullmatch(value):
            raise KeyMissing(f"{self.place} holds characters that are in no key")
        secret = Secret(value)
        REDACTOR.learn(secret)
        return secret

    def _find(self, directory: Path) -> str:
        if self.env is not None:
            return self._from_environment(self.env)
        if self.file is not None:
            return self._from_file(directory / Path(self.file).expanduser(), is_private=True)
        if self.credential is not None:
            return self._from_credential(self.credential)
        assert self.keyring is not None, "one of four, as checked above"
        return self._from_keyring(*self.keyring.rpartition("/")[::2])

    def _from_environment(self, name: str) -> str:
        value = os.environ.get(name)
        if value is None:
            raise KeyMissing(f"{self.place} is not set")
        return value

    def _from_credential(self, name: str) -> str:
        directory = os.environ.get(CREDENTIALS)
        if directory is None:
            raise KeyMissing(
                f"{self.place} is systemd's to give, and {CREDENTIALS} is not set: LoadCredential= in the unit"
            )
        return self._from_file(Path(directory) / name, is_private=False)  # systemd answers for who may read it

    def _from_file(self, path: Path, *, is_private: bool) -> str:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise KeyMissing(f"{self.place} can't be opened: {error.strerror}") from None
        try:
            self._check_file(os.fstat(handle), is_private)
            held = os.read(handle, KEY_BYTES_MOST + 1)
        finally:
            os.close(handle)
        if len(held) > KEY_BYTES_MOST:
            raise KeyMissing(f"{self.place} has more than {KEY_BYTES_MOST} bytes, which is no key")
        try:
            return held.decode("ascii")
        except UnicodeDecodeError:
            raise KeyMissing(f"{self.place} holds characters that are in no key") from None

    def _check_file(self, status: os.stat_result, is_private: bool) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise KeyMissing(f"{self.place} is not a file")
        if is_private and status.st_mode & 0o077:
            raise KeyMissing(f"{self.place} may be read by others (mode {status.st_mode & 0o777:04o}): chmod 600 it")
        if is_private and status.st_uid not in (0, os.geteuid()):
            raise KeyMissing(f"{self.place} belongs to another user")

    def _from_keyring(self, service: str, name: str) -> str:
        try:
            keyring: Any = import_module("keyring")
        except ImportError:
            raise KeyMissing(f"{self.place} needs the package keyring: pip install 'holdfast[keyring]'") from None
        try:
            value: str | None = keyring.get_password(service, name)
        except Exception as error:  # noqa: BLE001 (keyrings raise what they like; its kind is told, its words are not)
            raise KeyMissing(f"{self.place} can't be read: {type(error).__name__}") from None
        if value is None:
            raise KeyMissing(f"{self.place} is not there: keyring set {service} {name}")
        return value


def key_source(value: Any) -> KeySource:
    """What a configuration says of a key, as a source of it; raises `ValueError`, which never repeats what was said."""
    if isinstance(value, KeySource):
        return value
    if isinstance(value, str):
        raise ValueError(f"a key never stands in the configuration; {HINT}")
    names = {field.name for field in fields(KeySource)}
    if (
        not isinstance(value, Mapping)
        or set(value) - names
        or not all(isinstance(held, str) for held in value.values())
    ):
        raise ValueError(f"a key has one source; {HINT}")
    return KeySource(**value)


def _check_variable(name: str) -> None:
    if _is_like_a_key(name):
        raise ValueError("this looks like the key itself; write the name of the environment variable that holds it")
    if not _VARIABLE.fullmatch(name):
        raise ValueError("env is the name of an environment variable: letters, digits and _")


def _is_like_a_key(name: str) -> bool:
    """Is it long and without words? A message would repeat the name, and must not repeat a key."""
    if len(name) < _KEY_LENGTH or not _KEY_LIKE.fullmatch(name):
        return False
    has_digits = sum(map(str.isdigit, name)) >= _KEY_DIGITS
    return not set("_-/") & set(name) or (has_digits and name.lower() != name != name.upper())
