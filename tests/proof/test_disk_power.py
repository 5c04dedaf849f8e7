"""What a power cut leaves, on operations made by hand: dropped, alone, torn, destroyed, and never the impossible."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from tools.proof.disk.operations import BLOCK_BYTES, SECTOR_BYTES, Files, Mark, Operation
from tools.proof.disk.power import Cut, Platter, cuts_at, only, without
from tools.proof.disk.promise import Promise

SIZE = SECTOR_BYTES


def write(letter: str, offset: int, size: int = BLOCK_BYTES, name: str = "a", file: int = 1) -> Operation:
    """A write of one letter."""
    return Operation("write", name, file, offset, letter.encode() * size)


def played(operations: Sequence[Operation], files: Files | None = None) -> Platter:
    """The platter after them."""
    platter = Platter({"a": b"." * 2 * SIZE} if files is None else files)
    for operation in operations:
        platter.take(operation)
    return platter


def cuts(*operations: Operation) -> list[Cut]:
    """The images behind, or inside, the last one."""
    return list(cuts_at(played(operations), operations[-1], Random(1)))


def contents(found: Sequence[Cut]) -> set[bytes]:
    """What the file holds in them."""
    return {cut.files["a"] for cut in found}


def blocks(**letters: int) -> bytes:
    """A file of dots with a block of each letter at its place."""
    content = bytearray(b"." * 2 * SIZE)
    for letter, offset in letters.items():
        content[offset : offset + BLOCK_BYTES] = letter.encode() * BLOCK_BYTES
    return bytes(content)


def test_each_write_is_dropped_and_stands_alone() -> None:
    found = contents(cuts(write("x", 0), write("y", 1024), write("z", 4096)))
    assert blocks() in found
    assert blocks(x=0, y=1024, z=4096) in found
    assert {blocks(x=0), blocks(y=1024), blocks(z=4096)} <= found
    assert {blocks(y=1024, z=4096), blocks(x=0, z=4096), blocks(x=0, y=1024)} <= found


def test_what_was_flushed_is_in_each_image() -> None:
    found = cuts(write("x", 0), Operation("sync", "a", 1), write("y", 1024))
    assert all(cut.files["a"][:BLOCK_BYTES] == b"x" * BLOCK_BYTES for cut in found if not cut.is_destroyed)
    assert {blocks(x=0), blocks(x=0, y=1024)} <= contents(found)


def test_a_flush_of_another_file_keeps_nothing() -> None:
    platter = played([write("x", 0), Operation("sync", "b", 2)])
    assert platter.image(())["a"] == blocks()


def test_the_write_in_flight_is_torn_at_each_block() -> None:
    last = write("y", 100, 3 * BLOCK_BYTES)
    torn = [cut for cut in cuts(write("x", 4096), last) if cut.is_inside and not cut.is_destroyed]
    kept = {tuple(sorted({place // BLOCK_BYTES for place, byte in enumerate(cut.files["a"]) if byte == ord("y")}))
            for cut in torn}  # fmt: skip
    assert kept == {(0,), (0, 1), (0, 1, 2), (1, 2, 3), (2, 3), (3,)}
    assert {b"x" in cut.files["a"] for cut in torn} == {True, False}
    assert all(cut.files["a"][:100] == b"." * 100 for cut in torn)


def test_the_sector_under_the_write_is_destroyed_as_zeros_and_as_garbage() -> None:
    flushed = [write("x", 0), Operation("sync", "a", 1)]
    destroyed = [cut for cut in cuts(*flushed, write("y", 3584, 1024)) if cut.is_destroyed]
    first = [cut.files["a"] for cut in destroyed if cut.files["a"][SIZE : SIZE + BLOCK_BYTES] == b"y" * BLOCK_BYTES]
    assert bytes(SIZE) in {content[:SIZE] for content in first}
    assert len({content[:SIZE] for content in first}) == 2
    assert not any(b"x" in content[:SIZE] and content.startswith(b"x" * 512) for content in first)
    assert {content[SIZE:][:SIZE] == bytes(SIZE) for content in contents(destroyed)} == {True, False}
    assert all(len(content) == 2 * SIZE for content in contents(destroyed))


def test_a_block_arrives_with_all_that_was_in_it() -> None:
    """The later of two writes into one block can't be there without the earlier one, nor be kept where that is lost."""
    early, late = write("x", 0, 100), write("y", 100, 1000)
    (alone,) = {played([early, late]).image(only([early, late], [late]))["a"]}
    assert alone.startswith(b"x" * 100 + b"y" * 1000)
    lost = played([early, late]).image(without([early, late], early))["a"]
    assert lost.startswith(b"." * BLOCK_BYTES + b"y" * (1100 - BLOCK_BYTES))
    assert b"." * 100 + b"y" not in {content[:101] for content in contents(cuts(early, late))}


def test_names_need_the_flush_of_their_folder() -> None:
    made = [Operation("create", "b", 2), write("x", 0, 5, "b", 2), Operation("sync", "b", 2)]
    assert played(made).image(()) == {"a": blocks()}
    assert played([*made, Operation("sync_directory", ".")]).image(())["b"] == b"xxxxx"
    renamed = [*made, Operation("sync_directory", "."), Operation("rename", "b", target="c")]
    assert set(played(renamed).image(())) == {"a", "b"}
    platter = played(renamed)
    assert set(platter.image(platter.pending)) == {"a", "c"}
    deleted = played([Operation("delete", "a")])
    assert (set(deleted.image(())), set(deleted.image(deleted.pending))) == ({"a"}, set())


def test_the_first_flush_of_a_log_flushes_its_name() -> None:
    made = [Operation("delete", "a"), Operation("create", "a-wal", 2), write("x", 0, 5, "a-wal", 2)]
    assert set(played(made).image(())) == {"a"}
    assert played([*made, Operation("sync", "a-wal", 2)]).image(()) == {"a-wal": b"xxxxx"}


def test_a_folder_that_was_not_flushed_is_gone_with_what_is_in_it() -> None:
    made = [Operation("make_directory", "s"), Operation("create", "s/b", 2), write("x", 0, 5, "s/b", 2),
            Operation("sync", "s/b", 2), Operation("sync_directory", "s")]  # fmt: skip
    assert set(played(made).image(())) == {"a"}
    assert played([*made, Operation("sync_directory", ".")]).image(())["s/b"] == b"xxxxx"


def test_files_grow_and_shrink() -> None:
    platter = played([write("x", 10, 5, "b", 1)], {"b": b""})
    assert platter.image(platter.pending) == {"b": bytes(10) + b"xxxxx"}
    platter = played([Operation("truncate", "b", 1, 3)], {"b": b"abcdef"})
    assert (platter.image(()), platter.image(platter.pending)) == ({"b": b"abcdef"}, {"b": b"abc"})


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_images(seed: int) -> None:
    operations = [write("x", 0), write("y", 900, 3_000), write("z", 4_000, 2_000)]
    first, second = (list(cuts_at(played(operations), operations[-1], Random(seed))) for _ in range(2))
    assert first == second


def test_a_promise_grows_with_what_the_program_learns() -> None:
    promise = Promise()
    for mark, wanted in (
        (Mark("opened", 0, 4), Promise(0, 4)),
        (Mark("claimed", 0, 0, 2), Promise(4, 4, 2)),
        (Mark("appending", 0, 7), Promise(4, 7, 2)),
        (Mark("acknowledged", 0, 7, 2), Promise(7, 7, 2)),
        (Mark("snapshot", 0, 7), Promise(7, 7, 2, 7)),
    ):
        promise = promise.after(mark)
        assert promise == wanted
