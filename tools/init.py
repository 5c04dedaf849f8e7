"""`holdfast init`: a directory in which `holdfast run` works at once."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from attrs import frozen

WRITTEN = {"holdfast.toml": "holdfast.toml", "my_strategy.py": "my_strategy.py", ".gitignore": "gitignore"}
"""File: the one in `tools/first_run` that it is made of."""

MAY_STAND = (".gitignore",)
"""What may be there already; it is left as it is."""


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


def begin(directory: Path) -> Begun:
    """Write the files of a first run; raises `FilesExist` where one of the user's is in the way, and `OSError`."""
    paths = {name: directory / name for name in WRITTEN}
    there = {name for name, path in paths.items() if path.exists() or path.is_symlink()}
    if in_the_way := there - set(MAY_STAND):
        raise FilesExist(tuple(path for name, path in paths.items() if name in in_the_way))
    directory.mkdir(parents=True, exist_ok=True)
    written = [name for name in WRITTEN if name not in there]
    for name in written:
        content = files("tools").joinpath("first_run", WRITTEN[name]).read_bytes()
        with paths[name].open("xb") as file:
            file.write(content)
    return Begun(directory, tuple(paths[name] for name in written), tuple(paths[name] for name in sorted(there)))
