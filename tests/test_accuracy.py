"""exp, log, tanh and sigmoid are our own code: their error in units in the last place, over the whole range.

They are seen through networks of one weight, 1, and through losses of single rows. The bounds are the largest errors
seen over millions of arguments, rounded up.
"""

import numpy as np
import pytest
from networks import NATIVE, REALS, Net, name_of

from fastgd import losses

pytestmark = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="no type with more bits to compare with")
CASES = [pytest.param(e, dtype, id=f"{name_of(e)}-{dtype}") for e in NATIVE for dtype in REALS]

# Where e**x would leave the normal numbers of the dtype, ours saturates.
SATURATED = {"float32": 87, "float64": 708}


def arguments(dtype):
    """Of all signs and sizes, the extremes among them."""
    rng = np.random.default_rng(0)
    limits = np.finfo(dtype)
    sizes = np.exp2(rng.uniform(limits.minexp, 12, 200_000)), rng.uniform(0, 20, 200_000), rng.uniform(0, 1000, 50_000)
    x = np.concatenate([*sizes, [0, limits.tiny, limits.eps, limits.max]]).astype(dtype)
    return np.concatenate([x, -x])


def apply(engine, dtype, activation, z):
    net = Net(engine, dtype, (1, 1, 1), activation)
    net.theta[:] = 1, 0, 1
    return net.predict(z[:, np.newaxis])[:, 0]
