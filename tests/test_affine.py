"""Random affine transforms of images: against SciPy's and PyTorch's interpolation, their settings and their draws."""

import numpy as np
import pytest

import fastgd as gd

SETTINGS = {"degrees": (10, 40), "translate": (0.2, 0.3), "scale": (0.7, 1.4), "shear": (-20, 5, 3, 30)}


def images(*shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def transforms(height, width, draws):
    """The transform of each image as a matrix (3, 3) of (column, row, 1), from its elementary ones."""
    low, high = np.transpose(
        [(-0.2 * width, 0.2 * width), (-0.3 * height, 0.3 * height), (0.7, 1.4), (10, 40), (-20, 5), (3, 30)]
    )
    for right, down, zoom, angle, shear_x, shear_y in low + (high - low) * draws:
        (cos, sin), (tan_x, tan_y) = (
            (f(np.deg2rad(angle)) for f in (np.cos, np.sin)),
            np.tan(np.deg2rad([shear_x, shear_y])),
        )
        linear = zoom * np.array([[cos, -sin], [sin, cos]]) @ [[1, 0], [-tan_y, 1]] @ [[1, -tan_x], [0, 1]]
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        yield np.block([[linear, (centre + [right, down] - linear @ centre)[:, np.newaxis]], [0, 0, 1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(8, 8), (7, 12), (9, 5, 3)])
def test_bilinear_interpolation_as_in_scipy(shape, dtype):
    ndimage = pytest.importorskip("scipy.ndimage")
    X, fill = images(40, *shape).astype(dtype), 0.25
    result = gd.RandomAffine(**SETTINGS, shape=shape, fill=fill)(X.reshape(40, -1), np.random.default_rng(1))
    assert result.dtype == dtype
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])  # (column, row) to (row, column)
    draws = np.random.default_rng(1).random((40, 6))
    for image, transformed, matrix in zip(X, result, transforms(*shape[:2], draws), strict=True):
        inverse = swap @ np.linalg.inv(matrix) @ swap
        image, transformed = image.reshape(*shape[:2], -1), transformed.reshape(*shape[:2], -1)
        for channel in range(image.shape[2]):
            expected = ndimage.affine_transform(
                image[..., channel], inverse, order=1, mode="grid-constant", cval=fill, output="float64"
            )
            np.testing.assert_allclose(transformed[..., channel], expected, atol=1e-5 if dtype == "float32" else 1e-12)


def test_bilinear_interpolation_as_in_pytorch():
    """Its `grid_sample` takes places as fractions of the half width, from the centre."""
    torch = pytest.importorskip("torch")
    height, width = 10, 6
    X = images(20, height, width)
    result = gd.RandomAffine(**SETTINGS, shape=(height, width))(X, np.random.default_rng(2))
    scale = np.array([[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]])
    draws = np.random.default_rng(2).random((20, 6))
    maps = [np.linalg.inv(scale) @ np.linalg.inv(matrix) @ scale for matrix in transforms(height, width, draws)]
    theta = torch.tensor(np.array(maps)[:, :2])
    grid = torch.nn.functional.affine_grid(theta, (20, 1, height, width), align_corners=False)
    expected = torch.nn.functional.grid_sample(torch.tensor(X)[:, None], grid, align_corners=False)
    np.testing.assert_allclose(result, expected[:, 0].numpy(), atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_changes_without_settings(dtype):
    X = images(5, 48).astype(dtype)
    rotated = gd.RandomAffine(shape=(6, 8))(X, np.random.default_rng(0))
    np.testing.assert_array_equal(rotated, X)
    assert rotated is not X


def test_quarter_turns_are_exact_and_clockwise():
    X = images(3, 5, 5)
    turned = gd.RandomAffine((90, 90), shape=(5, 5))(X, np.random.default_rng(0))
    np.testing.assert_allclose(turned, np.rot90(X, -1, axes=(1, 2)), rtol=1e-13)
    upside_down = gd.RandomAffine((-180, -180), shape=(5, 5))(X, np.random.default_rng(0))
    np.testing.assert_allclose(upside_down, X[:, ::-1, ::-1], rtol=1e-13)


@pytest.mark.parametrize(
    ("settings", "as_pairs"),
    [
        ({"degrees": 30}, {"degrees": (-30, 30)}),
        ({"shear": 10}, {"shear": (-10, 10)}),
        ({"shear": (-10, 10)}, {"shear": (-10, 10, 0, 0)}),
        ({"scale": [0.8, 1.2]}, {"scale": np.array([0.8, 1.2])}),
        ({"fill": 0.5}, {"fill": (0.5,)}),
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_short_forms(settings, as_pairs):
    X = images(4, 36)
    short, long = (gd.RandomAffine(translate=(0.1, 0), shape=(6, 6), **s) for s in (settings, as_pairs))
    np.testing.assert_array_equal(short(X, np.random.default_rng(0)), long(X, np.random.default_rng(0)))


def test_images_outside_take_the_colour_of_each_channel():
    X = np.ones((50, 4, 4, 3))
    moved = gd.RandomAffine(translate=(1, 1), shape=(4, 4, 3), fill=(0.1, 0.2, 0.3))(X, np.random.default_rng(0))
    np.testing.assert_allclose(moved.min(axis=(0, 1, 2)), [0.1, 0.2, 0.3])


def test_an_image_depends_on_its_own_numbers_only(monkeypatch):
    """Neither on how many images are transformed together nor on the shape of the batch."""
    transform, X = gd.RandomAffine(**SETTINGS, shape=(6, 6)), images(30, 36).astype("float32")
    whole = transform(X, np.random.default_rng(0))
    np.testing.assert_array_equal(transform(X[:7], np.random.default_rng(0)), whole[:7])
    np.testing.assert_array_equal(transform(X.reshape(30, 6, 6), np.random.default_rng(0)).reshape(30, 36), whole)
    monkeypatch.setattr("fastgd.data.affine._BLOCK", 100)
    np.testing.assert_array_equal(transform(X, np.random.default_rng(0)), whole)


@pytest.mark.parametrize(
    ("given", "result"), [("uint8", "float32"), ("float16", "float32"), ("int64", "float64"), ("float64", "float64")]
)
def test_dtypes(given, result):
    transformed = gd.RandomAffine(20, shape=(4, 4))(np.ones((3, 16), given), np.random.default_rng(0))
    assert transformed.dtype == result


def test_augmentation_of_a_run(engine):
    """Each step sees images changed in its own way, and a run can be repeated."""
    X, y = gd.datasets.digits()
    X, y = X[:100] / 16, y[:100]
    runs = []
    for augment in (None, gd.RandomAffine(15, shape=(8, 8)), gd.RandomAffine(15, shape=(8, 8))):
        trainer = gd.Trainer(gd.MLP(64, 8, 10, seed=0), loss="cross_entropy", batch_size=10, seed=1)
        trainer.fit(X, y, epochs=2, augment=augment, verbose=0)
        runs.append(trainer.model.theta.copy())
    np.testing.assert_array_equal(runs[1], runs[2])
    assert np.abs(runs[1] - runs[0]).max() > 1e-3


def test_the_call_that_makes_it_is_shown():
    assert repr(gd.RandomAffine(10, scale=(0.9, 1.1), shape=(8, 8))) == (
        "RandomAffine(degrees=10, scale=(0.9, 1.1), shape=(8, 8))"
    )


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, TypeError, "shape"),
        ({"shape": 8}, ValueError, r"shape must be \(height, width\)"),
        ({"shape": (8,)}, ValueError, r"shape must be \(height, width\)"),
        ({"shape": (8, 0)}, ValueError, r"shape\[1\] must be 1 or more"),
        ({"shape": (8, 8.0)}, TypeError, r"shape\[1\] must be an integer"),
        ({"degrees": -10}, ValueError, r"degrees must be in \[0, 180\]"),
        ({"degrees": (0, 200)}, ValueError, r"degrees\[1\]"),
        ({"degrees": (20, 10)}, ValueError, "degrees must be given as low, high with low <= high"),
        ({"degrees": (1, 2, 3)}, ValueError, "degrees must be of length 2"),
        ({"translate": 0.1}, TypeError, "translate must be a sequence"),
        ({"translate": (2, 0)}, ValueError, r"translate\[0\] must be in \[0, 1\]"),
        ({"scale": (0, 1)}, ValueError, r"scale\[0\] must be in \(0, inf\)"),
        ({"scale": 1.1}, TypeError, "scale must be a sequence"),
        ({"shear": 90}, ValueError, r"shear must be in \[0, 90\)"),
        ({"shear": (1, 2, 3)}, ValueError, "shear must be of length 2 or 4"),
        ({"fill": (0, 0)}, ValueError, "fill must be of length 1"),
        ({"fill": np.nan}, ValueError, "fill"),
        ({"size": (8, 8)}, TypeError, "RandomAffine has no argument 'size'"),
    ],
)
def test_bad_settings(settings, error, message):
    with pytest.raises(error, match=message):
        gd.RandomAffine(**({"shape": (8, 8)} if settings and "shape" not in settings else {}) | settings)


@pytest.mark.parametrize("shape", [(3, 63), (64,), (3, 8, 7), ()])
def test_images_of_another_size(shape):
    with pytest.raises(ValueError, match="rows of 64 values"):
        gd.RandomAffine(shape=(8, 8))(np.ones(shape), np.random.default_rng(0))


def test_a_seed_is_no_generator():
    with pytest.raises(TypeError, match=r"numpy\.random\.Generator, not 0"):
        gd.RandomAffine(shape=(8, 8))(np.ones((3, 64)), 0)
