"""Merkle trees: the shape of RFC 6962, held against a twin written from its recursive definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.crypto import hash_bytes
from bigchaindb.model.merkle import leaf_hash, merkle_path, merkle_root, root_from_path

MOST = 40


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % i) for i in range(count)]


def split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1


def naive_root(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return hash_bytes(b"\x01" + naive_root(hashes[:k]) + naive_root(hashes[k:]))


def naive_path(hashes: list[bytes], index: int) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if index < k:
        return [*naive_path(hashes[:k], index), naive_root(hashes[k:])]
    return [*naive_path(hashes[k:], index - k), naive_root(hashes[:k])]


def test_a_leaf_is_hashed_behind_a_zero_and_a_node_behind_a_one() -> None:
    one, two = leaf_hash(b"one"), leaf_hash(b"two")
    assert one == hash_bytes(b"\x00one")
    assert merkle_root([one]) == one
    assert merkle_root([one, two]) == hash_bytes(b"\x01" + one + two)


@pytest.mark.parametrize("count", range(1, MOST))
def test_roots_and_paths_are_those_of_the_recursive_definition(count: int) -> None:
    hashes = leaves(count)
    assert merkle_root(hashes) == naive_root(hashes)
    for i in range(count):
        path = merkle_path(hashes, i)
        assert path == naive_path(hashes, i)
        assert root_from_path(hashes[i], i, count, path) == merkle_root(hashes)


@given(st.integers(1, 1000), st.data())
def test_every_path_leads_to_the_root(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    hashes = leaves(count)
    assert root_from_path(hashes[index], index, count, merkle_path(hashes, index)) == merkle_root(hashes)


@given(st.integers(1, MOST), st.data())
def test_a_path_proves_one_leaf_at_one_index_only(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    other = data.draw(st.integers(-1, count))
    hashes = leaves(count)
    path = merkle_path(hashes, index)
    root = merkle_root(hashes)
    assert root_from_path(leaf_hash(b"another"), index, count, path) != root
    assert (root_from_path(hashes[index], other, count, path) == root) is (other == index)


@given(st.integers(2, MOST), st.data())
def test_a_path_of_another_length_proves_nothing(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    hashes = leaves(count)
    path = merkle_path(hashes, index)
    assert root_from_path(hashes[index], index, count, path[:-1]) is None
    assert root_from_path(hashes[index], index, count, [*path, path[-1]]) is None


@given(st.lists(st.binary(max_size=3), min_size=2, max_size=20), st.data())
def test_any_change_changes_the_root(contents: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(contents) - 1))
    changed = [*contents[:index], contents[index] + b"!", *contents[index + 1 :]]
    assert merkle_root([leaf_hash(c) for c in changed]) != merkle_root([leaf_hash(c) for c in contents])
    assert merkle_root([leaf_hash(c) for c in contents[1:]]) != merkle_root([leaf_hash(c) for c in contents])


def test_an_inner_node_cannot_pass_for_a_leaf() -> None:
    one, two, three, four = leaves(4)
    inner = [hash_bytes(b"\x01" + one + two), hash_bytes(b"\x01" + three + four)]
    assert merkle_root(inner) == merkle_root([one, two, three, four])
    # The count is signed beside the root, so the shorter tree is another claim.
    assert root_from_path(inner[0], 0, 4, [inner[1]]) is None


def test_a_tree_has_at_least_one_leaf() -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        merkle_root([])


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_path_to_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError, match=f"leaf {index} of a tree of 3"):
        merkle_path(leaves(3), index)
    assert root_from_path(leaves(3)[0], index, 3, []) is None
