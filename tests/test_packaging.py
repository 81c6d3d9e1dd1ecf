"""What an installed fastgd consists of, and what importing it costs."""

import ast
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from importlib.util import find_spec
from io import BytesIO
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
    contents = {str(file): file.locate().read_bytes() for file in files if "__pycache__" not in file.parts}
    [record] = [path for path in contents if path.endswith(".dist-info/RECORD")]  # which pip extends
    lines = contents[record].splitlines(keepends=True)
    return contents | {record: b"".join(line for line in lines if b"__pycache__" not in line)}


def test_one_version():
    assert metadata.version("fastgd") == gd.__version__
    assert re.search(rf"^## \[{re.escape(gd.__version__)}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_numpy_is_the_only_requirement():
    requirements = metadata.requires("fastgd")
    assert [line for line in requirements if "extra ==" not in line] == ["numpy>=1.26"]


# What a program that trains must not load: extras, and modules that few programs need.
EXTRAS = {"matplotlib", "pandas", "polars", "safetensors", "scipy", "sklearn", "tensorboardX", "torch", "tqdm"}
ON_USE = {"argparse", "csv", "difflib", "inspect", "json", "multiprocessing", "platform", "subprocess", "zipfile"}
ON_USE |= {"numpy.ma", "pathlib", "shutil"}
ON_USE |= {f"fastgd.{name}" for name in ("cli", "datasets", "models.files", "plot", "sklearn", "tables")}
ON_USE |= {"fastgd.callbacks.dashboard_server"}
ON_USE |= {f"fastgd.training.{name}" for name in ("checkpoint", "lbfgs", "lr_finder")}


def loaded_by(program):
    command = [sys.executable, "-P", "-c", f"{program}; import sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_import_loads_no_other_module():
    """All the rest, NumPy included, loads on first use."""
    packages = ("fastgd", "numpy")
    assert {name for name in loaded_by("import fastgd") if name.startswith(packages)} == {"fastgd", "fastgd._version"}


def test_training_loads_what_it_needs():
    """Beyond what NumPy itself loads."""
    program = """import fastgd as gd, numpy as np; X = np.arange(8.0).reshape(4, 2)
trainer = gd.Trainer(gd.MLP(2, 1), loss="mse"); trainer.fit(X, X[:, 0], epochs=2, validation=0.25, verbose=0)"""
    loaded = loaded_by(program) - loaded_by("import numpy")
    assert "fastgd.training.trainer" in loaded
    assert {name for name in loaded if name in ON_USE or name.split(".")[0] in EXTRAS} == set()


def test_every_public_name_is_typed():
    """__init__.py loads on first use what __init__.pyi declares."""
    stub = ast.parse(Path(gd.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    [names] = [node.value for node in stub.body if isinstance(node, ast.Assign)]
    assert sorted(ast.literal_eval(names)) == gd.__all__ == dir(gd)
    assert [name for name in gd.__all__ if not hasattr(gd, name)] == []


def test_types_are_shipped(wheel):
    assert {"fastgd/py.typed", "fastgd/__init__.pyi", "fastgd/engine/_native.pyi"} <= set(wheel)


def test_no_sources_are_shipped(wheel):
    assert [path for path in wheel if path.endswith((".c", ".h", ".pyx"))] == []


def test_tag_says_what_is_inside(wheel):
    [tags] = [content.decode() for path, content in wheel.items() if path.endswith(".dist-info/WHEEL")]
    extensions = [path for path in wheel if path.endswith((".so", ".pyd"))]
    assert len(extensions) == (find_spec("fastgd.engine._native") is not None)
    assert ("Tag: py3-none-any" in tags) == (not extensions)


def test_the_wheel_is_small(wheel):
    """Its file: the compressed contents, and what the archive says of each."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in wheel.items():
            archive.writestr(path, content)
    assert len(file.getvalue()) < 1_000_000


@pytest.mark.parametrize(("old", "new"), vars(gd)["_RENAMED"].items())
def test_a_renamed_name_works_and_warns_each_time(old, new):
    for _ in range(2):
        with pytest.warns(DeprecationWarning, match=f"fastgd.{old} is deprecated: use fastgd.{new}"):
            value = getattr(gd, old)
        assert value.__name__.rpartition(".")[2] == new.rpartition(".")[2]
