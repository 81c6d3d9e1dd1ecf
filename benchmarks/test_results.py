"""Which CPU the results belong to, how parts are added to them, and the pages made from them."""

import pytest

from . import cpus, store
from .cpus import Cpu, parse

overview = pytest.importorskip("benchmarks.overview", reason="needs matplotlib", exc_type=ImportError)

INTEL = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: Intel(R) Xeon(R)\n"
NEOVERSE = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd40\n"


@pytest.mark.parametrize(
    ("cpu", "slug"),
    [
        (parse(INTEL + "\nprocessor\t: 1\nmodel\t: 1\n"), "intel-emerald-rapids"),
        (parse(INTEL.replace("207", "999")), "intel-family-6-model-999"),
        (parse(NEOVERSE), "arm-neoverse-v1"),
        (Cpu("AMD", 25, 0x11, "AMD EPYC"), "amd-zen-4"),
        (Cpu("AMD", 26, 0x02, "AMD EPYC"), "amd-zen-5"),
        (Cpu("", -1, -1, "Apple M2 Pro"), "apple-m2-pro"),
        (Cpu("", -1, -1, ""), "unknown"),
    ],
)
def test_a_cpu_has_a_folder(cpu, slug):
    assert cpu.slug == slug


def test_no_model_has_two_names():
    for models in cpus.MODELS.values():
        numbers = [n for group in models.values() for one in group for n in (one if isinstance(one, range) else [one])]
        assert len(numbers) == len(set(numbers))


@pytest.fixture
def here(monkeypatch):
    """A machine; returns its facts, which a test may change."""
    facts = {"cpu": "AMD Zen 5", "vendor": "AMD", "brand": "AMD EPYC", "cpus": 2, "caches": {"L1": 48 << 10}}
    facts |= {"engine": "avx512, gcc", "system": "Linux", "versions": {"fastgd": "0.1.0"}}
    monkeypatch.setattr(store.machine, "describe", lambda: dict(facts))
    return facts


def test_a_part_replaces_only_itself(here, tmp_path):
    results = store.load(tmp_path)
    store.add(results, "training/tiny", 1, {"commit": "a"})
    store.add(results, "training/digits", 2, {"commit": "a"})
    store.save(results, tmp_path)
    again = store.load(tmp_path)
    store.add(again, "training/tiny", 3, {"commit": "b"})
    assert again["training"] == {"tiny": 3, "digits": 2}
    assert {key: how["commit"] for key, how in again["measured"].items()} == {
        "training/tiny": "b",
        "training/digits": "a",
    }
    assert [path.name for path in tmp_path.iterdir()] == [store.FILE]


def test_results_of_another_machine_are_kept(here, tmp_path):
    results = {}
    store.add(results, "training/tiny", 1, {"commit": "a"})
    store.check_machine(results, tmp_path)
    here["cpus"] = 64
    with pytest.raises(SystemExit, match="holds results of 2 CPUs of AMD EPYC, not of 64 CPUs"):
        store.check_machine(results, tmp_path)


def race(factor):
    """fastgd takes 1 µs, JAX `factor` times that."""
    runs = {"fastgd/1": {"seconds": [1e-6]}, "jax-scan/1": {"seconds": [factor * 1e-6]}}
    return {"title": "tiny", "flops": 1e3, "bytes": 1e3, "peak": {"1": 100.0}, "runs": runs}


def test_the_page_has_a_column_for_each_cpu(here):
    found = {}
    late = {"epochs": 9, "early": 1, "late": 1, "ratio": 1.0}
    for name, factor, key in (("AMD Zen 5", 8, "late/digits-adam"), ("Intel Emerald Rapids", 4, "late/one-hot-adam")):
        here.update(cpu=name, vendor=name.split()[0])
        results = found.setdefault(name.lower().replace(" ", "-"), {})
        store.add(results, "training/tiny", race(factor), {"commit": "abc"})
        store.add(results, key, late, {"commit": "abc"})
    page = overview.page(found)
    assert "| tiny | 8.00x (JAX, epochs in one jit) | 4.00x (JAX, epochs in one jit) |" in page
    assert "| tiny: speed-up over the fastest peer | 8x (≥ 7x) | **4x** (≥ 5x) |" in page
    assert "| digits-adam | 1.00 | – |" in page
    assert (
        "| everything | [amd-zen-5](amd-zen-5/README.md) | [intel-emerald-rapids](intel-emerald-rapids/README.md) |"
        in page
    )


def test_the_page_of_a_cpu_shows_the_phases_of_each_thread(here, tmp_path):
    results = {}
    phases = {
        "title": "tiny",
        "one": {"loss": [2e-6], "wait": [0.0]},
        "all": {"loss": [1e-6, 1.5e-6], "wait": [5e-7, 0]},
    }
    store.add(results, "phases/tiny", phases, {"commit": "abc"})
    text = overview.report.write(results, tmp_path)
    assert "| tiny | alone | thread 0 | thread 1 |" in text
    assert "| loss | 2 | 1 | 1.5 |" in text
    assert "| total | 2 | 1.5 | 1.5 |" in text


def test_many_models_and_sources_have_targets(here, tmp_path):
    results = {}
    store.add(results, "many/population", {"one_after_another": 8e-3, "population": 4e-3}, {"commit": "abc"})
    store.add(results, "many/search", {"Population": 1e-2, "GridSearchCV": 0.15}, {"commit": "abc"})
    store.add(results, "sources/100-64-2", {"memory": 4e-7, "arrays": 5e-7}, {"commit": "abc"})
    text = overview.report.write(results, tmp_path)
    assert "| population | 4.00 | 2.00x |" in text
    assert "| 32 members, population: speed-up over one after another | ≥ 1.90x | 2.00x |" in text
    assert "| Population: speed-up over GridSearchCV of scikit-learn's MLP | ≥ 20x | **15x** |" in text
    assert "| 100-64-2 | 400, 100% | 500, 80% |" in text


def test_a_figure_needs_all_parts_that_it_shows(here, tmp_path):
    results = {}
    store.add(results, "limits/fma", {"float32": {"1": 100.0}}, {"commit": "abc"})
    store.add(results, "training/tiny", race(8), {"commit": "abc"})
    overview.report.write(results, tmp_path)
    overview.report.write_simulation(results, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "training.svg"]


def test_pages_are_those_of_the_results(tmp_path, monkeypatch):
    """The pages in the repository were made from the results in it by this code."""
    for folder in store.folders():
        text = (folder / "README.md").read_text()
        monkeypatch.setattr(overview.report.figures, "draw", lambda *_: None)
        copy = tmp_path / folder.name
        copy.mkdir()
        if (folder / "many-cores.md").exists():
            (copy / "many-cores.md").touch()
        assert overview.report.write(store.load(folder), copy) == text
    page = overview.page({folder.name: store.load(folder) for folder in store.folders()})
    assert (store.REPORT / "README.md").read_text() == page
