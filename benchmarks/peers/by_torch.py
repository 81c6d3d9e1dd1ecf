"""PyTorch, as in tutorials and as an expert writes it."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..workloads import Order, Workload, parameters
from . import Contender, batch_of, flatten

MODULES = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
FUNCTIONS = {"relu": torch.relu_, "tanh": torch.tanh_, "sigmoid": torch.sigmoid_}
DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {  # f'(z) from a = f(z)
    "relu": lambda a: a > 0,
    "tanh": lambda a: 1 - a * a,
    "sigmoid": lambda a: a * (1 - a),
}


class Eager(Contender):
    """nn.Sequential, autograd, torch.optim; a batch is X[rows]."""

    optimizers = frozenset(("sgd", "adam"))
    dtypes = frozenset(("float32", "float64"))
    is_fused = False

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        torch.set_num_threads(threads)
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        self.loss = nn.MSELoss() if workload.loss == "mse" else nn.CrossEntropyLoss()
        modules: list[nn.Module] = []
        for n_in, n_out in zip(workload.widths, workload.widths[1:], strict=False):
            modules += [nn.Linear(n_in, n_out), MODULES[workload.activation]()]
        self.model = nn.Sequential(*modules[:-1]).to(self.X.dtype)

    def _linears(self) -> list[nn.Linear]:
        return [module for module in self.model if isinstance(module, nn.Linear)]

    @torch.no_grad()
    def start(self, theta: NDArray) -> None:
        for linear, (W, b) in zip(self._linears(), parameters(self.workload.widths, theta), strict=True):
            linear.weight.copy_(torch.from_numpy(np.ascontiguousarray(W.T)))
            linear.bias.copy_(torch.from_numpy(b))
        kind = torch.optim.Adam if self.workload.optimizer == "adam" else torch.optim.SGD
        self.optimizer = kind(self.model.parameters(), lr=self.workload.lr, fused=self.is_fused)

    def theta(self) -> NDArray:
        return flatten([(m.weight.detach().numpy().T, m.bias.detach().numpy()) for m in self._linears()])

    def train(self, order: Order) -> None:
        for rows in torch.from_numpy(order):
            self._step(*batch_of(self.workload, self.X, self.y, rows))

    def _step(self, X: Tensor, y: Tensor) -> None:
        self.optimizer.zero_grad()
        self.loss(self.model(X), y).backward()
        self.optimizer.step()

    @torch.inference_mode()
    def predict(self, X: NDArray) -> Tensor:
        return self.model(torch.from_numpy(X))


class Fused(Eager):
    """The optimizer as one kernel."""

    is_fused = True


class Loader(Eager):
    """As the tutorials write it: TensorDataset and DataLoader."""

    def train(self, order: Order) -> None:
        dataset = torch.utils.data.TensorDataset(self.X, self.y)
        sampler = order.ravel().tolist()
        for X, y in torch.utils.data.DataLoader(dataset, self.workload.batch, sampler=sampler):
            self._step(X, y)


class Manual(Contender):
    """No autograd and no modules; products fused with sums and updates where PyTorch can."""

    dtypes = frozenset(("float32", "float64"))

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        torch.set_num_threads(threads)
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        self.vector = theta.copy()
        views = parameters(workload.widths, self.vector)
        self.layers = [(torch.from_numpy(W), torch.from_numpy(b)) for W, b in views]
        self.counter = torch.arange(workload.batch)

    def start(self, theta: NDArray) -> None:
        self.vector[:] = theta

    def theta(self) -> NDArray:
        return self.vector

    @torch.inference_mode()
    def train(self, order: Order) -> None:
        for rows in torch.from_numpy(order):
            self._step(self.X, self.y, rows)

    def _step(self, X: Tensor, y: Tensor, rows: Tensor) -> None:
        X, y = batch_of(self.workload, X, y, rows)
        a = self._forward(X)
        dz = self._loss_gradient(a[-1], y)
        derivative, lr = DERIVATIVES[self.workload.activation], self.workload.lr
        for l in reversed(range(len(self.layers))):
            W, b = self.layers[l]
            dx = dz @ W.T if l else None
            W.addmm_(a[l].T, dz, alpha=-lr)
            b.sub_(dz.sum(0), alpha=lr)
            if dx is not None:
                dz = dx.mul_(derivative(a[l]))

    def _forward(self, X: Tensor) -> list[Tensor]:
        a, f = [X], FUNCTIONS[self.workload.activation]
        for W, b in self.layers[:-1]:
            a.append(f(torch.addmm(b, a[-1], W)))
        W, b = self.layers[-1]
        return [*a, torch.addmm(b, a[-1], W)]

    def _loss_gradient(self, Z: Tensor, y: Tensor) -> Tensor:
        if self.workload.loss == "mse":
            return (Z - y).mul_(2 / Z.numel())
        dz = torch.softmax(Z, 1)
        dz[self.counter, y] -= 1
        return dz.div_(len(Z))


class Compiled(Manual):
    """The same step through torch.compile."""

    def __init__(self, workload: Workload, X: NDArray, y: NDArray, theta: NDArray, threads: int) -> None:
        super().__init__(workload, X, y, theta, threads)
        self._step = torch.compile(self._step, dynamic=False)  # type: ignore[method-assign]
