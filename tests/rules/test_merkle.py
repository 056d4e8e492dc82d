"""The tree of the log against the reference roots and paths of Certificate Transparency, and against another tree.

The vectors are those of the reference implementation of RFC 6962; the other implementation, `tamperlog`, builds and
checks by recursion over lists of leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256

import pytest
import tamperlog
from hypothesis import given, settings
from hypothesis import strategies as st
from support import scaled

from app.rules.merkle import (
    EMPTY,
    Tree,
    Unproven,
    check_consistency,
    check_inclusion,
    consistency,
    frontier_places,
    inclusion,
    leaf_hash,
    node_hash,
)

pytestmark = pytest.mark.attack

LEAVES = (
    *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
# (leaf from 0, size) -> path
INCLUSION = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
# (old size, new size) -> path
CONSISTENCY = {
    (1, 1): (),
    (1, 8): INCLUSION[0, 8],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}

SIZES = st.integers(1, scaled(80, 600))
MANY = settings(max_examples=scaled(60, 600))


class Grown:
    """A tree grown leaf by leaf, with every node that it yielded: what the database keeps."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves, self.tree, self.nodes = leaves, Tree(), dict[tuple[int, int], bytes]()
        self.roots = [self.tree.root()]
        for leaf in leaves:
            self.nodes |= {(level, place): found for level, place, found in self.tree.append(leaf)}
            self.roots.append(self.tree.root())

    def node(self, level: int, place: int) -> bytes:
        return self.nodes[level, place]


def reference(leaves: int = 8) -> Grown:
    return Grown([leaf_hash(bytes.fromhex(one)) for one in LEAVES[:leaves]])


def grown(size: int) -> Grown:
    return Grown([leaf_hash(str(one).encode()) for one in range(size)])


def hexes(path: list[bytes]) -> tuple[str, ...]:
    return tuple(one.hex() for one in path)


def unproven(check: Callable[[], None]) -> bool:
    try:
        check()
    except Unproven:
        return True
    return False


@pytest.mark.parametrize("size", range(9))
def test_the_tree_has_the_published_roots(size: int) -> None:
    assert reference(size).tree.root().hex() == ROOTS[size]
    assert EMPTY.hex() == ROOTS[0]


@pytest.mark.parametrize(("leaf", "size"), INCLUSION)
def test_a_leaf_has_the_published_path_to_the_root(leaf: int, size: int) -> None:
    tree = reference()
    assert hexes(inclusion(leaf, size, tree.node)) == INCLUSION[leaf, size]
    path = [bytes.fromhex(one) for one in INCLUSION[leaf, size]]
    check_inclusion(tree.leaves[leaf], leaf, size, path, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_a_tree_has_the_published_proof_that_it_continues_another(old: int, new: int) -> None:
    assert hexes(consistency(old, new, reference().node)) == CONSISTENCY[old, new]
    path = [bytes.fromhex(one) for one in CONSISTENCY[old, new]]
    check_consistency(old, new, path, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]))


def test_a_leaf_is_hashed_as_no_node_is() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    assert leaf_hash(b"left") == sha256(b"\x00left").digest()
    assert node_hash(left, right) == sha256(b"\x01" + left + right).digest()
    assert leaf_hash(left + right) != node_hash(left, right)


@MANY
@given(SIZES)
def test_another_implementation_finds_the_same_roots_and_paths(size: int) -> None:
    ours = grown(size)
    assert ours.tree.root() == tamperlog.merkle_root(ours.leaves)
    for other in {1, size // 2, size - 1, size} - {0}:
        assert ours.roots[other] == tamperlog.merkle_root(ours.leaves[:other])
        assert inclusion(other - 1, size, ours.node) == tamperlog.inclusion_proof(other - 1, ours.leaves)
        assert consistency(other, size, ours.node) == tamperlog.consistency_proof(other, ours.leaves)


@MANY
@given(SIZES, st.data())
def test_another_implementation_accepts_our_paths_and_we_its(size: int, data: st.DataObject) -> None:
    ours = grown(size)
    leaf = data.draw(st.integers(0, size - 1))
    root = ours.roots[size]
    tamperlog.verify_inclusion(leaf, size, ours.leaves[leaf], inclusion(leaf, size, ours.node), root)
    check_inclusion(ours.leaves[leaf], leaf, size, tamperlog.inclusion_proof(leaf, ours.leaves), root)
    old = data.draw(st.integers(1, size))
    tamperlog.verify_consistency(old, ours.roots[old], size, root, consistency(old, size, ours.node))
    check_consistency(old, size, tamperlog.consistency_proof(old, ours.leaves), ours.roots[old], root)


@MANY
@given(SIZES)
def test_a_tree_goes_on_from_its_frontier_as_if_it_had_never_stopped(size: int) -> None:
    ours = grown(size + 3)
    stopped = Tree(size, [ours.node(level, place) for level, place in frontier_places(size)])
    assert stopped.root() == ours.roots[size]
    for leaf in ours.leaves[size:]:
        assert {(level, place): found for level, place, found in stopped.append(leaf)}.items() <= ours.nodes.items()
    assert (stopped.size, stopped.root()) == (size + 3, ours.tree.root())


@MANY
@given(SIZES)
def test_a_tree_yields_each_of_its_complete_subtrees_once(size: int) -> None:
    tree, yielded = Tree(), []
    for one in range(size):
        yielded += [(level, place) for level, place, _ in tree.append(leaf_hash(str(one).encode()))]
    assert sorted(yielded) == [(level, place) for level in range(size.bit_length()) for place in range(size >> level)]


def test_a_frontier_of_another_size_is_no_tree() -> None:
    for size, frontier in ((1, ()), (0, (EMPTY,)), (3, (EMPTY,)), (4, (EMPTY, EMPTY))):
        with pytest.raises(ValueError, match="frontier"):
            Tree(size, frontier)


@pytest.mark.parametrize(("leaf", "size"), [(-1, 3), (3, 3), (0, 0), (9, 3)])
def test_there_is_no_path_of_a_leaf_outside_the_tree(leaf: int, size: int) -> None:
    with pytest.raises(ValueError, match="leaf"):
        inclusion(leaf, size, reference().node)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3), (0, 0)])
def test_no_tree_continues_an_empty_or_a_larger_one(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="size"):
        consistency(old, new, reference().node)
    assert unproven(lambda: check_consistency(old, new, [], EMPTY, EMPTY))


# forgeries


@st.composite
def forged_path(draw: st.DrawFn, path: list[bytes]) -> list[bytes]:
    """The path with a step changed, left out, doubled, swapped, put before or after it, or cut."""
    forged = list(path)
    ways = ["before", "after", *(["bit", "without", "doubled", "swapped", "cut", "nothing"] if path else [])]
    way = draw(st.sampled_from(ways))
    place = draw(st.integers(0, max(len(path) - 1, 0)))
    if way == "before":
        forged.insert(0, draw(st.binary(min_size=32, max_size=32)))
    elif way == "after":
        forged.append(draw(st.sampled_from([EMPTY, path[-1] if path else EMPTY])))
    elif way == "bit":
        bit = draw(st.integers(0, 255))
        forged[place] = (int.from_bytes(forged[place]) ^ 1 << bit).to_bytes(32)
    elif way == "without":
        del forged[place]
    elif way == "doubled":
        forged.insert(place, forged[place])
    elif way == "swapped":
        forged.reverse()
    else:
        forged = forged[: place if way == "cut" else 0]
    return forged


@MANY
@given(SIZES, st.data())
def test_a_forged_path_of_a_leaf_is_refused(size: int, data: st.DataObject) -> None:
    ours = grown(size)
    leaf = data.draw(st.integers(0, size - 1))
    path = inclusion(leaf, size, ours.node)
    forged = data.draw(forged_path(path).filter(lambda one: one != path))
    assert unproven(lambda: check_inclusion(ours.leaves[leaf], leaf, size, forged, ours.roots[size]))


@MANY
@given(SIZES, st.data())
def test_a_path_proves_one_leaf_at_one_place_of_one_tree(size: int, data: st.DataObject) -> None:
    ours = grown(size)
    leaf = data.draw(st.integers(0, size - 1))
    path, root = inclusion(leaf, size, ours.node), ours.roots[size]
    check_inclusion(ours.leaves[leaf], leaf, size, path, root)
    assert unproven(lambda: check_inclusion(leaf_hash(b"other"), leaf, size, path, root))
    assert unproven(lambda: check_inclusion(ours.leaves[leaf], leaf, size, path, leaf_hash(b"other")))
    place = data.draw(st.integers(-2, size + 2).filter(lambda one: one != leaf))
    assert unproven(lambda: check_inclusion(ours.leaves[leaf], place, size, path, root))


@MANY
@given(SIZES, st.data())
def test_a_node_is_never_taken_for_a_leaf(size: int, data: st.DataObject) -> None:
    """Who shows a node as if it were an entry would have to know a content that hashes to it."""
    ours = grown(size + 1)
    (level, place), found = data.draw(st.sampled_from(sorted(one for one in ours.nodes.items() if one[0][0])))
    left, right = ours.node(level - 1, 2 * place), ours.node(level - 1, 2 * place + 1)
    assert found == node_hash(left, right)
    path = inclusion(place << level, size + 1, ours.node)[level:]
    as_leaf = leaf_hash(left + right)
    assert unproven(lambda: check_inclusion(as_leaf, place, size + 1, path, ours.roots[size + 1]))


@MANY
@given(SIZES.filter(lambda size: size > 1), st.data())
def test_a_forged_proof_of_continuation_is_refused(size: int, data: st.DataObject) -> None:
    ours = grown(size)
    old = data.draw(st.integers(1, size - 1))
    path = consistency(old, size, ours.node)
    forged = data.draw(forged_path(path).filter(lambda one: one != path))
    assert unproven(lambda: check_consistency(old, size, forged, ours.roots[old], ours.roots[size]))


@MANY
@given(SIZES, st.data())
def test_no_tree_continues_one_whose_entry_was_changed(size: int, data: st.DataObject) -> None:
    ours = grown(size)
    old = data.draw(st.integers(1, size))
    changed = data.draw(st.integers(0, old - 1))
    rewritten = Grown([leaf_hash(b"other") if one == changed else leaf for one, leaf in enumerate(ours.leaves)])
    for path in (consistency(old, size, ours.node), consistency(old, size, rewritten.node)):
        assert unproven(partial(check_consistency, old, size, path, ours.roots[old], rewritten.roots[size]))


@pytest.mark.parametrize("moved", [1, -1])
def test_bytes_moved_from_one_hash_to_its_neighbour_are_no_hashes(moved: int) -> None:
    """Side by side they are hashed alike: there would be many spellings of one proof, and leaves of any length."""
    ours = grown(7)
    first, second, *rest = consistency(3, 7, ours.node)
    together = second + first
    path = [together[32 + moved :], together[: 32 + moved], *rest]
    assert node_hash(path[1], path[0]) == node_hash(second, first)
    assert unproven(lambda: check_consistency(3, 7, path, ours.roots[3], ours.roots[7]))
    neighbour, *rest = inclusion(0, 7, ours.node)
    together = ours.leaves[0] + neighbour
    leaf, path = together[: 32 + moved], [together[32 + moved :], *rest]
    assert unproven(lambda: check_inclusion(leaf, 0, 7, path, ours.roots[7]))
