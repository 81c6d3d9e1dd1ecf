"""The loops in PyTorch compute what the script's do."""

import numpy as np
import pytest

cartpole = pytest.importorskip("benchmarks.cartpole", reason="needs torch and gymnasium", exc_type=ImportError)


@pytest.mark.parametrize("method", ["REINFORCE", "PPO", "DQN"])
def test_a_round_gives_the_same_network(method):
    values = []
    for in_torch in (False, True):
        run = cartpole.Run(method, 0, in_torch=in_torch)
        played, net = next(run.rounds)
        assert played > 0
        assert run.in_carts > 0
        states = np.random.default_rng(0).standard_normal((50, 4), "float32")
        values.append(net.predict(states))
    np.testing.assert_allclose(values[0], values[1], rtol=1e-3, atol=1e-4)
