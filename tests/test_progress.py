"""The display of progress: whatever standard error is, a training is not disturbed; what it looks like where."""

import io
import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from training import make, problem

import fastgd as gd
from fastgd.callbacks import Progress, progress

WITHOUT_TQDM = "import sys; sys.modules['tqdm'] = sys.modules['tqdm.auto'] = None"


def shown_fit(trainer=None, epochs=4, **options):
    X, y, _ = problem()
    trainer = trainer or make()
    trainer.fit(X, y, epochs=epochs, callbacks=[Progress()], verbose=0, **options)
    return trainer


@pytest.fixture(autouse=True)
def _no_bars_are_left():
    """Bars whose stream failed would take up lines in the tests after them."""
    yield
    if "tqdm.std" in sys.modules:
        sys.modules["tqdm.std"].tqdm._instances.clear()


class Raising(io.StringIO):
    """A stream of which one method raises."""

    def __init__(self, method, error, terminal):
        super().__init__()
        self._terminal = terminal

        def fail(*arguments):
            raise error

        setattr(self, method, fail)

    def isatty(self):
        return self._terminal


class Ascii(io.TextIOWrapper):
    def __init__(self, terminal):
        self.written = io.BytesIO()
        super().__init__(self.written, encoding="ascii", errors="strict")
        self._terminal = terminal

    def isatty(self):
        return self._terminal


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {
    "None": lambda terminal: None,
    "closed": lambda terminal: closed(),
    "object": lambda terminal: object(),
    "write only": lambda terminal: SimpleNamespace(write=lambda text: len(text)),
    "no flush": lambda terminal: SimpleNamespace(write=lambda text: len(text), isatty=lambda: terminal),
    "bad encoding": lambda terminal: SimpleNamespace(
        write=len, flush=int, isatty=lambda: terminal, encoding="no such encoding"
    ),
    "ascii": Ascii,
    **{
        f"{method} {type(error).__name__}": lambda terminal, method=method, error=error: Raising(
            method, error, terminal
        )
        for method in ("write", "flush", "isatty", "fileno")
        for error in (BrokenPipeError(32, "Broken pipe"), ValueError("closed"), OSError(5, "I/O"), RuntimeError("odd"))
    },
}


@pytest.mark.parametrize("tqdm", [True, False])
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("name", STREAMS)
def test_printing_never_fails_a_training(monkeypatch, name, terminal, tqdm):
    if tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    plain = make()
    plain.fit(*problem()[:2], epochs=4, validation=0.2, verbose=0)
    monkeypatch.setattr(Progress, "_SECONDS", 0)
    monkeypatch.setattr(sys, "stderr", STREAMS[name](terminal))
    trainer = shown_fit(validation=0.2)
    trainer.fit(*problem()[:2], epochs=2, validation=0.2, callbacks=[gd.EarlyStopping("lr", 1, mode="min")])
    monkeypatch.undo()
    assert trainer.epoch == 6
    np.testing.assert_array_equal(trainer.history["loss"][:4], plain.history["loss"])


WARNED = """
import io, sys
from types import SimpleNamespace
import fastgd as gd
X, y = [[i, i * i % 7] for i in range(50)], [i % 2 for i in range(50)]
def fail(text):
    raise BrokenPipeError(32, "Broken pipe")
closed = io.StringIO()
closed.close()
for stream in (None, closed, object(), SimpleNamespace(write=fail), SimpleNamespace(write=len)):
    sys.stderr = stream
    trainer = gd.Trainer(gd.MLP(2, 2, seed=0), loss="cross_entropy", batch_size=50)
    trainer.fit(X, y, epochs=1, validation=(X, y))
    print(trainer.epoch)
"""


def test_a_warning_never_fails_a_training_either():
    """Validation rows that are training rows are warned of."""
    command = [sys.executable, "-W", "always", "-c", WARNED]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (run.stdout, run.stderr) == ("1\n" * 5, "")


def test_characters_that_the_encoding_lacks_are_escaped(monkeypatch):
    stream = Ascii(terminal=False)
    monkeypatch.setattr(sys, "stderr", stream)
    trainer = make(metrics=[gd.metrics.Metric("größe", lambda y, p: 1.0)])
    shown_fit(trainer, 2, validation=0.2)
    assert b"validation_gr\\xf6\\xdfe 1" in stream.written.getvalue()


BROKEN_PIPE = """
import sys, time
import fastgd as gd
X, y = gd.datasets.digits()
trainer = gd.Trainer(gd.MLP(64, 10, seed=0), loss="cross_entropy", batch_size=64)
sys.stdin.readline()
trainer.fit(X / 16, y, epochs=20)
print(trainer.epoch)
"""


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_reader_that_has_gone():
    child = subprocess.Popen(
        [sys.executable, "-c", BROKEN_PIPE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    child.stderr.close()
    child.stdin.write(b"\n")
    child.stdin.flush()
    assert child.stdout.read() == b"20\n"
    child.stdin.close()
    child.stdout.close()
    child.wait(timeout=60)


ON_A_TERMINAL = """
import sys
import fastgd as gd
from fastgd.callbacks import Progress
Progress._SECONDS = 0
sys.stdin.readline()
X, y = gd.datasets.digits()
trainer = gd.Trainer(gd.MLP(64, 10, seed=0), loss="cross_entropy", metrics=["accuracy", "balanced_accuracy"])
trainer.fit(X / 16, y, epochs=20, validation=0.2)
"""


def written_on_a_terminal(script, columns):
    """What the script writes to a terminal of that width; it waits for a line of input first."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, b"\x18\x00" + columns.to_bytes(2, "little") + bytes(4))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    child = subprocess.Popen([sys.executable, "-c", script], stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    os.write(master, b"\n")
    text = b""
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline and (part := os.read(master, 65536)):
            text += part
    except OSError:  # the terminal has no writer any more
        pass
    finally:
        child.kill()
        child.wait()
        os.close(master)
    return text.decode()


@pytest.mark.skipif(sys.platform != "linux", reason="pseudo-terminals of Linux")
@pytest.mark.parametrize(("columns", "tqdm"), [(200, True), (200, False), (80, False), (40, True), (20, False)])
def test_a_line_fits_the_width_of_the_terminal(columns, tqdm):
    if tqdm:
        pytest.importorskip("tqdm")
    text = written_on_a_terminal(("" if tqdm else WITHOUT_TQDM) + ON_A_TERMINAL, columns)
    lines = [line for line in text.replace("\n", "\r").split("\r") if re.search(r"epoch \d+/\d+", line)]
    assert len(lines) > 2
    assert max(map(len, lines)) < columns
    assert "epoch 20/20" in lines[-1]
    parts = ["loss ", "validation_loss ", "validation_accuracy ", "validation_balanced_accuracy ", " rows/s"]
    room = {200: 5, 80: 3, 40: 1, 20: 0}[columns]
    assert [part in lines[-1] for part in parts] == [True] * room + [False] * (5 - room)
    assert ("100%|" in lines[-1]) == (tqdm and columns == 200)


def test_parts_are_dropped_from_the_end():
    parts = ["epoch 1/2", "loss 0.5", "rows"]
    assert [progress._fit(parts, width) for width in (30, 25, 24, 19, 18, 9, 4)] == [
        *["epoch 1/2  loss 0.5  rows"] * 2,
        *["epoch 1/2  loss 0.5"] * 2,
        *["epoch 1/2"] * 2,
        "epoc",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (61, "1:01"), (3599, "59:59"), (3723, "1:02:03"), (-1, "0:00")]
)
def test_durations(seconds, text):
    assert progress._duration(seconds) == text


def test_something_is_visible_during_a_long_epoch(monkeypatch, capsys):
    """On a terminal before the first epoch ends, in a file every 30 seconds (here: at once)."""
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    step = gd.callbacks.EveryStep(lambda trainer: None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(Progress, "_SECONDS", 0)
    X, y, _ = problem()
    make().fit(X, y, epochs=2, callbacks=[step])
    shown = [text.strip() for text in capsys.readouterr().err.split("\r") if text]
    assert [text.split("  ")[0] for text in shown] == [
        "epoch 0/2",
        *[f"epoch {epoch}/2 {percent}%" for epoch in (1,) for percent in (32, 64, 96)],
        "epoch 1/2",
        *[f"epoch {epoch}/2 {percent}%" for epoch in (2,) for percent in (32, 64, 96)],
        *["epoch 2/2"] * 2,
    ]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    monkeypatch.setattr(Progress, "_LOG_SECONDS", 0)
    make().fit(X, y, epochs=1, callbacks=[step])
    assert [line.split("  ")[0] for line in capsys.readouterr().err.splitlines()] == [
        *[f"epoch 1/1 {percent}%" for percent in (32, 64, 96)],
        "epoch 1/1",
    ]


class ZMQInteractiveShell:
    """The class of the shell in a Jupyter kernel."""


def in_a_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))
    monkeypatch.setattr(Progress, "_SECONDS", 0)


def test_a_notebook_shows_a_widget_of_tqdm(monkeypatch, capsys):
    in_a_notebook(monkeypatch)
    bars = []

    class Bar:
        def __init__(self, **options):
            self.total, self.n, self.texts, self.is_closed = options["total"], 0, [], False
            assert "{bar}" in options["bar_format"]
            bars.append(self)

        def set_description_str(self, text):
            self.texts.append(text)

        def close(self):
            self.is_closed = True

    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "tqdm.auto", SimpleNamespace(tqdm=Bar))
    trainer = shown_fit(epochs=3, validation=0.2)
    [bar] = bars
    assert (bar.n, bar.total, bar.is_closed) == (120, 120, True)
    assert "validation_accuracy" in bar.texts[-1]
    assert "rows/s" in bar.texts[-1]
    stopping = gd.EarlyStopping("lr", 1, mode="min")
    trainer.fit(*problem()[:2], epochs=9, validation=0.2, callbacks=[stopping])
    assert bars[1].n == bars[1].total == 80  # not shown as a failure
    assert capsys.readouterr().err == "stopped after epoch 5: lr was best in epoch 4, 1 epoch ago\n"
    assert ["left" in bars[1].texts[i] for i in (-2, -1)] == [True, False]


def test_a_notebook_without_tqdm_shows_a_line(monkeypatch, capsys):
    in_a_notebook(monkeypatch)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    shown_fit(epochs=3)
    text = capsys.readouterr().err
    assert text.count("\r") >= 3
    assert text.count("\n") == 1
    assert "\x1b" not in text


PICTURES = """
import sys
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.enable_gui = lambda *arguments: None
shell = InteractiveShell.instance()
shell.run_cell("%matplotlib inline")
shell.run_cell("import fastgd as gd; h = gd.History(); h.extend({'epoch': [1, 2], 'loss': [1.0, 0.5]})")
format, shown = shell.display_formatter.format, []
def record(obj, *arguments, **options):
    formats = format(obj, *arguments, **options)
    shown.append("image/png" in formats[0])
    return formats
shell.display_formatter.format = record
for cell in ("h.plot()", "figure = h.plot()", "h.plot();", "figure", "display(h.plot())", "h.plot(); 2", "2"):
    shown.clear()
    shell.run_cell(cell)
    sys.stderr.write(str(sum(shown)))
"""


def test_a_notebook_shows_a_plot_once():
    for name in ("IPython", "matplotlib", "matplotlib_inline"):
        pytest.importorskip(name)
    run = subprocess.run([sys.executable, "-c", PICTURES], capture_output=True, text=True, timeout=120, check=False)
    assert run.stderr[-7:] == "1111110", run.stderr


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "agg"])
def test_a_plot_is_closed_where_the_cell_shows_it(monkeypatch, backend):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    from fastgd.plot import notebook

    monkeypatch.setattr(notebook, "get_backend", lambda: backend)
    history = gd.History()
    history.extend({"epoch": [1, 2], "loss": [1.0, 0.5]})
    figure = history.plot()
    number = figure.number
    assert pyplot.fignum_exists(number)
    with pytest.raises(NotImplementedError):
        figure._ipython_display_()
    assert pyplot.fignum_exists(number) == ("inline" not in backend)
    pyplot.close(figure)
