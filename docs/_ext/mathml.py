"""Formulas as MathML, which browsers draw without a script or a font from elsewhere."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def visit_inline(self, node):
    """Replace $...$ by its MathML."""
    self.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def visit_display(self, node):
    """Replace $$...$$ by its MathML, which may be wider than the page."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate"))
    self.body.append(tex2mathml(node.astext(), as_block=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Register the renderer, which html_math_renderer chooses."""
    app.add_html_math_renderer("mathml", inline_renderers=(visit_inline, None), block_renderers=(visit_display, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
