"""Links of losses, grouped by what the outputs become."""

from __future__ import annotations

REGRESSION_LINKS = ("identity", "log")  # real values
MULTICLASS_LINKS = ("softmax",)  # one class per row, one output per class
BINARY_LINKS = ("sigmoid", "sign")  # each output decides between two classes
