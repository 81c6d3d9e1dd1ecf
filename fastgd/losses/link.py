"""Links of losses, grouped by what the outputs become."""

from __future__ import annotations

# Links by what they lead to: numbers; one class of several; yes or no from each output.
NUMBERS, CHOICE, YES_OR_NO = ("identity", "log"), ("softmax",), ("sigmoid", "sign")
