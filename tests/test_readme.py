"""The code in README.md and docs/ runs as printed, and .ci/run runs the commands as printed."""

import re

import pytest
from pages import ROOT, blocks, session_of

import fastgd as gd


def test_code_runs_as_printed(tmp_path, monkeypatch):
    pytest.importorskip("safetensors")
    monkeypatch.chdir(tmp_path)
    session = session_of("README.md")
    assert session["history"]["validation_accuracy"][-1] > 0.95
    assert (tmp_path / "digits.safetensors").exists()


def test_the_page_on_data_runs_as_printed(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    session = session_of("docs/data.md")
    assert session["history"]["validation_accuracy"][-1] > 0.9
    assert session["trainer"].history["loss"][-1] < 0.3
    assert session["regression"].history["loss"][-1] < 0.2


def test_the_page_on_precision_runs_as_printed(capsys):
    session = session_of("docs/precision.md")
    assert session["trainer"].history["validation_accuracy"][-1] > 0.95
    assert "precision  bf16" in capsys.readouterr().out


def test_the_tour_of_training_runs_as_printed(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    session = session_of("docs/training.md")
    assert session["uninterrupted"].history["loss"] == session["run"].history["loss"]
    assert (tmp_path / "run.csv").exists()


def test_the_page_of_custom_loops_runs_as_printed():
    session = session_of("docs/loops.md")
    assert session["losses"][-1] < session["losses"][0]
    assert (session["D"].theta != gd.MLP(64, 32, 1, seed=2).theta).any()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # its trainings are short
def test_the_page_on_scikit_learn_runs_as_printed(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    session = session_of("docs/scikit-learn.md")
    assert session["classifier"].score(session["X_test"], session["y_test"]) > 0.95
    assert (gd.load("digits.npz").predict(session["X_test"]) == session["classifier"].predict(session["X_test"])).all()


def test_the_page_on_inspection_runs_as_printed():
    session = session_of("docs/inspection.md")
    assert session["importances"].importances_mean.argsort().tolist() == [2, 1, 0]
    assert abs(session["dependence"].grid_values[0][session["dependence"].average[0].argmax()] - 60) < 12
    attributions = session["attributions"]
    assert attributions.baseline_outputs[0] + attributions.attributions[0].sum() == pytest.approx(
        session["trainer"].model.predict(session["X_test"])[0], rel=0.01
    )


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))], ids=lambda path: path.name
)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_gallery_names_every_example():
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "examples").glob("*.py") if f"(../examples/{path.name})" not in page] == []


def test_ci_runs_the_commands_as_printed():
    commands = [line for block in blocks("README.md", "sh") for line in block.splitlines() if "&&" in line]
    script = (ROOT / ".ci" / "run").read_text()
    assert len(commands) == 2
    assert [command for command in commands if command not in script] == []
