"""How an engine would execute a training step: the facts, and a printed summary."""

import warnings
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The result of `model.plan(batch_size)`; prints as one line per fact.

    Attributes
    ----------
    engine : str
        "native", with its instruction set, or "numpy".
    dtype : str
    batch : int
        Rows of a step.
    tile : tuple of int
        Rows and columns of the kernel for matrix products; () if that is up to a library.
    threads : int
        Threads that a training starts with.
    max_threads : int
        Threads that it may use.
    grid : tuple of int
        How the threads divide forward and backward: row groups, and threads of a group, each of which computes other
        columns of every product; () if that is up to a library.
    why : str
        The reason for this number of threads.
    workspace : int
        Bytes besides data, theta and the optimizer's state.
    flops : float
        Operations of a step's products: 2 per weight and row in each of forward, dX and dW (no dX for the first layer).
    min_flops : float, default=0.0
        Operations of a forward pass per thread below which a thread does not pay; 0 if that is up to a library.
    precision : {"f32", "bf16"}, default="f32"
        Of the products; "f32" is the dtype.
    unit : str, default=""
        What computes products in bfloat16: "AMX tiles", "VDPBF16PS" or "FMA", which emulates the former; "" in f32 and
        in NumPy.
    f32_is_faster : bool, default=False
        Whether steps of precision "f32" are expected to take less time.
    """

    engine: str
    dtype: str
    batch: int
    tile: tuple[int, ...]
    threads: int
    max_threads: int
    grid: tuple[int, ...]
    why: str
    workspace: int
    flops: float
    min_flops: float = 0.0
    precision: str = "f32"
    unit: str = ""
    f32_is_faster: bool = False

    @property
    def most(self) -> int:
        """Deprecated name of `max_threads`."""
        warnings.warn("Plan.most is deprecated: use Plan.max_threads", DeprecationWarning, stacklevel=2)
        return self.max_threads

    def __str__(self) -> str:
        lines = [f"engine     {self.engine}, {self.dtype}"]
        if self.precision != "f32":
            lines.append(f"precision  {self.precision}{self._how()}")
        if self.tile:
            lines.append(f"tile       {self.tile[0]} rows x {self.tile[1]} columns")
        lines.append(f"threads    {self.threads} of {self.max_threads}: {self.why}")
        if self.grid and self.grid[1] > 1:
            lines.append(f"grid       {self.grid[0]} x {self.grid[1]}: {self.grid[1]} threads share the same rows")
        lines += [
            f"workspace  {self.workspace / 2**20:,.2f} MiB for steps of {self.batch:,} rows",
            f"work       {self.flops / 1e6:,.3g} million operations per step",
        ]
        return "\n".join(lines)

    def _how(self) -> str:
        """What computes products in this precision, and whether another one would be faster."""
        faster = '; precision="f32" is likely to be faster here' if self.f32_is_faster else ""
        return (f" by {self.unit}" if self.unit else "") + faster
