"""Docstrings are written to be read as they are: in prose, |z|, *.weight and theta_ are text and not markup."""

import re

CODE = re.compile(r"(``.*?``|`[^`]*`|\*\*[^*]+\*\*)")
MARKUP = re.compile(
    r"(?<!\\)\|(?=\S)|(?<=\S)(?<!\\)\||(?<![\\*\w])\*(?=[.\w])(?=[^*]*$)|(?<=[A-Za-z])(?<!\\)_(?![\w`])"
)

ROLE = re.compile(r":(?:ref|term):`([^`<]+?)(?:\s*<[^`]*>)?`")  # of scikit-learn's pages, in what is inherited


def escaped(line):
    """The line of prose with a backslash before what reStructuredText would take for markup."""
    parts = CODE.split(line)
    parts[::2] = [MARKUP.sub(lambda match: "\\" + match[0], part) for part in parts[::2]]
    return "".join(parts)


def escape(app, what, name, obj, options, lines):
    """Escape the prose of a docstring that numpydoc has laid out; examples are left alone."""
    is_example = False
    lines[:] = [ROLE.sub(r"\1", line) for line in lines]
    for i, line in enumerate(lines):
        is_example = line.lstrip().startswith((">>>", "...")) or (is_example and bool(line.strip()))
        if not is_example and not line.lstrip().startswith((".. ", ":", "+-", "==")):
            lines[i] = escaped(line)


def setup(app):
    """Come after numpydoc."""
    app.connect("autodoc-process-docstring", escape, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
