"""Sums over shards: the tree, and its sums by any number of ranks."""

import numpy as np
import pytest
from ranks import run

from fastgd.parallel import Group, RankError
from fastgd.parallel import group as group_module
from fastgd.parallel.tree import children, cover, total, total_of_parts

SHARDS_AND_RANKS = [
    (shards, ranks) for shards in (1, 2, 3, 4, 6, 8, 12) for ranks in (1, 2, 3, 4) if shards % ranks == 0
]


@pytest.mark.parametrize("n", range(2, 20))
def test_children_share_a_node(n):
    (first, middle), (other, last) = children((5, 5 + n))
    assert (first, middle, last) == (5, other, 5 + n)
    assert middle - first >= last - middle
    assert (middle - first).bit_count() == 1


def test_cover_is_the_fewest_nodes():
    assert cover(8, 0, 8) == [(0, 8)]
    assert cover(8, 2, 4) == [(2, 4)]
    assert cover(8, 3, 6) == [(3, 4), (4, 6)]
    assert cover(6, 3, 6) == [(3, 4), (4, 6)]


def vectors(shards, n, dtype):
    """Vectors whose sum depends on the order."""
    exponents = np.random.default_rng(shards).uniform(-12, 12, (shards, n))
    return (np.exp2(exponents) * np.random.default_rng(n).choice([-1, 1], (shards, n))).astype(dtype)


def tree_sum(shards, first, last):
    if last - first == 1:
        return shards[first].copy()
    (a, b), (c, d) = children((first, last))
    return tree_sum(shards, a, b) + tree_sum(shards, c, d)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("small", [0, 1 << 20])
@pytest.mark.parametrize(("shards", "ranks"), SHARDS_AND_RANKS)
def test_sums_have_the_same_bits_on_any_number_of_ranks(shards, ranks, small, dtype, monkeypatch):
    monkeypatch.setattr(group_module, "_SMALL", small)
    values = vectors(shards, 37, dtype)

    def program(comm):
        group = Group(comm, shards)
        parts = {node: total(node, lambda shard: values[shard].copy()) for node in group.nodes()}
        out = np.empty(37, dtype)
        heads = group.sum(np.array([group.rank, 0.5]), parts, out)
        return heads, out

    expected = tree_sum(values, 0, shards)
    for heads, out in run(ranks, program):
        assert heads.tolist() == [[rank, 0.5] for rank in range(ranks)]
        assert out.tobytes() == expected.tobytes()


def test_total_of_parts_takes_any_cover():
    values = vectors(6, 5, "float32")
    parts = {node: tree_sum(values, *node) for node in [(0, 2), (2, 3), (3, 4), (4, 6)]}
    assert total_of_parts(6, parts).tobytes() == tree_sum(values, 0, 6).tobytes()


def test_a_process_alone_needs_no_communicator():
    group = Group(None, 4)
    assert (group.rank, group.size, list(group.own)) == (0, 1, [0, 1, 2, 3])
    assert group.exchange("a") == ["a"]
    assert Group().is_trivial
    assert not group.is_trivial


def test_what_is_no_communicator_is_refused():
    with pytest.raises(
        TypeError, match=r"comm must be a communicator of mpi4py, such as MPI.COMM_WORLD, or None, not 3"
    ):
        Group(3)


def test_shards_are_a_multiple_of_the_ranks():
    for error in run(2, lambda comm: Group(comm, 3)):
        assert str(error) == "shards=3 is not a multiple of the 2 ranks: each must have the same number"


def test_a_failure_ends_all_ranks():
    def program(comm):
        group = Group(comm)
        with group.together():
            if group.rank == 1:
                raise ValueError("no such file")
            group.exchange(None)

    first, second, third = run(3, program)
    assert isinstance(second, ValueError)
    for error in (first, third):
        assert isinstance(error, RankError)
        assert str(error) == "rank 1 failed: ValueError: no such file"
