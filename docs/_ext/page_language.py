"""Pages in docs/zh/ declare that they are in Chinese: by it browsers choose a font, and screen readers a voice."""


def set_language(app, page, template, context, doctree):
    """Set the language of the template of a page."""
    if page.startswith("zh/"):
        context["language"] = "zh-CN"


def setup(app):
    """Set it before the page is written."""
    app.connect("html-page-context", set_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
