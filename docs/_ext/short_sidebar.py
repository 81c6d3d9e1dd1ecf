"""The sidebar stops at the pages of a section: the two hundred objects of the API are on the page of their group.

Listed in the sidebar of each page they would take most of the time of a build and of the bytes of the site.
"""

DEPTH = 2


def limit(app, page, template, context, doctree):
    """Limit the depth of the tree that the theme is about to ask for."""
    if "toctree" not in context:
        return
    whole = context["toctree"]
    context["toctree"] = lambda **options: whole(**options | {"maxdepth": DEPTH})


def setup(app):
    """Come before the theme."""
    app.connect("html-page-context", limit, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
