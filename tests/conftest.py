"""Fixtures for all tests: every engine that this machine can run."""

import pytest

from fastgd import backend


@pytest.fixture(params=backend.available(), ids=lambda e: e.isa or e.backend)
def engine(request):
    """Run the test on each engine in turn."""
    with backend.override(request.param.backend, request.param.isa) as chosen:
        yield chosen
