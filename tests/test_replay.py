"""The memory of a custom training loop."""

import copy
import pickle

import numpy as np
import pytest

import fastgd as gd

KNOWN = [2, 4, 1, 3, 4, 3, 4, 4]  # the same on every machine


def filled(n, capacity=5, **settings):
    buffer = gd.ReplayBuffer(capacity, seed=0, **settings)
    for i in range(n):
        buffer.add(state=[i, i + 0.5], action=i, done=i % 2 == 0)
    return buffer


@pytest.mark.parametrize("n", [1, 4, 5, 6, 13])
def test_the_latest_rows_are_kept(n):
    buffer = filled(n)
    assert len(buffer) == min(n, 5)
    order = np.argsort(buffer.fields["action"])
    kept = np.arange(max(0, n - 5), n)
    np.testing.assert_array_equal(buffer.fields["action"][order], kept)
    np.testing.assert_array_equal(buffer.fields["state"][order], np.stack([kept, kept + 0.5], axis=1))
    np.testing.assert_array_equal(buffer.fields["done"][order], kept % 2 == 0)


@pytest.mark.parametrize("sizes", [(3, 4), (1, 12), (5, 5), (0, 2), (7, 1)])
def test_many_rows_at_once_are_many_single_ones(sizes):
    buffer, first = gd.ReplayBuffer(5), 0
    for n in sizes:
        rows = np.arange(first, first + n)
        buffer.extend(state=np.stack([rows, rows + 0.5], axis=1), action=rows, done=rows % 2 == 0)
        first += n
    for name, values in filled(first).fields.items():
        np.testing.assert_array_equal(buffer.fields[name], values)


def test_dtypes_of_the_first_row():
    assert {name: str(array.dtype) for name, array in filled(1).fields.items()} == {
        "state": "float32",
        "action": "int64",
        "done": "bool",
    }
    assert filled(1, dtype="float64").fields["state"].dtype == np.float64
    images = gd.ReplayBuffer(2)
    images.add(image=np.zeros((8, 8), np.uint8))
    assert images.sample(3)["image"].shape == (3, 8, 8)
    assert images.sample(3)["image"].dtype == np.uint8


def test_draws_are_uniform_and_rows_stay_together():
    sample = filled(13).sample(10_000)
    np.testing.assert_array_equal(sample["state"][:, 0], sample["action"])
    counts = np.bincount(sample["action"], minlength=13)
    assert counts[:8].sum() == 0
    assert abs(counts[8:] - 2000).max() < 200


def test_draws_depend_on_seed_and_number_only():
    one, other = filled(5), filled(5)
    first, second = one.sample(8)["action"], one.sample(8)["action"]
    assert (first != second).any()
    other.draws = 1
    np.testing.assert_array_equal(other.sample(8)["action"], second)
    np.testing.assert_array_equal(filled(5).sample(8)["action"], first)
    assert first.tolist() == KNOWN


def test_samples_are_copies():
    buffer = filled(5)
    buffer.sample(4)["state"][:] = -1
    assert (buffer.fields["state"] >= 0).all()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda buffer: pickle.loads(pickle.dumps(buffer))])
def test_copies_go_on_alike(duplicate):
    buffer = filled(7)
    buffer.sample(2)
    other = duplicate(buffer)
    np.testing.assert_array_equal(other.sample(9)["state"], buffer.sample(9)["state"])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda b: b.add(), TypeError, "rows are given by field"),
        (lambda b: b.add(state=[1, 2], action=1), ValueError, "fields must be state, action, done, not state, action"),
        (lambda b: b.add(state=[1], action=1, done=True), ValueError, r"state must have the shape \(2,\), not \(1,\)"),
        (lambda b: b.add(state=[1, 2], action=1.5, done=True), TypeError, "action is int64 since its first row"),
        (lambda b: b.add(state=["a", "b"], action=1, done=True), TypeError, "state must be numbers or booleans"),
        (lambda b: b.extend(state=1.0, action=[1], done=[True]), ValueError, "state must have the shape"),
        (lambda b: b.extend(state=[[1, 2]], action=[1, 2], done=[True]), ValueError, "the same number of rows"),
        (lambda b: b.sample(0), ValueError, "n must be"),
        (lambda b: gd.ReplayBuffer(3).sample(2), ValueError, "the buffer is empty"),
        (lambda b: gd.ReplayBuffer(0), ValueError, "capacity"),
        (lambda b: gd.ReplayBuffer(3, seed=-1), ValueError, "seed"),
    ],
)
def test_refused(call, error, text):
    buffer = filled(2)
    with pytest.raises(error, match=text):
        call(buffer)
    assert len(buffer) == 2
