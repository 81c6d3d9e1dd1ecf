"""Draw the pictures of docs/gallery.md by running its examples: python docs/gallery_pictures.py [example ...].

All of them take some minutes.  Pictures are saved with a palette of 256 colours, in half of the bytes.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image  # a requirement of matplotlib

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}
FOLDER = ROOT / "docs" / "gallery"
COLORS = 256
SETTINGS = {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}


def draw(name):
    """Run an example in a new folder, and save its pictures."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, str(EXAMPLES[name])], cwd=scratch, env=os.environ | SETTINGS, check=True)
        for picture in Path(scratch).glob(f"{name}*.png"):
            save(picture, FOLDER / picture.name)


def save(source, target):
    """Write a picture in few bytes, with the colours of thin lines as they are."""
    with Image.open(source) as picture:
        small = picture.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(target, optimize=True)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for example in sys.argv[1:] or EXAMPLES:
        draw(example)
