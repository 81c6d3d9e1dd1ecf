"""What will run: the facts of a training step on the chosen engine, in a few lines for people."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What `model.plan(batch_size)` says; printing it gives a line for each fact.

    Attributes
    ----------
    engine : str
        "native", with its instruction set, or "numpy".
    dtype : str
    batch : int
        Rows of a step.
    tile : tuple of int
        Rows and columns of the product's kernel; () if they are a library's affair.
    threads, most : int
        Threads that a training starts with, and that it may use.
    grid : tuple of int
        How they share forward and backward: bands of rows, and threads to a band, each of which makes other columns of
        every product; () if that is a library's affair.
    why : str
        Why so many threads.
    workspace : int
        Bytes beyond data, theta and the optimiser's state.
    flops : float
        Operations of a step's products: 2 a weight and row in each of forward, dX and dW (no dX for the first layer).
    """

    engine: str
    dtype: str
    batch: int
    tile: tuple[int, ...]
    threads: int
    most: int
    grid: tuple[int, ...]
    why: str
    workspace: int
    flops: float

    def __str__(self) -> str:
        lines = [f"engine     {self.engine}, {self.dtype}"]
        if self.tile:
            lines.append(f"tile       {self.tile[0]} rows x {self.tile[1]} columns")
        lines.append(f"threads    {self.threads} of {self.most}: {self.why}")
        if self.grid and self.grid[1] > 1:
            lines.append(f"grid       {self.grid[0]} x {self.grid[1]}: {self.grid[1]} threads share the same rows")
        lines += [
            f"workspace  {self.workspace / 2**20:,.2f} MiB for steps of {self.batch:,} rows",
            f"work       {self.flops / 1e6:,.3g} million operations a step",
        ]
        return "\n".join(lines)
