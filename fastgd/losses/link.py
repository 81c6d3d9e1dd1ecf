"""The links of losses, grouped by what the outputs predict."""

from __future__ import annotations

REGRESSION_LINKS = ("identity", "log")  # real values
MULTICLASS_LINKS = ("softmax",)  # one class per row, one output per class
BINARY_LINKS = ("sigmoid", "sign")  # each output decides between two classes
