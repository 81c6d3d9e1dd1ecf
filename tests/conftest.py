"""Fixtures of all tests: each engine that this machine can run, and the commands."""

import signal

from commands import fastgd, flowers, houses, predict, refuses, train  # noqa: F401
from networks import engine, three_threads  # noqa: F401

# A shell that runs the tests in the background makes them ignore SIGINT, which some of them raise.
signal.signal(signal.SIGINT, signal.default_int_handler)
