"""Each script of the gallery reaches the result that it states, on three seeds: `pytest -m gallery`, some minutes."""

import importlib.util
import re

import pytest

pytest.importorskip("matplotlib")

from example_runs import EXAMPLES, is_png, run, two_processes
from gallery_results import RESULTS

pytestmark = pytest.mark.gallery
SEEDS = range(3)


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """Futures of what the scripts print, by script and seed, for the tests that are selected."""
    folder = tmp_path_factory.mktemp("gallery")
    selected = [item.callspec.params for item in request.session.items if item.path == request.path]
    cases = [(case["script"], case["seed"]) for case in selected]
    with two_processes() as pool:
        yield {
            (script, seed): (
                folder / f"{script}-{seed}",
                pool.submit(run, EXAMPLES / f"{script}.py", folder / f"{script}-{seed}", "--seed", str(seed)),
            )
            for script, seed in cases
            if importlib.util.find_spec(RESULTS[script].requires)
        }


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("script", RESULTS)
def test_the_stated_result_is_reached(script, seed, runs):
    result = RESULTS[script]
    pytest.importorskip(result.requires)
    folder, future = runs[script, seed]
    printed = future.result(timeout=600)
    found = re.fullmatch(r"result: (.+) (\S+)", printed.splitlines()[-1])
    assert found
    assert found[1] == result.name
    sign = -1 if result.lower_is_better else 1
    assert sign * float(found[2]) >= sign * result.stated - result.margin
    assert is_png(folder / f"{script}.png")
