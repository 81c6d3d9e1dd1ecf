"""The rules of the house (docs/architecture.md), read from the text of the project itself."""

import ast
import re
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

from fastgd import activations, losses, optimizers
from fastgd.layers import noise, stack

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / "fastgd").rglob("*.py"))
CSRC = sorted(path for path in (ROOT / "csrc").rglob("*.[ch]") if "build" not in path.parts)
CORE = [path for path in CSRC if "tests" not in path.parts]

# Rooms (sub-packages and top-level modules) from the lowest up: each imports only from rooms before it.
ROOMS = (
    *("_version", "_common", "parallel", "activations", "initializers", "schedules", "losses", "optimizers"),
    *("layers", "data", "engine", "backend", "models", "metrics", "callbacks", "training", "population"),
    *("plot", "inspection", "tables", "sklearn"),
    *("datasets", "cli", "__init__", "__main__"),
)
# Imports inside a function, on use, that go up: what they need is an extra or rarely asked for; and the engine in use,
# which computes the losses of a custom loop.
LAZY = {("callbacks.history", "plot"), ("training.lr_finder", "plot"), ("losses.base", "backend")}


def relative(path):
    return path.relative_to(ROOT).as_posix()


def module_of(path):
    """fastgd/losses/base.py -> losses.base, fastgd/losses/__init__.py -> losses, fastgd/__init__.py -> __init__."""
    parts = path.relative_to(ROOT / "fastgd").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in PACKAGE}


def imports_of(path):
    """The modules of the package that a file imports, anywhere in it, for type checkers only included."""
    package = ".".join(path.parent.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{home}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "fastgd":
                yield module_named(name.removeprefix("fastgd").removeprefix("."))


def module_named(name):
    """The module that a dotted name lies in: losses.base.Loss -> losses.base."""
    while name not in MODULES and "." in name:
        name = name.rpartition(".")[0]
    return name if name in MODULES else "__init__"


def room_of(module):
    return module.split(".")[0]


def code_of(path):
    """A C file without its comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.DOTALL)


def files_with(pattern, files):
    return {relative(path) for path in files if re.search(pattern, code_of(path))}


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_imports_go_down(path):
    module = module_of(path)
    room = room_of(module)
    assert room in ROOMS, f"{relative(path)} is in no room of {Path(__file__).name}: add {room!r} to ROOMS"
    imported = {other for other in imports_of(path) if room_of(other) != room and (module, room_of(other)) not in LAZY}
    upward = {other for other in imported if ROOMS.index(room_of(other)) > ROOMS.index(room)}
    assert not upward, f"{relative(path)} must not import {sorted(upward)} from a room above it"


def test_imports_form_no_circle():
    graph = {}
    for path in PACKAGE:
        module = module_of(path)
        imported = {other for other in imports_of(path) if (module, room_of(other)) not in LAZY}
        graph[module] = imported - {module}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(
    ("c_table", "definitions"),
    [
        ("ACTIVATIONS", activations.ACTIVATIONS),
        ("LOSSES", [c_name for loss in losses.LOSSES.values() for c_name in loss.c_names or (loss.name,)]),
        ("RULES", optimizers.RULES),
        ("NOISES", noise.NOISES),
        ("INPUT_LAYERS", stack.INPUT_LAYERS),
    ],
)
def test_every_name_has_both_homes(c_table, definitions):
    native = pytest.importorskip("fastgd.engine._native", reason="built without the C engine")
    assert set(getattr(native, c_table)) == set(definitions)


def test_intrinsics_only_in_simd():
    found = files_with(r"\b_mm\d*_|\bv\w+q_[fsu]\d+\b|immintrin\.h|arm_neon\.h", CSRC)
    assert {path for path in found if not path.startswith("csrc/simd/")} == set()


def test_openmp_pragmas_in_one_file_for_threads_and_one_for_vectors():
    threads, vectors = "csrc/engine/team.h", "csrc/simd/headers.h"
    assert files_with(r"\bpragma\s+omp\b|_Pragma\(\"omp", CORE) <= {threads, vectors}


def test_memory_is_allocated_in_one_file():
    assert len(files_with(r"\b(malloc|calloc|realloc|aligned_alloc|posix_memalign|free)\s*\(", CORE)) <= 1


def test_c_core_knows_no_python():
    assert files_with(r"Python\.h|\bPy[A-Z_]\w+", CSRC) == set()


def test_the_core_is_compiled_alone_as_pip_compiles_it():
    """With csrc/flags.txt alone: the bits of the results depend on these flags."""
    assert "-ffp-contract=off" in (ROOT / "csrc" / "flags.txt").read_text()
    for file in (ROOT / "setup.py", ROOT / "csrc" / "Makefile"):
        assert "flags.txt" in file.read_text()
        assert re.findall(r"-std=|-O[23s]|-ffp-contract|-ffast-math", file.read_text()) == []


def longer_than(limit, files):
    lines = {relative(path): len(path.read_text().splitlines()) for path in files}
    return {path: count for path, count in lines.items() if count >= limit}


def test_files_are_short():
    scripts = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    assert longer_than(350, [*PACKAGE, *(ROOT / "fastgd").rglob("*.p[yx][xi]"), *CSRC, *scripts]) == {}


def python_functions(path):
    """(name, lines) of the functions of a Python file; a docstring does not count."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            yield node.name, node.end_lineno - first.lineno + 1


def c_functions(path):
    """(name, lines) of the functions of a C file: their bodies end with the next brace at the start of a line."""
    function = re.compile(r"^\w[^\n;{}#=]*?(\w+)\([^;{}]*?\) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
    for match in function.finditer(path.read_text()):
        yield match[1], match[2].count("\n")


def cython_functions(path):
    """(name, lines) of the functions of a Cython file: as far as they are indented."""
    lines = path.read_text().splitlines()
    for start, line in enumerate(lines):
        match = re.match(r"( *)c?p?def (?!class\b)(?:[\w.*]+ )*\*?(\w+)\(.*", line)
        if match:
            inside = re.compile(rf" {{{len(match[1]) + 1},}}|\s*$")
            end = next((i for i in range(start + 1, len(lines)) if not inside.match(lines[i])), len(lines))
            yield match[2], len("\n".join(lines[start + 1 : end]).rstrip().splitlines())


def test_functions_are_short():
    """Fewer than 40 lines, in each language."""
    cython = [path for suffix in ("pyx", "pxi") for path in (ROOT / "fastgd").rglob(f"*.{suffix}")]
    readers = [(PACKAGE, python_functions), (CSRC, c_functions), (cython, cython_functions)]
    functions = [
        (f"{relative(path)}:{name}", lines)
        for paths, functions_of in readers
        for path in paths
        for name, lines in functions_of(path)
    ]
    assert len(functions) > 1000  # the patterns do find them
    assert {name: lines for name, lines in functions if lines >= 40} == {}


def test_examples_are_shorter():
    assert longer_than(151, (ROOT / "examples").glob("*.py")) == {}


def test_no_file_names_a_folder_of_one_machine():
    texts = {".py", ".pyi", ".pyx", ".c", ".h", ".md", ".toml", ".yaml", ".cff", ".in"}
    folders = ("fastgd", "csrc", "tests", "examples", "benchmarks", "docs")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in texts]
    files += [path for path in ROOT.iterdir() if path.suffix in texts]
    files += [ROOT / ".ci" / "run", ROOT / "csrc" / "Makefile"]
    assert [relative(path) for path in files if re.search(r"(?<![\w.])/(root|work|home)/", path.read_text())] == []
