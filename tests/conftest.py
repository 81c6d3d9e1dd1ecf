"""Fixtures of all tests: each engine that this machine can run."""

import signal

from networks import engine, three_threads  # noqa: F401

# A shell that runs the tests in the background makes them ignore SIGINT, which some of them raise.
signal.signal(signal.SIGINT, signal.default_int_handler)
