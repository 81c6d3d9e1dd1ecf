"""Reading of table files; polars is imported on use."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from .table import MISSING, Table


@contextmanager
def polars_required() -> Iterator[None]:
    """Import in the block what needs polars; ImportError names the extra to install."""
    try:
        yield
    except ImportError as error:
        raise ImportError('reading tables needs the package polars: pip install "fastgd[table]"') from error


def read_frame(
    path: str | os.PathLike[str] | BinaryIO, *, missing: Collection[str] = MISSING, text: Collection[str] = ()
) -> Any:
    r"""Read a CSV or Parquet file of numbers, booleans and text.

    Parameters
    ----------
    path : str, path or binary file object
        As in `read_table`.
    missing : collection of str, default=MISSING
        Texts that stand for a missing value; an empty one always does.
    text : collection of str, default=()
        Columns that are text, whatever they hold.

    Returns
    -------
    polars.DataFrame
        Columns of int64, float64, booleans or text, null where a value is missing.  A column is text if more than a
        tenth of its values are not numbers, or if they are codes with leading zeros.  Dates remain text.  A leading
        index column that has no name is called "".

    Raises
    ------
    TableError
        The file is not a table, or a few values of a column are not numbers; the message names line and column.
    OSError
        The file cannot be read.
    ImportError
        polars is not installed.

    Examples
    --------
    >>> import io
    >>> read_frame(io.BytesIO(b"size;kind\n1,5;tree\nNA;herb\n")).to_dict(as_series=False)
    {'size': [1.5, None], 'kind': ['tree', 'herb']}
    """
    with polars_required():
        from .reader import read_typed

    return read_typed(path, missing, text)


def read_table(
    path: str | os.PathLike[str],
    target: str | None = None,
    *,
    features: Sequence[str] | None = None,
    drop: Collection[str] = (),
    missing: Collection[str] = MISSING,
) -> Table:
    r"""Read a CSV or Parquet file of numeric features and, if named, a target of numbers or classes.

    Parameters
    ----------
    path : str or path
        UTF-8 text whose first line names the columns, separated by commas, semicolons, tabs or bars, or Parquet;
        compressed by gzip or not.  It is recognised by its content.
    target : str or None, default=None
        The column to predict.
    features : sequence of str or None, default=None
        The features, in this order.  None: all columns but the target, those of `drop`, and index columns, which come
        first and have no name, or the one that pandas gives them (`Unnamed: 0`).
    drop : collection of str, default=()
        Columns that are not features.
    missing : collection of str, default=MISSING
        Texts that stand for a missing value; an empty one always does.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        The file is not such a table; the message names lines (the header is line 1) and columns.
    OSError
        The file cannot be read.
    ImportError
        polars is not installed.

    Notes
    -----
    White space around values is ignored.  Numbers are written with digits, a decimal point and an exponent, or with a
    decimal comma where commas do not separate values.  Integers with leading zeros are text in the whole column, and so
    are integers beyond 64 bits in a target.  A feature may hold `true` and `false`, in any case, which become 1 and 0.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "plants.csv")
    ...     _ = path.write_text("height,kind\n1.5,tree\n0.25,herb\n")
    ...     table = read_table(path, target="kind")
    >>> table.X.tolist(), table.target.values.tolist(), table.columns
    ([[1.5], [0.25]], ['tree', 'herb'], ('height',))
    """
    with polars_required():
        from .reader import read

    return read(path, target, features, drop, missing)
