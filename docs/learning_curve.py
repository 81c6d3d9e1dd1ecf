"""Draw the learning curves of README.md by running its program: python docs/learning_curve.py [folder]."""

import os
import re
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from fastgd import plot

HERE = Path(__file__).resolve().parent
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else HERE).resolve()

plt.style.use(plot.STYLE)
[program] = re.findall(r"```python\n(.*?)```", (HERE.parent / "README.md").read_text(encoding="utf-8"), re.DOTALL)
names = {}
with tempfile.TemporaryDirectory() as scratch:  # the program saves its model
    os.chdir(scratch)
    exec(program, names)
    os.chdir(FOLDER)
figure = plot.curves(names["history"], title="64-64-10 on the handwritten digits")
figure.savefig("learning-curve.svg", metadata={"Date": None, "Creator": None})
