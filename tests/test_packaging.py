"""What an installed fastgd consists of, and what importing it costs."""

import re
import subprocess
import sys
import zlib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

import fastgd as gd

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel():
    """{path in the wheel: bytes} of the installed fastgd."""
    found = [distribution.files for distribution in metadata.distributions(name="fastgd")]
    files = [file for listed in found if any(file.name == "WHEEL" for file in listed) for file in listed]
    if not any(str(file) == "fastgd/__init__.py" for file in files):
        pytest.skip("an editable installation has no files of its own")
    return {str(file): file.locate().read_bytes() for file in files if "__pycache__" not in file.parts}


def test_one_version():
    assert metadata.version("fastgd") == gd.__version__
    assert re.search(rf"^## \[{re.escape(gd.__version__)}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_numpy_is_the_only_requirement():
    requirements = metadata.requires("fastgd")
    assert [line for line in requirements if "extra ==" not in line] == ["numpy>=1.26"]


# What `import fastgd` must not load, because it is an extra or because most programs never need it and it is slow.
EXTRAS = {"matplotlib", "pandas", "polars", "safetensors", "scipy", "sklearn", "tensorboardX", "torch", "tqdm"}
ON_USE = {"argparse", "csv", "difflib", "inspect", "json", "multiprocessing", "platform", "subprocess", "zipfile"}
ON_USE |= {f"fastgd.{name}" for name in ("checkpoint", "cli", "datasets", "modelfile", "plot", "_figures", "_pictures")}


def loaded_by(statement):
    program = f"import sys, {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_loads_what_it_needs():
    """Beyond what NumPy itself loads."""
    loaded = loaded_by("fastgd") - loaded_by("numpy")
    assert {name for name in loaded if name in ON_USE or name.split(".")[0] in EXTRAS} == set()


def test_types_are_shipped(wheel):
    assert {"fastgd/py.typed", "fastgd/engine/_native.pyi"} <= set(wheel)


def test_no_sources_are_shipped(wheel):
    assert [path for path in wheel if path.endswith((".c", ".h", ".pyx"))] == []


def test_tag_says_what_is_inside(wheel):
    [tags] = [content.decode() for path, content in wheel.items() if path.endswith(".dist-info/WHEEL")]
    extensions = [path for path in wheel if path.endswith((".so", ".pyd"))]
    assert len(extensions) == (find_spec("fastgd.engine._native") is not None)
    assert ("Tag: py3-none-any" in tags) == (not extensions)


def test_below_a_megabyte(wheel):
    assert sum(len(zlib.compress(content)) for content in wheel.values()) < 1_000_000
