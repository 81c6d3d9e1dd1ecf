"""Code included from a file ends with its last line, not with the blank lines before the next marker."""

from docutils import nodes


def trim(app, doctree):
    """Drop blank lines at the ends of code blocks."""
    for block in doctree.findall(nodes.literal_block):
        code = block.astext().rstrip("\n")
        if block.rawsource == block.astext():  # highlighted only as long as both are the same
            block.rawsource, block[0] = code, nodes.Text(code)


def setup(app):
    """Trim each page as it has been read."""
    app.connect("doctree-read", trim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
