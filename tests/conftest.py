"""Fixtures for all tests: every engine that this machine can run."""

import signal

import pytest

from fastgd import backend

# A shell that starts the tests in the background has them ignore Ctrl-C, which some of them send to themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=backend.available(), ids=lambda e: e.isa or e.backend)
def engine(request):
    """Run the test on each engine in turn."""
    with backend.override(request.param.backend, request.param.isa) as chosen:
        yield chosen
