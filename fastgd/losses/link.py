"""The links of losses, grouped by what the outputs predict."""

from __future__ import annotations

VALUE_LINKS = ("identity", "log")  # real values
CLASS_LINKS = ("softmax",)  # one of several classes
BINARY_LINKS = ("sigmoid", "sign")  # yes or no, for each output
