"""The rules of the house (docs/architecture.md), read from the text of the project itself."""

import ast
import re
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

from fastgd import activations, losses, noise, optimizers

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / "fastgd").rglob("*.py"))
CSRC = sorted(path for path in (ROOT / "csrc").rglob("*.[ch]") if "build" not in path.parts)
CORE = [path for path in CSRC if "tests" not in path.parts]

LEVELS = (  # lowest first
    "_version _checks _definition _interrupt _memory _math _activation _rectifiers _schedule _optimizer _adam _words"
    " averages regime rules plan arrays random threads _loss _regression _classification custom"
    " activations losses optimizers schedules noise initializers layers metrics head modelfile",
    "_numpy _numpy_layers _native",
    "backend",
    "networks model mlp",
    "data weights datasets history callbacks checkpoint _budgets _callback _logs _progress _inside advice augment job"
    " splits steps validation plot _figures _pictures",
    "loop trainer finder fullbatch",
    "cli __init__ __main__",
)
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names.split()}


def relative(path):
    return path.relative_to(ROOT).as_posix()


def module_of(path):
    """The name in LEVEL that a file of the package belongs to: fastgd/datasets/digits.py -> datasets."""
    return path.relative_to(ROOT / "fastgd").with_suffix("").parts[0]


def imports_of(path):
    """The modules of the package that a file imports, anywhere in it; a name that is no module comes from __init__."""
    package = ".".join(path.parent.relative_to(ROOT).parts)
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []  # names in annotations, never imported when it runs
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{home}.{alias.name}" for alias in node.names] if home == "fastgd" else [home]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "fastgd":
                module = f"{name}.".split(".")[1]
                yield module if module in LEVEL else "__init__"


def code_of(path):
    """A C file without its comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.DOTALL)


def files_with(pattern, files):
    return {relative(path) for path in files if re.search(pattern, code_of(path))}


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_imports_go_down_or_sideways(path):
    module = module_of(path)
    assert module in LEVEL, f"{relative(path)} has no place in the house: give it a level in {Path(__file__).name}"
    upward = {name for name in imports_of(path) if LEVEL[name] > LEVEL[module]}
    assert not upward, f"{relative(path)} (level {LEVEL[module]}) must not import {sorted(upward)} from above it"


def test_imports_make_no_circle():
    graph = {}
    for path in PACKAGE:
        graph.setdefault(module_of(path), set()).update(set(imports_of(path)) - {module_of(path)})
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(
    "c_table, definitions",
    [
        ("ACTIVATIONS", activations.ACTIVATIONS),
        ("LOSSES", [kernel for loss in losses.LOSSES.values() for kernel in loss.kernels or (loss.name,)]),
        ("RULES", optimizers.RULES),
        ("NOISES", noise.NOISES),
    ],
)
def test_every_name_has_both_homes(c_table, definitions):
    native = pytest.importorskip("fastgd._native", reason="built without the C engine")
    assert set(getattr(native, c_table)) == set(definitions)


def test_intrinsics_only_in_simd():
    found = files_with(r"\b_mm\d*_|\bv\w+q_[fsu]\d+\b|immintrin\.h|arm_neon\.h", CSRC)
    assert {path for path in found if not path.startswith("csrc/simd/")} == set()


def test_openmp_pragmas_only_in_the_engine():
    assert files_with(r"\bpragma\s+omp\b|_Pragma\(\"omp", CSRC) <= {"csrc/engine.h"}


def test_memory_is_allocated_in_one_file():
    assert len(files_with(r"\b(malloc|calloc|realloc|aligned_alloc|posix_memalign|free)\s*\(", CORE)) <= 1


def test_c_core_knows_no_python():
    assert files_with(r"Python\.h|\bPy[A-Z_]\w+", CSRC) == set()


def test_the_core_is_compiled_alone_as_pip_compiles_it():
    """setup.py and csrc/Makefile must agree on the flags: the bits of the results depend on them."""
    in_setup = re.search(r"^CFLAGS = \[$(.*?)^\]$", (ROOT / "setup.py").read_text(), re.MULTILINE | re.DOTALL)
    in_make = re.search(r"^FLAGS = (.*)$", (ROOT / "csrc" / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r'^ +"(-[^"]+)"', in_setup[1], re.MULTILINE) == in_make[1].split()


def longer_than(limit, files):
    lines = {relative(path): len(path.read_text().splitlines()) for path in files}
    return {path: count for path, count in lines.items() if count >= limit}


def test_files_are_short():
    scripts = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    assert longer_than(350, [*PACKAGE, *(ROOT / "fastgd").glob("*.pyx"), *CSRC, *scripts]) == {}


def test_functions_are_short():
    """Fewer than 40 lines, not counting the docstring."""
    long = {}
    for path in PACKAGE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                lines = node.end_lineno - first.lineno + 1
                if lines >= 40:
                    long[f"{relative(path)}:{node.name}"] = lines
    assert long == {}


def test_examples_are_shorter():
    assert longer_than(80, (ROOT / "examples").glob("*.py")) == {}


def test_no_file_names_a_folder_of_one_machine():
    texts = {".py", ".pyi", ".pyx", ".c", ".h", ".md", ".toml", ".yaml", ".cff", ".in"}
    folders = ("fastgd", "csrc", "tests", "examples", "benchmarks", "docs")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in texts]
    files += [path for path in ROOT.iterdir() if path.suffix in texts]
    files += [ROOT / ".ci" / "run", ROOT / "csrc" / "Makefile"]
    assert [relative(path) for path in files if re.search(r"(?<![\w.])/(root|work|home)/", path.read_text())] == []
