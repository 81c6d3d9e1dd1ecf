"""The site is complete: its reference has every public name, its menus every page, its tables every extra."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import fastgd as gd

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
REFERENCE = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md")}
PUBLIC_MODULES = [name for name in gd.__all__ if type(getattr(gd, name)) is type(gd)]


def summaries():
    """The names in the tables of the reference, each with its module."""
    pattern = re.compile(r"currentmodule:: (\S+)\n\.\. autosummary::\n(?:   :.*\n)+\n((?:   \w+\n)+)")
    for text in REFERENCE.values():
        for module, names in pattern.findall(text):
            yield from (f"{module}.{name}" for name in names.split())


def test_the_reference_has_names_that_exist():
    names = list(summaries())
    assert sorted(names) == sorted(set(names))
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name


def test_the_reference_has_every_name_of_the_package():
    """Modules are those whose names follow."""
    public = {f"fastgd.{name}" for name in gd.__all__ if name not in PUBLIC_MODULES and name != "__version__"}
    assert public - set(summaries()) == set()


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_the_reference_has_every_name_of_a_module(module):
    """In a table, or, if it is no class or function, in the text."""
    if module == "sklearn":
        pytest.importorskip("sklearn")
    names, listed, text = getattr(gd, module).__all__, set(summaries()), "\n".join(REFERENCE.values())
    missing = [name for name in names if not {f"fastgd.{name}", f"fastgd.{module}.{name}"} & listed]
    assert [name for name in missing if f"`{name}`" not in text] == []


def test_the_reference_has_every_command():
    commands = [path.stem for path in (ROOT / "fastgd" / "cli").glob("*.py") if "\ndef add_parser" in path.read_text()]
    assert commands
    assert sorted(re.findall(r"```\{command-help\} (\w+)", REFERENCE["command-line"])) == sorted(commands)


def entries(page):
    """The pages in the menus of a page."""
    for block in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            if line and not line.startswith(":"):
                yield from (found.resolve() for found in page.parent.glob(f"{line}.md"))


def test_every_page_is_in_a_menu():
    """Sphinx warns of this too, where it is installed."""
    pages = {page.resolve() for page in DOCS.rglob("*.md")}
    assert pages - {page for menu in pages for page in entries(menu)} == {DOCS / "index.md"}


def test_the_page_on_installation_has_every_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (DOCS / "install.md").read_text(encoding="utf-8")
    table = page[page.index("| extra |") : page.index("takes several")]
    assert set(project["optional-dependencies"]) - set(re.findall(r"`(\w+)`", table)) == set()


def test_the_page_on_installation_has_every_python():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    page = (DOCS / "install.md").read_text(encoding="utf-8")
    assert pythons
    assert [version for version in pythons if version not in page] == []


def test_no_picture_is_heavy():
    """A repository keeps every version of each; those of docs/performance change with its results alone."""
    pictures = [
        path for path in DOCS.rglob("*.*g") if path.suffix in (".png", ".svg") and "performance" not in path.parts
    ]
    assert [path.name for path in pictures if path.stat().st_size > 200_000] == []


def test_the_gallery_has_a_picture_of_every_example():
    """`python docs/gallery_pictures.py` draws them."""
    pictures = {path.name for path in (DOCS / "gallery").iterdir()}
    shown = set(re.findall(r"!\[[^\]]+\]\(gallery/(.+?)\)", (DOCS / "gallery.md").read_text(encoding="utf-8")))
    assert {f"{path.stem}.png" for path in (ROOT / "examples").glob("*.py")} - shown == set()
    assert shown - pictures == set()
    assert pictures - shown == {"overfitting-bias.png", "overfitting-optimization.png"}  # on the page overfitting.md


def test_the_pictures_of_the_gallery_are_small():
    assert sum(path.stat().st_size for path in (DOCS / "gallery").iterdir()) < 1_500_000
