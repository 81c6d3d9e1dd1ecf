"""Pages in docs/zh/ declare that they are in Chinese: browsers choose their font, and screen readers their voice, by it."""


def set_language(app, page, template, context, doctree):
    """Set the language of the template of a page."""
    if page.startswith("zh/"):
        context["language"] = "zh-CN"


def setup(app):
    """Set it before the page is written."""
    app.connect("html-page-context", set_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
