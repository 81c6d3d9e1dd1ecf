"""Builds the C engine `fastgd.engine._native`; pyproject.toml describes the rest of the package.

FASTGD_PURE=1                      no extension: a py3-none-any wheel that runs on the NumPy engine
FASTGD_OPENMP=0                    a single-threaded engine, even if the compiler supports OpenMP
FASTGD_SANITIZE=address,undefined  a debug build with these sanitizers of the compiler
"""

import os
import platform
import sys
import sysconfig
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError, PlatformError

PURE = os.environ.get("FASTGD_PURE", "0") != "0"
OPENMP = os.environ.get("FASTGD_OPENMP", "1") != "0"
SANITIZE = os.environ.get("FASTGD_SANITIZE", "")
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")  # one wheel for CPython >= 3.11, unless it is free-threaded

CFLAGS = [flag for line in Path("csrc/flags.txt").read_text().splitlines() for flag in line.partition("#")[0].split()]

# If the compiler knows them: without these GCC makes the code larger or less regular, and the compressed wheel 40 kB
# larger, for no gain: training steps of all sizes take the same time within 2 % (Intel Emerald Rapids).
X86_FLAGS = [
    "-fno-schedule-insns2",  # its last reordering of instructions, which an out-of-order CPU repeats anyway
    "-fno-inline-functions",  # those not declared inline
    "-fno-ivopts",  # the sources step their own pointers
    "-fno-align-loops",
    "-fno-align-jumps",
    "-fno-align-labels",
]

# If the linker knows them: the engines have the same functions.  Sorted by name, those of all engines lie within the
# 32 kB that deflate looks back, which makes the compressed wheel 60 kB smaller.
SECTIONS, SORTED = ["-ffunction-sections"], ["-Wl,--sort-section=name"]

WAYS_OUT = """{problem}

fastgd compiles its C engine during installation. There are two ways out:
  1. {remedy}, then install again;
  2. install without the C engine (slower, same results to rounding error):  FASTGD_PURE=1 pip install .
"""
NO_COMPILER = WAYS_OUT.format(
    problem="No working C compiler: '{compiler}' cannot compile and link an empty C file.",
    remedy="install GCC or clang (Debian, Ubuntu: apt install gcc; macOS: xcode-select --install) or set CC to one",
)
NO_HEADERS = WAYS_OUT.format(
    problem="The C compiler '{compiler}' works, but Python's C headers (Python.h) are missing.",
    remedy="install them (Debian, Ubuntu: apt install python3-dev; Fedora: dnf install python3-devel)",
)


class BuildExt(build_ext):
    """Tests the compiler first, so that the error message can name what is missing."""

    def build_extensions(self):
        compiler = getattr(self.compiler, "compiler", [self.compiler.compiler_type])[0]
        if self.compiler.compiler_type == "msvc" or not self.can_build("int probe;"):
            raise PlatformError(NO_COMPILER.format(compiler=compiler))
        if not self.can_build("#include <Python.h>"):
            raise PlatformError(NO_HEADERS.format(compiler=compiler))
        flags = list(CFLAGS)
        if platform.machine() in ("x86_64", "AMD64") and self.can_build("int probe;", "-Werror", *X86_FLAGS):
            flags += X86_FLAGS
        if SANITIZE:
            flags += [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O1", "-g"]
        if OPENMP and self.can_build("#include <omp.h>\nint probe(void) { return omp_get_max_threads(); }", "-fopenmp"):
            flags += ["-fopenmp"]
        elif OPENMP:
            self.warn(f"'{compiler}' does not support OpenMP: the C engine will use one thread")
        link_flags = []
        if sys.platform == "linux" and not SANITIZE:
            link_flags += ["-Wl,-s"]  # without the names of static functions, which only a debugger reads
        if not SANITIZE and self.can_build("int probe;", *SECTIONS, *SORTED):
            flags += SECTIONS
            link_flags += SORTED
        [extension] = self.extensions
        extension.extra_compile_args = flags
        extension.extra_link_args = flags + link_flags
        super().build_extensions()

    def can_build(self, program, *flags):
        with TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(program + "\n")
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=list(flags))
                self.compiler.link_shared_object(objects, str(source.with_suffix(".so")), extra_postargs=list(flags))
            except (CompileError, LinkError):
                return False
        return True

    def run(self):
        super().run()
        self.copy_extensions_to_source()  # `python -m fastgd` imports this folder, not the installed package


native = Extension(
    "fastgd.engine._native",
    sources=["fastgd/engine/_native.pyx", "csrc/dispatch.c", "csrc/threads.c", *sorted(glob("csrc/isa/*.c"))],
    depends=[
        "csrc/flags.txt",
        "fastgd/engine/_native.pxd",
        *glob("fastgd/engine/*.pxi"),
        *glob("csrc/**/*.h", recursive=True),
    ],
    include_dirs=["csrc"],
    libraries=["m"],
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if ABI3 else [],
    py_limited_api=ABI3,
)
setup(
    ext_modules=[] if PURE else [native],
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 and not PURE else {},
)
