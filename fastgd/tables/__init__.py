"""Tables: files, frames and arrays with numbers, text, dates and gaps, as what a network learns from.

`TableEncoder` makes a matrix of any table, and `TableModel` trains networks on it.  Files need polars, the extra
`table`: one reader, and this one, as polars reads every value as text at a few times the speed of pandas, so that the
rules of `columns` decide what is a number; its numbers are correctly rounded; it needs no other package, for Parquet
neither.

>>> from fastgd.tables import TableEncoder
>>> TableEncoder().fit_transform({"age": [30, None, 50], "city": ["Rome", "Oslo", "Rome"]}).shape
(3, 3)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .reading import read_frame, read_table
from .table import MISSING, Table, TableError, Target

if TYPE_CHECKING:
    from .encoded_column import Column
    from .encoder import TableEncoder
    from .kinds import Finding
    from .table_model import TableModel

__all__ = [
    "MISSING",
    "Column",
    "Finding",
    "Table",
    "TableEncoder",
    "TableError",
    "TableModel",
    "Target",
    "read_frame",
    "read_table",
]

_HOMES = {"Column": "encoded_column", "Finding": "kinds", "TableEncoder": "encoder", "TableModel": "table_model"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
