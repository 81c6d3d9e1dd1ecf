"""Settings of losses and what is passed to them directly: checked where it enters, with ignored labels."""

import numpy as np
import pytest

from fastgd import activations, losses

LABELS, PAIRS, ANSWERS = losses.CrossEntropy(), losses.MSE(), losses.BCE()
Z2 = np.zeros((4, 3))


@pytest.mark.parametrize(
    ("loss", "Z", "Y", "error", "words"),
    [
        (LABELS, Z2, [[-1]] * 4, ValueError, "class indices from 0 to 2, but is -1 in row 0"),
        (LABELS, Z2, [0, 1, 3, 0], ValueError, "class indices from 0 to 2, but is 3 in row 2"),
        (LABELS, Z2, [0, 1, 1], ValueError, "one row for each of the 4 rows of Z"),
        (LABELS, Z2, [0.0, 1, 1, 0], TypeError, "integers from 0 to 2, not dtype float64"),
        (LABELS, Z2, np.eye(4, 3), ValueError, r"not \(4, 3\); SoftCrossEntropy\(\) takes rows of probabilities"),
        (LABELS, [1.0, 2.0], [0, 1], ValueError, r"Z must have shape \(rows, outputs\), not \(2,\)"),
        (LABELS, [["a", "b"]], [0], TypeError, "Z must hold numbers"),
        (LABELS, [[1, 2], [3]], [0], ValueError, "rows differ in length"),
        (LABELS, np.zeros((1, 2), complex), [0], TypeError, "Z must hold numbers, not ndarray of dtype complex128"),
        (losses.Focal(), Z2, [0, 1, 3, 0], ValueError, "but is 3 in row 2"),
        (PAIRS, Z2, np.zeros(4), ValueError, r"Y must have shape \(4, 3\), as Z has shape \(4, 3\), not \(4,\)"),
        (PAIRS, Z2, np.zeros((4, 1)), ValueError, r"Y must have shape \(4, 3\)"),
        (PAIRS, Z2, np.full((4, 3), np.nan), ValueError, "Y must be finite, but is nan in row 0, column 0"),
        (PAIRS, Z2, None, TypeError, "Y must hold numbers, not NoneType"),
        (
            ANSWERS,
            Z2,
            np.full((4, 3), 2.0),
            ValueError,
            r"Y must be in \[0, 1\] for the loss 'bce', but is 2.0 in row 0",
        ),
        (losses.Poisson(), Z2, -np.ones((4, 3)), ValueError, r"Y must be in \[0, inf\) for the loss 'poisson'"),
        (losses.Quantile((0.1, 0.9)), Z2, np.zeros(4), ValueError, "2 quantiles of each target need 2 outputs"),
    ],
)
def test_losses_check_their_arguments(loss, Z, Y, error, words):
    for method in (loss.per_row, loss.gradient):
        with pytest.raises(error, match=words):
            method(Z, Y)


def test_losses_take_one_column_as_a_vector():
    z, y = np.arange(4.0).reshape(-1, 1), np.array([0.0, 1.0, 1.0, 0.0])
    for loss in (PAIRS, ANSWERS):
        np.testing.assert_array_equal(loss.per_row(z, y), loss.per_row(z, y.reshape(-1, 1)))
        assert loss.gradient(z, y).shape == (4, 1)
    np.testing.assert_array_equal(LABELS.per_row(Z2, [0, 1, 2, 0]), LABELS.per_row(Z2, [[0], [1], [2], [0]]))
    two = losses.Quantile((0.1, 0.9))
    np.testing.assert_array_equal(two.per_row(Z2[:, :2], y), two.per_row(Z2[:, :2], np.stack([y, y], axis=1)))
    assert LABELS.per_row(Z2.astype(np.float32), [0, 1, 2, 0]).dtype == np.float32
    assert PAIRS.per_row(Z2.astype(np.float32), Z2).dtype == np.float32
    assert PAIRS.per_row([[1, 2]], [[1, 0]]).tolist() == [2.0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignore_index", [-100, -1, 1, 7])
def test_ignored_labels(ignore_index, smoothing):
    """Their rows have loss and gradient 0, whatever else they hold."""
    rng = np.random.default_rng(6)
    Z, Y = rng.normal(size=(6, 3)), np.array([[0], [1], [2], [1], [0], [2]])
    Y[[1, 3, 4]] = ignore_index
    loss, plain = losses.CrossEntropy(smoothing, ignore_index), losses.CrossEntropy(smoothing)
    kept = Y[:, 0] != ignore_index
    for method in ("per_row", "gradient"):
        result = getattr(loss, method)(Z, Y)
        np.testing.assert_array_equal(result[kept], getattr(plain, method)(Z[kept], Y[kept]))
        assert not result[~kept].any()
    with pytest.raises(ValueError, match="but is 5 in row 2"):
        loss.per_row(Z, np.where(np.arange(6)[:, np.newaxis] == 2, 5, Y))
    for bad, error in ((1.5, TypeError), ("-1", TypeError), (True, TypeError), (10**400, ValueError)):
        with pytest.raises(error, match="ignore_index must be"):
            losses.CrossEntropy(ignore_index=bad)


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: losses.Huber(0), ValueError, r"delta must be in \(0, inf\), not 0"),
    (lambda: losses.Huber("1"), TypeError, "delta must be a number"),
    (lambda: losses.Quantile(()), ValueError, r"quantiles must be a sequence of numbers in \(0, 1\), not \(\)"),
    (lambda: losses.Quantile((0.5, 1)), ValueError, r"quantiles\[1\] must be in \(0, 1\), not 1"),
    (lambda: losses.Quantile("half"), TypeError, "quantiles must be .*not 'half'"),
    (lambda: losses.BCE(pos_weight="3"), TypeError, r"pos_weight must be a sequence of numbers in \(0, inf\), not '3'"),
    (lambda: losses.BCE(pos_weight=["3"]), TypeError, r"pos_weight\[0\] must be a number"),
    (lambda: losses.BCE(pos_weight=True), TypeError, "pos_weight must be a"),
    (lambda: losses.BCE(pos_weight=np.ones((2, 2))), TypeError, r"pos_weight\[0\] must be a number"),
    (lambda: losses.BCE(label_smoothing=1), ValueError, r"label_smoothing must be in \[0, 1\)"),
    (lambda: losses.Focal(label_smoothing="0"), TypeError, "label_smoothing must be a number"),
    (lambda: losses.Huber(1e39), ValueError, "delta must be of a size that float32 can hold"),
    (lambda: losses.Huber(1e-40), ValueError, "delta must be of a size that float32 can hold"),
    (lambda: losses.Huber(10**400), ValueError, "delta must be a number"),
    (lambda: activations.LeakyReLU(1e308), ValueError, "negative_slope must be of a size that float32 can hold"),
    (lambda: activations.ELU(True), TypeError, "alpha must be a number"),
    (lambda: losses.CrossEntropy(1.0), ValueError, r"label_smoothing must be in \[0, 1\)"),
    (lambda: losses.BCE(pos_weight=[1, -2]), ValueError, r"pos_weight\[1\] must be in \(0, inf\), not -2"),
    (lambda: losses.Focal(-1), ValueError, "gamma must be in"),
    (lambda: losses.Focal(alpha=np.nan), ValueError, "alpha must be"),
    (lambda: losses.BinaryFocal(alpha=2), ValueError, r"alpha must be in \[0, 1\], not 2"),
])  # fmt: skip
def test_settings_of_losses(make, error, words):
    with pytest.raises(error, match=words):
        make()
