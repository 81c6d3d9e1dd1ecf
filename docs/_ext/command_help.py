"""The directive command-help: what `fastgd COMMAND --help` prints, from the parser itself."""

import argparse
import os

from docutils import nodes
from docutils.parsers.rst import Directive

from fastgd.cli.main import _parser

WIDTH = "100"


def help_of(command):
    """The help of a command, or of the program if it is empty."""
    os.environ["COLUMNS"] = WIDTH
    parser = _parser()
    if not command:
        return parser.format_help()
    [commands] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return commands.choices[command].format_help()


class CommandHelp(Directive):
    """Usage and options of a command as a literal block."""

    optional_arguments = 1

    def run(self):
        text = help_of(" ".join(self.arguments))
        return [nodes.literal_block(text, text, language="text")]


def setup(app):
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
