"""LZ4 frames, unpacked: what Feather files are packed with (lz4_Frame_format and lz4_Block_format).

Checksums are not verified: their hash is not in the standard library, and a broken frame breaks its length.
"""

from __future__ import annotations

_MAGIC = b"\x04\x22\x4d\x18"
_HAS_DICTIONARY, _HAS_CONTENT_CHECKSUM, _HAS_CONTENT_SIZE, _HAS_BLOCK_CHECKSUM = 1, 4, 8, 16
_PLAIN_BLOCK = 1 << 31
_LONG = 15
_SHORTEST_MATCH = 4


class Lz4Damaged(ValueError):
    """The bytes are no LZ4 frame, or not all of one."""


def unpack_frame(packed: bytes, length: int) -> bytes:
    """The bytes of a frame, which must be `length` of them; raises `Lz4Damaged`."""
    try:
        unpacked = _unpack(packed, length)
    except IndexError:
        raise Lz4Damaged("the frame ends too early") from None
    if len(unpacked) != length:
        raise Lz4Damaged(f"the frame holds {len(unpacked)} bytes, not {length}")
    return bytes(unpacked)


def _unpack(packed: bytes, most: int) -> bytearray:
    flags = packed[4]
    if packed[:4] != _MAGIC or flags & _HAS_DICTIONARY:
        raise Lz4Damaged("it is no frame of a kind that is known")
    place = 7 + (8 if flags & _HAS_CONTENT_SIZE else 0)
    found = bytearray()
    while size := int.from_bytes(packed[place : place + 4], "little"):
        place += 4
        block = packed[place : place + (size & ~_PLAIN_BLOCK)]
        place += len(block) + (4 if flags & _HAS_BLOCK_CHECKSUM else 0)
        if size & _PLAIN_BLOCK:
            found += block
        else:
            _unpack_block(block, found, most)
    return found


def _unpack_block(block: bytes, found: bytearray, most: int) -> None:
    """Sequences of literals, each followed by a match: a copy of what was unpacked so far. The last has no match."""
    place, end = 0, len(block)
    while place < end:
        token = block[place]
        place += 1
        literals, place = _length(block, place, token >> 4)
        if place + literals > end or len(found) + literals > most:
            raise Lz4Damaged("literals behind the end")
        found += block[place : place + literals]
        place += literals
        if place >= end:
            return
        distance = block[place] | block[place + 1] << 8
        matched, place = _length(block, place + 2, token & _LONG)
        _copy(found, distance, matched + _SHORTEST_MATCH, most)


def _length(block: bytes, place: int, part: int) -> tuple[int, int]:
    """A length of which the token holds a part, and the place behind it."""
    length = part
    if part == _LONG:
        while True:
            more = block[place]
            place += 1
            length += more
            if more != 255:
                break
    return length, place


def _copy(found: bytearray, distance: int, length: int, most: int) -> None:
    """What lies `distance` back, again; it may reach into itself."""
    start = len(found) - distance
    if start < 0 or not distance or len(found) + length > most:
        raise Lz4Damaged("a match outside of what was unpacked")
    if distance >= length:
        found += found[start : start + length]
    else:
        pattern = bytes(found[start:])
        found += (pattern * (length // distance + 1))[:length]
