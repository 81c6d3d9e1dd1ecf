"""Which CPU this is: its name, and the folder of its results.

Virtual machines often hide the product ("Intel(R) Xeon(R) Processor", "AMD EPYC"), but not family and model, which
determine the microarchitecture, and with it how fast a kernel runs.
"""

import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD", "0x41": "Arm"}

# Models by vendor and family: of Intel and AMD as in Linux (arch/x86/include/asm/intel-family.h,
# arch/x86/kernel/cpu/amd.c); of Arm its part numbers (arch/arm64/include/asm/cputype.h) under "family" 8.
Models = dict[str, tuple[int | range, ...]]
MODELS: dict[tuple[str, int], Models] = {
    ("Intel", 6): {
        "Haswell": (0x3C, 0x3F, 0x45, 0x46),
        "Broadwell": (0x3D, 0x47, 0x4F, 0x56),
        "Skylake": (0x4E, 0x5E),
        "Skylake-X": (0x55,),  # Cascade Lake and Cooper Lake, too
        "Ice Lake": (0x6A, 0x6C, 0x7D, 0x7E),
        "Tiger Lake": (0x8C, 0x8D),
        "Sapphire Rapids": (0x8F,),
        "Emerald Rapids": (0xCF,),
        "Granite Rapids": (0xAD, 0xAE),
        "Sierra Forest": (0xAF,),
        "Alder Lake": (0x97, 0x9A),
        "Raptor Lake": (0xB7, 0xBA, 0xBF),
        "Meteor Lake": (0xAA, 0xAC),
        "Arrow Lake": (0xB5, 0xC5, 0xC6),
        "Lunar Lake": (0xBD,),
    },
    ("AMD", 0x17): {
        "Zen": (range(0x30), range(0x50, 0x60)),
        "Zen 2": (range(0x30, 0x50), range(0x60, 0x80), range(0x90, 0x92), range(0xA0, 0xB0)),
    },
    ("AMD", 0x19): {
        "Zen 3": (range(0x10), range(0x20, 0x60)),
        "Zen 4": (range(0x10, 0x20), range(0x60, 0xB0)),
    },
    ("AMD", 0x1A): {
        "Zen 5": (range(0x30), range(0x40, 0x50), range(0x60, 0x80), range(0xD0, 0xD8)),
        "Zen 6": (range(0x50, 0x60), range(0x80, 0xB0), range(0xC0, 0xD0)),
    },
    ("Arm", 8): {
        "Neoverse N1": (0xD0C,),
        "Neoverse N2": (0xD49,),
        "Neoverse N3": (0xD8E,),
        "Neoverse V1": (0xD40,),
        "Neoverse V2": (0xD4F,),
    },
}


@dataclass(frozen=True)
class Cpu:
    """A kind of CPU.

    Attributes
    ----------
    vendor : str
        "Intel", "AMD", "Arm", or the vendor's own identifier; "" if unknown.
    family, model : int
        As CPUID reports them; -1 if unknown. On Arm, the architecture and the part number.
    brand : str
        The name that the system gives it.
    """

    vendor: str
    family: int
    model: int
    brand: str

    @property
    def name(self) -> str:
        """Vendor and microarchitecture if they are known, else family and model, else the brand."""
        for name, models in MODELS.get((self.vendor, self.family), {}).items():
            if any(self.model in one if isinstance(one, range) else self.model == one for one in models):
                return f"{self.vendor} {name}"
        if self.vendor and self.family >= 0:
            return f"{self.vendor} family {self.family} model {self.model}"
        return self.brand

    @property
    def slug(self) -> str:
        """The name as the name of a folder: intel-emerald-rapids."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-") or "unknown"

    @property
    def facts(self) -> dict[str, Any]:
        return {"cpu": self.name, **asdict(self)}


def this_cpu() -> Cpu:
    """The CPU of this machine."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        return parse(info.read_text())
    return Cpu("", -1, -1, _brand() or platform.processor() or platform.machine())


def parse(text: str) -> Cpu:
    """The first CPU in the text of /proc/cpuinfo."""
    lines = [line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line]
    found = {key.strip(): value.strip() for key, value in lines}
    vendor = found.get("vendor_id") or found.get("CPU implementer", "")
    family, model = (
        found.get("cpu family") or found.get("CPU architecture"),
        found.get("model") or found.get("CPU part"),
    )
    brand = found.get("model name", platform.machine())
    return Cpu(VENDORS.get(vendor, vendor), _number(family), _number(model), brand)


def _number(text: str | None) -> int:
    return int(text, 0) if text else -1


def _brand() -> str:
    """The brand on macOS: Apple M2."""
    try:
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def caches() -> dict[str, int]:
    """Bytes of the data caches of one CPU, as Linux reports them: {"L1": 49152, "L2": ..., ...}."""
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            sizes[f"L{level}"] = int(size.removesuffix("K")) << 10
    return sizes
