"""Configuration of the site: `python -m sphinx -W --keep-going docs site`.

Pages are Markdown (MyST), the API reference is generated from the docstrings (numpydoc).  The site needs no network:
formulas are MathML, fonts are those of the reader's system.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import fastgd  # noqa: E402

project = "fastgd"
author = "The fastgd developers"
copyright = "The fastgd developers, BSD-3-Clause"
version = release = fastgd.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "command_help",
    "mathml",
    "outside_links",
    "page_language",
    "plain_docstrings",
    "short_sidebar",
    "trim_code",
]
exclude_patterns = ["_ext", "_static", "_templates"]
templates_path = ["_templates"]
nitpicky = False  # docstrings name shapes and types in prose, which are not cross-references
default_role = "py:obj"

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"fastgd {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True, "source_repository": "https://github.com/fastgd/fastgd/"}
html_theme_options |= {"source_branch": "main", "source_directory": "docs/"}
