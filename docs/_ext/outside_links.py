"""Links from docs/ to the rest of the project lead to the file in its repository.

The pages are read on the site and in the repository alike, where such links are relative.
"""

import re
from pathlib import Path

REPOSITORY = "https://github.com/fastgd/fastgd"
LINK = re.compile(r"\]\(((?:\.\./)+[^)#\s]*)")


def leads_outside(page, link, root):
    """The path of a link within the project if it leaves docs/, else None."""
    target = (page.parent / link).resolve()
    if target.is_relative_to(root / "docs"):
        return None
    return target.relative_to(root)


def rewrite(app, docname, source):
    """Replace relative links that leave docs/."""
    page, root = Path(app.env.doc2path(docname)), Path(app.srcdir).resolve().parent

    def replace(match):
        path = leads_outside(page, match[1], root)
        if path is None:
            return match[0]
        kind = "tree" if (root / path).is_dir() else "blob"
        return f"]({REPOSITORY}/{kind}/main/{path.as_posix()}"

    source[0] = LINK.sub(replace, source[0])


def setup(app):
    """Rewrite the text of each page before it is parsed."""
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
