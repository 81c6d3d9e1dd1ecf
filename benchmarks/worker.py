"""A contender in another process, which waits for its turns.

The process sleeps on a pipe while others are timed; its threads are limited before its libraries are imported. The
contenders of one library share a process, because importing some libraries takes seconds.
"""

import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from .peers import CONTENDERS
from .workloads import Workload, outputs, read_problem, wrong_share

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FASTGD_NUM_THREADS")
TIMEOUT = 600  # seconds per answer; compiling the largest network takes half a minute


class Failure(Exception):
    """What went wrong in a worker."""


class Tasks:
    """The methods that a worker can be asked to run."""

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.threads = name, threads

    def can(self, workload: Workload) -> bool:
        """Whether the contender supports the workload's rule, activation and dtype."""
        return CONTENDERS[self.name].load().can(workload)

    def prepare(self, workload: Workload, folder: Path) -> dict[str, float]:
        """Create the contender, and check its first steps: {"wrong": share of theta's movement}."""
        self.workload, problem = workload, read_problem(folder)
        self.theta, X, y = problem["theta"], problem["X"], problem["y"]
        self.contender = CONTENDERS[self.name].load()(workload, X, y, self.theta, self.threads)
        self.contender.start(self.theta)
        self.contender.train(workload.order(workload.check_steps))
        theta = self.contender.theta()
        wrong = wrong_share(theta, self.theta, problem["expected"])
        if not wrong <= self.contender.tolerance[workload.optimizer]:
            raise Failure(f"theta is wrong by {wrong:.1%} of its movement after {workload.check_steps} steps")
        return {"wrong": wrong}

    def calibrate(self, seconds: float) -> int:
        """Choose the number of steps that take about this time; the last attempt also warms up what is compiled for it.

        Several attempts, because where a call costs more than its steps, the first ones say little about the steps.
        """
        steps = min_steps = self.contender.min_steps
        for _ in range(7):
            self.order = self.workload.order(steps)
            self.turn()
            took = self.turn() * steps
            if 0.7 * seconds <= took or took >= seconds / 2 and steps == min_steps:
                break
            steps = max(1, int(steps * min(seconds / took, 1000.0)) // min_steps) * min_steps
        return len(self.order)

    def turn(self) -> float:
        """Seconds per step, starting from the first theta."""
        self.contender.start(self.theta)
        begun = time.perf_counter()
        self.contender.race(self.order)
        return (time.perf_counter() - begun) / len(self.order)

    def prepare_predictions(self, workload: Workload, rows: int) -> dict[str, float]:
        """Create a predictor, and check its outputs: {"wrong": largest error relative to the largest output}."""
        theta = workload.model().theta
        X, y = replace(workload, rows=4 * workload.batch).data()
        self.contender = CONTENDERS[self.name].load()(workload, X, y, theta, self.threads)
        self.contender.start(theta)
        self.X = np.random.default_rng(2).standard_normal((rows, workload.widths[0]), workload.dtype)
        expected = outputs(workload, theta, X)
        got = np.asarray(self.contender.predict(X))
        if got.ndim == 1:  # classes instead of outputs
            expected, got = np.eye(expected.shape[1])[expected.argmax(axis=1)], np.eye(expected.shape[1])[got]
        wrong = float(np.abs(got - expected).max() / np.abs(expected).max())
        if not wrong <= self.contender.prediction_tolerance:
            raise Failure(f"its predictions are wrong by {wrong:.1%}")
        return {"wrong": wrong}

    def predictions(self, seconds: float) -> float:
        """Seconds per call: the median over calls, or over bundles of them where they are short."""
        return seconds_per_call(lambda: self.contender.predict(self.X), seconds)


def seconds_per_call(call: Callable[[], object], seconds: float) -> float:
    """Median over up to 30 bundles of calls."""
    for _ in range(3):
        call()
    begun = time.perf_counter()
    call()
    once = time.perf_counter() - begun
    bundle = max(1, math.ceil(seconds / 30 / once))
    times = []
    for _ in range(max(3, min(30, int(seconds / once / bundle)))):
        begun = time.perf_counter()
        for _ in range(bundle):
            call()
        times.append((time.perf_counter() - begun) / bundle)
    return float(np.median(times))


def serve(connection: Connection, name: str, threads: int) -> None:
    """Answer until the other end closes; a message is a contender's seat and name, a method of `Tasks`, arguments.

    The library of the contender `name` is imported at once, while other processes import theirs.
    """
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # XLA's pool takes as many threads as CPUs
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries log to stderr; failures go through the pipe
    with suppress(Exception):  # it is reported when the contender is asked for
        CONTENDERS[name].load()
    tasks: dict[Any, Tasks] = {}
    while True:
        try:
            seat, name, method, arguments = connection.recv()
        except EOFError:
            return
        try:
            own = tasks.setdefault(seat, Tasks(name, threads))
            connection.send(getattr(own, method)(*arguments))
        except Exception as error:  # the report names the contender that failed and continues
            lines = str(error).strip().splitlines()
            connection.send(Failure(f"{type(error).__name__}: {lines[0] if lines else ''}"))


class Process:
    """A process of the contender `name` and others of its library, seen from the main process."""

    def __init__(self, name: str, threads: int) -> None:
        context = get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, name, threads), daemon=False)
        kept = {variable: os.environ.get(variable) for variable in VARIABLES}
        os.environ.update(dict.fromkeys(VARIABLES, str(threads)))
        try:
            self._process.start()
        finally:
            for variable, value in kept.items():
                os.environ.pop(variable) if value is None else os.environ.update({variable: value})
        other.close()

    def ask(self, *message: Any) -> Any:
        """The answer to a message; Failure if there is none."""
        try:
            self._connection.send(message)
            if not self._connection.poll(TIMEOUT):
                raise Failure(f"no answer for {TIMEOUT} s")
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise Failure(f"the process ended ({type(error).__name__})") from None
        if isinstance(answer, Failure):
            raise answer
        return answer

    def close(self) -> None:
        """End the process, which returns when its pipe is closed."""
        self._connection.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()


@dataclass(frozen=True)
class Worker:
    """A contender on some threads; `number` tells those with the same name apart."""

    name: str
    threads: int
    number: int
    process: Process

    @property
    def key(self) -> str:
        """Key in the results: name/threads."""
        return f"{self.name}/{self.threads}"

    def ask(self, method: str, *arguments: Any) -> Any:
        """The result of a method of `Tasks`; Failure if there is none."""
        return self.process.ask((self.name, self.number), self.name, method, arguments)
