"""CPU seconds until examples/cartpole.py has learned to balance the pole, and until the same loops have in PyTorch.

    OMP_NUM_THREADS=1 python -m benchmarks.cartpole             needs PyTorch and gymnasium

The script runs twice, round by round in turn: as it is, and with networks, autograd and Adam of PyTorch.  Carts,
returns, memory, seeds and initial weights are the same.  Solved is a mean return of 475 in 100 episodes of the greedy
policy, tested 40 times in the steps that a method may play, twice those of the script; the tests are not timed.
"""

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any
from unittest import mock

import gymnasium
import numpy as np
import torch
from torch.nn import functional as F

import fastgd as gd

SCRIPT = Path(__file__).parents[1] / "examples" / "cartpole.py"
SEEDS, SOLVED, LONGER = range(3), 475, 2


class MLP(torch.nn.Sequential):
    """A network of PyTorch with the weights of a model."""

    def __init__(self, model: gd.Sequential) -> None:
        values = [torch.from_numpy(value.copy()) for value in model.parameters().values()]
        layers: list[torch.nn.Module] = []
        for weight, bias in zip(values[::2], values[1::2], strict=True):
            linear = torch.nn.Linear(*weight.shape)
            linear.load_state_dict({"weight": weight.T, "bias": bias})
            layers += [linear, torch.nn.Tanh()]
        super().__init__(*layers[:-1])

    @torch.no_grad()
    def predict(self, X: np.ndarray) -> np.ndarray:
        return self(torch.from_numpy(X)).numpy()

    @torch.no_grad()
    def copy_parameters(self, other: "MLP", tau: float) -> None:
        torch._foreach_lerp_(list(self.parameters()), list(other.parameters()), tau)


def torch_net(Net: type[Any]) -> type[Any]:
    """The script's `Net` in PyTorch: losses and autograd, where the script writes out their gradients."""

    class TorchNet(Net):  # type: ignore[misc]
        model: Any

        def __init__(self, n_out: int, lr: float) -> None:
            super().__init__(n_out, lr)
            self.model = MLP(self.model)
            self.optimizer, self.predict = torch.optim.Adam(self.model.parameters(), lr=lr), self.model.predict

        def step(self, loss: torch.Tensor) -> None:
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

        def approach(self, target: np.ndarray, s: np.ndarray, a: np.ndarray | int = 0) -> None:
            Z = self.model(torch.from_numpy(s))
            Z = Z[:, a] if isinstance(a, int) else Z.gather(1, torch.from_numpy(a)[:, None])[:, 0]
            self.step(0.5 * F.mse_loss(Z, torch.as_tensor(target, dtype=torch.float32)))

        def improve(self, s: np.ndarray, a: np.ndarray, A: np.ndarray, log_old: np.ndarray, clip: float) -> None:
            log_p = F.log_softmax(self.model(torch.from_numpy(s)), dim=1).gather(1, torch.from_numpy(a)[:, None])[:, 0]
            ratio, advantage = (log_p - torch.from_numpy(log_old)).exp(), torch.from_numpy(A)
            self.step(-torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean())

    return TorchNet


def load(seed: int) -> Any:
    """The definitions of the script, with random numbers of their own."""
    spec = importlib.util.spec_from_file_location("cartpole", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(sys, "argv", [SCRIPT.name, "--seed", str(seed)]):
        spec.loader.exec_module(module)
    return module


class Run:
    """A method that learns until it has solved the task, or played all its steps.

    Attributes
    ----------
    played, seconds, in_carts : steps and CPU seconds so far, and those of the environment's steps among them
    solved : whether the last test was passed
    """

    def __init__(self, method: str, seed: int, *, in_torch: bool) -> None:
        self.script = load(seed)
        if in_torch:
            self.script.Net = torch_net(self.script.Net)
        self.script.gymnasium = SimpleNamespace(make_vec=self._make_vec)
        learn, budget, settings = self.script.METHODS[method]
        self.budget = LONGER * budget
        self.rounds = learn(self.budget, **settings)
        self.played = self.tested = 0
        self.seconds = self.in_carts = 0.0
        self.solved = False

    def _make_vec(self, *args: Any, **settings: Any) -> gymnasium.vector.VectorEnv:
        carts = gymnasium.make_vec(*args, **settings)
        carts.step = self._timed(carts.step)
        return carts

    def _timed(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def timed(action: np.ndarray) -> Any:
            begun = time.process_time()
            try:
                return step(action)
            finally:
                self.in_carts += time.process_time() - begun

        return timed

    @property
    def is_over(self) -> bool:
        return self.solved or self.played >= self.budget

    def round(self) -> None:
        """Some episodes and what is learned from them, and a test when it is due."""
        begun = time.process_time()
        self.played, net = next(self.rounds)
        self.seconds += time.process_time() - begun
        if self.is_over or self.played > self.tested + self.budget / 40:
            before, self.tested = self.in_carts, self.played
            self.solved = self.script.play(net.greedy, 100)["valid"].sum() / 100 >= SOLVED
            self.in_carts = before


def race(method: str, seed: int) -> list[Run]:
    """Both contenders, in turns, until both are over."""
    runs = [Run(method, seed, in_torch=in_torch) for in_torch in (False, True)]
    while not all(run.is_over for run in runs):
        for run in runs:
            if not run.is_over:
                run.round()
    return runs


def row(method: str, races: list[list[Run]]) -> str:
    """Of the table: medians over the seeds; a run that never solved the task took infinitely long."""
    ours, theirs = zip(*races, strict=True)
    steps, seconds = (
        [median(getattr(run, name) if run.solved else float("inf") for run in runs) for runs in (ours, theirs)]
        for name in ("played", "seconds")
    )
    carts = median(1000 * run.in_carts / run.played for run in ours + theirs)
    costs = [median(1000 * run.seconds / run.played for run in runs) for runs in (ours, theirs)]
    cells = [f"{n:,.0f}" for n in steps] + [f"{s:.2f}" for s in seconds] + [f"{1000 * c:,.0f}" for c in (*costs, carts)]
    return f"| {method} | {' | '.join(cells)} | {costs[1] / costs[0]:.1f} |"


def main() -> None:
    torch.set_num_threads(1)
    for in_torch in (False, True):
        Run("PPO", 0, in_torch=in_torch).round()  # what is loaded on first use
    for method in ("REINFORCE", "PPO", "DQN"):
        races = [race(method, seed) for seed in SEEDS]
        for seed, runs in zip(SEEDS, races, strict=True):
            ends = (
                f"{'solved' if r.solved else 'not solved'} after {r.played:,} steps, {r.seconds:.2f} s" for r in runs
            )
            print(f"{method}, seed {seed}:", "; PyTorch ".join(ends), file=sys.stderr, flush=True)
        print(row(method, races), flush=True)


if __name__ == "__main__":
    main()
