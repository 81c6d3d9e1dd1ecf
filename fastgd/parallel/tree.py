"""The order in which vectors of shards are added: a binary tree over the shards, whatever process holds which of them.

A node is a range (first, last) of shards; the root is (0, n). A node of several shards is the sum of two nodes, of
which the first has as many shards as the largest power of two allows. Floating-point sums depend on their order, and
this one depends on the number of shards alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from .._common.typing import Array

Node: TypeAlias = tuple[int, int]


def children(node: Node) -> tuple[Node, Node]:
    """The two nodes whose sum is a node of several shards."""
    first, last = node
    middle = first + (1 << (last - first - 1).bit_length() - 1)
    return (first, middle), (middle, last)


def cover(n: int, first: int, last: int) -> list[Node]:
    """The largest nodes of the tree over n shards that together are the shards `first` to `last` - 1, in order.

    Examples
    --------
    >>> cover(8, 2, 4), cover(8, 3, 6)
    ([(2, 4)], [(3, 4), (4, 6)])
    """
    found, nodes = [], [(0, n)]
    while nodes:
        node = nodes.pop()
        if node[0] >= last or node[1] <= first:
            continue
        if first <= node[0] and node[1] <= last:
            found.append(node)
        else:
            nodes.extend(reversed(children(node)))
    return found


def total(node: Node, leaf: Callable[[int], Array]) -> Array:
    """The sum of a node, whose shards' vectors `leaf` returns in order; the first vector of each sum is overwritten."""
    if node[1] - node[0] == 1:
        return leaf(node[0])
    left, right = children(node)
    sum_ = total(left, leaf)
    sum_ += total(right, leaf)
    return sum_


def total_of_parts(n: int, parts: Mapping[Node, Array]) -> Array:
    """The sum of n shards from the sums of nodes that together cover them; vectors of `parts` are overwritten."""

    def sum_of(node: Node) -> Array:
        if node in parts:
            return parts[node]
        left, right = children(node)
        sum_ = sum_of(left)
        sum_ += sum_of(right)
        return sum_

    return sum_of((0, n))
