"""The code on the pages of docs/ runs when it is pasted: each block alone, or in turn where the page says so."""

import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pages import ROOT, blocks, session_of, text_of

from fastgd import backend
from fastgd.cli import main
from fastgd.cli.main import _parser

DOCS = ROOT / "docs"
IN_TURN = ("Run the blocks of this page in order", "本页的代码块前后相接")
NEEDS = {"docs/how-to/searches.md": "sklearn", "docs/many-machines.md": "mpi4py.MPI"}


def run(page):
    """The names that the last block, or the whole page, defines."""
    return session_of(page, in_turn=any(words in text_of(page) for words in IN_TURN))


def pages(*names):
    return {f"docs/{name}.md" for name in names}


PAGES = [path.relative_to(ROOT).as_posix() for path in sorted(DOCS.rglob("*.md"))]
# With what they state: in tests of their own.
ELSEWHERE = pages("precision", "training", "loops", "scikit-learn", "inspection", "layers", "tables", "data")
ELSEWHERE |= pages("many-models", "first-hour", "zh/first-hour", "command-line")  # the last three below


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page) and page not in ELSEWHERE])
@pytest.mark.filterwarnings("ignore::fastgd.training.diagnostics.AdviceWarning")  # that more epochs would help
@pytest.mark.filterwarnings("ignore::UserWarning:sklearn")  # its ConvergenceWarning
def test_code_runs_as_pasted(page, tmp_path, monkeypatch):
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
    monkeypatch.chdir(tmp_path)
    run(page)


@pytest.mark.parametrize("page", sorted(ELSEWHERE))
def test_sessions_are_said_to_be_sessions(page):
    assert len(blocks(page)) == 1 or any(words in text_of(page) for words in IN_TURN)


def commands(page):
    """The arguments of each `fastgd ...` on a page."""
    for block in blocks(page, "(?:sh)?"):
        for line in block.splitlines():
            if line.startswith("fastgd ") and "COMMAND" not in line:
                yield shlex.split(line.split(" > ")[0], comments=True)[1:]


@pytest.mark.parametrize("page", [page for page in PAGES if list(commands(page))])
def test_commands_have_options_that_exist(page):
    for arguments in commands(page):
        _parser().parse_args(arguments)


@pytest.mark.parametrize("page", sorted(pages("first-hour", "zh/first-hour")))
def test_the_first_hour(page, tmp_path, monkeypatch, capsys):
    """Code and commands, as a reader would run them."""
    pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    names = run(page)
    assert names["trainer"].history["validation_accuracy"][-1] > 0.96
    assert names["houses"].history["validation_r2"][-1] > 0.9
    for arguments in commands(page):
        assert main(arguments) in (0, None)
    written = {path.name for path in tmp_path.iterdir()}
    assert written >= {"curve.png", "digits.npz", "fastgd-model.npz", "fastgd-curve.png"}


def test_the_commands_at_the_top_of_their_page(tmp_path, monkeypatch, capsys):
    """On a table like that of the diamonds, and then the code on the model that they write."""
    pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    carat, clarity = rng.uniform(0.2, 3, 600), rng.choice(["SI1", "VS2", "IF"], 600)
    price = 4000 * carat + 500 * (clarity == "IF") + rng.normal(0, 100, 600)
    rows = [f"{c:.2f},{k},{p:.0f}" for c, k, p in zip(carat, clarity, price, strict=True)]
    for name, part in {"diamonds": rows[:400], "test": rows[400:500], "new": rows[500:]}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(["carat,clarity,price", *part]))
    for arguments in [arguments for arguments in commands("docs/command-line.md") if "a.csv" not in arguments]:
        assert main(arguments) in (0, None)
    prices = run("docs/command-line.md")["prices"]
    assert np.corrcoef(prices, price[500:])[0, 1] > 0.9


CHAPTERS = sorted(path.stem for path in (DOCS / "tutorial").glob("*.py") if path.stem != "style")


def script_of(chapter):
    return DOCS / "tutorial" / f"{chapter}.py"


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """Futures of the folders in which the scripts of the chapters have drawn, two at a time, each on one thread."""
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def draw(chapter):
        folder = tmp_path_factory.mktemp(chapter)
        command = [sys.executable, script_of(chapter), folder]
        subprocess.run(command, env=environment, capture_output=True, check=True, timeout=120)
        return folder

    with ThreadPoolExecutor(2) as pool:
        yield {chapter: pool.submit(draw, chapter) for chapter in CHAPTERS}
        pool.shutdown(cancel_futures=True)


@pytest.mark.skipif(backend.choose().backend == "numpy", reason="it takes minutes on the NumPy engine")
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_code_of_a_chapter_draws_its_pictures(chapter, drawings):
    """In both languages, a page shows each part of its script and each picture that the script draws."""
    script, drawn = script_of(chapter), {path.name for path in drawings[chapter].result().iterdir()}
    parts = re.findall(r"^# \[(?!end)(\w+)\]$", script.read_text(encoding="utf-8"), re.MULTILINE)
    for folder in ("tutorial", "zh/tutorial"):
        page = text_of(f"docs/{folder}/{chapter.replace('_', '-')}.md")
        assert set(re.findall(r"\(.*?([\w-]+\.svg)\)", page)) == drawn
        assert re.findall(r'start-after: "# \[(\w+)\]"', page) == parts
        assert set(re.findall(r"\{literalinclude\} (?:\.\./)*(?:tutorial/)?(\S+)", page)) == {script.name}
