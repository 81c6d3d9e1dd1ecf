"""Tables in files, read as the features and the target of a network; needs polars, the extra `cli`.

One reader, and this one: polars reads every value as text at a few times the speed of pandas, so that the rules of
`columns` decide what is a number; its numbers are correctly rounded; it needs no other package, for Parquet neither.
"""

import os
from collections.abc import Collection, Sequence

from .table import MISSING, Table, TableError, Target

__all__ = ["MISSING", "Table", "TableError", "Target", "read_table"]


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
    try:
        from .reader import read
    except ImportError as error:
        raise ImportError('reading tables needs the package polars: pip install "fastgd[cli]"') from error

    return read(path, target, features, drop, missing)


def __dir__() -> list[str]:
    return __all__
