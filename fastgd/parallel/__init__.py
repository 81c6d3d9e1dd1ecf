"""Processes that train one model together: what they send each other, and sums in an order that is always the same."""

from .group import Group as Group
from .group import RankError as RankError
