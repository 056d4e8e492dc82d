"""The tree over the log: RFC 6962 (Certificate Transparency), section 2.1, with SHA-256. Hashes are 32 bytes.

A tree of size n covers the first n leaves, which are counted from 0 here: the entry with index i is leaf i - 1.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

EMPTY: Final = sha256(b"").digest()
_LEAF, _NODE = b"\x00", b"\x01"


class Unproven(ValueError):
    """A proof does not show what it claims."""


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf: another one than that of any node."""
    return sha256(_LEAF + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return sha256(_NODE + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below a size of at least 2: how many leaves are on the left."""
    return 1 << ((size - 1).bit_length() - 1)


class Tree:
    """A tree that grows leaf by leaf and keeps of what it has only its frontier, one hash for each bit of its size.

    `frontier` are the roots of the complete subtrees from left to right, the largest first.
    """

    def __init__(self, size: int = 0, frontier: Sequence[bytes] = ()) -> None:
        if len(frontier) != size.bit_count():
            raise ValueError("frontier")
        self.size, self.frontier = size, list(frontier)

    def append(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Add a leaf hash; yields (level, place, hash) of every subtree that it completes, itself at level 0 first."""
        level, place, found = 0, self.size, leaf
        yield level, place, found
        while place & 1:
            level, place, found = level + 1, place >> 1, node_hash(self.frontier.pop(), found)
            yield level, place, found
        self.frontier.append(found)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self.frontier:
            return EMPTY
        found = self.frontier[-1]
        for left in reversed(self.frontier[:-1]):
            found = node_hash(left, found)
        return found


def frontier_places(size: int) -> list[tuple[int, int]]:
    """Where the frontier of a tree of this size stands: (level, place), the largest subtree first."""
    return [(level, (size >> level) - 1) for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]


def inclusion(leaf: int, size: int, node: Callable[[int, int], bytes]) -> list[bytes]:
    """The audit path of a leaf in a tree of this size (section 2.1.1); raises ValueError if there is none."""
    if not 0 <= leaf < size:
        raise ValueError("leaf")
    path: list[bytes] = []
    start, count = 0, size
    while count > 1:
        left = _split(count)
        if leaf - start < left:
            path.append(_range(start + left, count - left, node))
            count = left
        else:
            path.append(_range(start, left, node))
            start, count = start + left, count - left
    return path[::-1]


def consistency(old: int, new: int, node: Callable[[int, int], bytes]) -> list[bytes]:
    """The proof that the tree of size `new` continues that of size `old` (section 2.1.2); raises ValueError."""
    if not 0 < old <= new:
        raise ValueError("size")
    path: list[bytes] = []
    start, count, whole = 0, new, True
    while old - start != count:
        left = _split(count)
        if old - start <= left:
            path.append(_range(start + left, count - left, node))
            count = left
        else:
            path.append(_range(start, left, node))
            start, count, whole = start + left, count - left, False
    return path[::-1] if whole else [_range(start, count, node), *path[::-1]]


def _range(start: int, count: int, node: Callable[[int, int], bytes]) -> bytes:
    """The root over `count` leaves from `start` on, where the tree has a subtree of its own."""
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, start >> level)
    left = _split(count)
    return node_hash(_range(start, left, node), _range(start + left, count - left, node))


def check_inclusion(leaf: bytes, place: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raise Unproven unless the path leads from a leaf hash at its place (from 0) to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= place < size:
        raise Unproven("place")
    _whole(leaf, *path)
    first, last, found = place, size - 1, leaf
    for step in path:
        if last == 0:
            raise Unproven("length")
        if first & 1 or first == last:
            found = node_hash(step, found)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            found = node_hash(found, step)
        first, last = first >> 1, last >> 1
    if last != 0 or found != root:
        raise Unproven("root")


def check_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raise Unproven unless the path shows that the new tree continues the old one (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        raise Unproven("size")
    _whole(*path)
    if old == new:
        shown = not path and old_root == new_root
    else:
        steps = [old_root, *path] if old & (old - 1) == 0 else path
        shown = _grown(old, new, steps) == (old_root, new_root)
    if not shown:
        raise Unproven("root")


def _grown(old: int, new: int, steps: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of the old and the new tree that these steps lead to; raises Unproven for too few or too many."""
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    before = after = steps[0] if steps else b""
    for step in steps[1:]:
        if last == 0:
            raise Unproven("length")
        if first & 1 or first == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, step)
        first, last = first >> 1, last >> 1
    if last != 0:
        raise Unproven("length")
    return before, after


def _whole(*hashes: bytes) -> None:
    """Refuse what is no hash: bytes moved from one to its neighbour would be hashed alike."""
    if any(len(one) != len(EMPTY) for one in hashes):
        raise Unproven("hash")
