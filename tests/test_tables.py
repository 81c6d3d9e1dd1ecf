"""Reading of table files: what is a number, what is missing, what is an index, and which line is wrong."""

import gzip
import re

import numpy as np
import pytest

from fastgd import datasets, tables
from fastgd.tables import TableError

pl = pytest.importorskip("polars")


@pytest.fixture
def read(tmp_path):
    """read(text or bytes, **arguments): the table in a file of this content, with the target y."""

    def call(content, name="t.csv", target="y", **arguments):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tables.read_table(path, target, **arguments)

    return call


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["0", "10", "-0"], [0, 10, 0]),
        (["9007199254740993", "9223372036854775807"], [9007199254740993, 9223372036854775807]),
        (["1.5", "2"], [1.5, 2.0]),
        (["5.", ".5", "1e3", "+.5E-3"], [5.0, 0.5, 1000.0, 0.0005]),
        (["0.1", "0.30000000000000004"], [0.1, 0.30000000000000004]),
        (["0.0", "1.0"], [0.0, 1.0]),
        ([" 7 ", '" 8"'], [7, 8]),
        (["01", "1"], ["01", "1"]),
        (["007", "7.5"], [7.0, 7.5]),  # with a decimal point they are no codes
        (["00501", "x"], ["00501", "x"]),
        (["12_34", "5"], ["12_34", "5"]),
        (["1,5", "x"], ["1,5", "x"]),
        (["0x1F", "1"], ["0x1F", "1"]),
        (["1d3", "1"], ["1d3", "1"]),
        (["9223372036854775808", "9223372036854775809"], ["9223372036854775808", "9223372036854775809"]),
        (["1e20", "2e20"], [1e20, 2e20]),
        (["True", "False"], ["True", "False"]),
        (["größe", "a b", ' c"d'], ["größe", "a b", 'c"d']),
        (["none", "-", "+", "Na"], ["none", "-", "+", "Na"]),  # no missing values
        (["2020-01-01", "1"], ["2020-01-01", "1"]),
    ],
)
def test_values_of_a_target(read, texts, values):
    quoted = [text if text.startswith('"') else '"' + text.replace('"', '""') + '"' for text in texts]
    target = read("a,y\n" + "".join(f"1,{text}\n" for text in quoted)).target
    assert target.values.tolist() == values
    assert list(map(type, target.values.tolist())) == list(map(type, values))
    assert target.n_distinct == len(set(values))


def test_values_of_features(read):
    table = read("a,b,c,y\n1,true,-1e-3,2\n 2.5 ,FALSE,+7,3\n")
    assert table.X.tolist() == [[1, 1, -0.001], [2.5, 0, 7]]
    assert table.X.dtype == np.float64
    assert table.columns == ("a", "b", "c")
    assert table.y.tolist() == [2, 3]
    assert read("a,y\n1,2\n", target=None).y is None


MARKERS = [*tables.MISSING, "", "  ", '""', '" NA "']


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("others", [("1", "2"), ("u", "v")], ids=["numbers", "text"])
def test_missing_values_are_named_with_their_lines(read, marker, others):
    text = marker.strip('" ')
    words = re.escape(repr(text) if text else "empty")
    lines = f"{others[0]}\n1,{others[1]}\n1,{marker}\n1,{marker}\n"
    with pytest.raises(TableError, match=rf"t\.csv has missing values in the target 'y': {words} in line 4, 5;"):
        read(f"a,y\n1,{lines}")
    with pytest.raises(TableError, match=rf"missing values in column 'a' \({words} in line 3\)") as caught:
        read(f"a,y\n1,{others[0]}\n{marker},{others[1]}\n")
    assert caught.value.columns == ("a",)


def test_several_kinds_of_missing_values(read):
    with pytest.raises(TableError, match="'NA' in line 2, '[?]' in line 3, empty in line 5, and 2 more;"):
        read("a,y\n1,NA\n2,?\n3,5\n4,\n5,NULL\n6,nan\n")


def test_missing_values_are_what_the_caller_says(read):
    assert read("a,y\n1,NA\n2,US\n", missing=()).y.tolist() == ["NA", "US"]
    assert read("a,y\n1,x\n2,?\n", missing=("NA",)).y.tolist() == ["x", "?"]
    for marker in ("-999", "9.99", "unknown"):
        with pytest.raises(TableError, match=f"'{marker}' in line 3"):
            read(f"a,y\n1,2\n1,{marker}\n", missing=(marker,))
    with pytest.raises(TableError, match="missing values in column 'a' .'-999' in line 3"):
        read("a,y\n1,2\n-999,3\n", missing=("-999",))
    with pytest.raises(TableError, match="line 3, column 'a': 'nan' is not a finite number"):
        read("a,y\n1,2\nnan,3\n", missing=())


@pytest.mark.parametrize("header", ["", "Unnamed: 0", "Unnamed: 0.1"])
def test_the_index_that_pandas_writes_is_no_feature(read, header):
    table = read(f"{header},a,y\n0,5,1\n1,6,2\n")
    assert table.columns == ("a",)
    assert table.indices == (header or "column 1",)
    assert table.unused == ((header,) if header else ())


def test_frames_of_pandas(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": [True, False, True], "y": ["u", "v, w", 'x"\ny']})
    by_row = frame.sample(frac=1, random_state=0)
    two_levels = frame.set_index(pd.MultiIndex.from_tuples([(0, "p"), (0, "q"), (1, "p")]))
    for index, saved in [(True, frame), (False, frame), (True, by_row), (True, two_levels)]:
        saved.to_csv(tmp_path / "t.csv", index=index)
        table = tables.read_table(tmp_path / "t.csv", "y")
        assert table.columns == ("a", "b")
        assert table.X.tolist() == saved[["a", "b"]].astype(float).to_numpy().tolist()
        assert table.y.tolist() == saved["y"].tolist()
    frame.to_csv(tmp_path / "t.csv", sep=";", decimal=",")
    table = tables.read_table(tmp_path / "t.csv", "y")
    assert table.X.tolist() == [[1.5, 1], [2.5, 0], [3.5, 1]]
    assert table.notes == ("values separated by semicolons, with decimal commas",)


def test_exact_numbers_of_pandas(tmp_path):
    pd = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    values = random.normal(size=(500, 2)) * 10.0 ** random.integers(-300, 300, (500, 2))
    pd.DataFrame(values, columns=["a", "y"]).to_csv(tmp_path / "t.csv", index=False)
    table = tables.read_table(tmp_path / "t.csv", "y")
    assert (table.X[:, 0] == values[:, 0]).all()
    assert (table.y == values[:, 1]).all()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators(read, separator):
    text = 'a,"b, c",y\n1,2.5,u\n3,4.5,"v;w"\n'
    table = read(re.sub(r",(?! )", lambda _: separator, text).replace(";w", ",w" if separator == ";" else ";w"))
    assert table.columns == ("a", "b, c")
    assert table.X.tolist() == [[1, 2.5], [3, 4.5]]
    assert table.y[0] == "u"


def test_a_column_that_contains_other_separators(read):
    assert read("a|b|c;d|e,y\n1,2\n").columns == ("a|b|c;d|e",)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_marks_and_blank_lines(read, end):
    text = "\ufeff\n\na, y\n\n1,2\n\n3,4\n\n".replace("\n", end)
    table = read(text)
    assert (table.columns, table.X.tolist(), table.y.tolist()) == (("a",), [[1], [3]], [2, 4])
    with pytest.raises(TableError, match="line 9, column 'a': 'x' is not a number"):
        read(text + f"x,5{end}")


def test_lines_count_line_breaks_in_values(read):
    with pytest.raises(TableError, match="line 8, column 'a': 'x' is not a number"):
        read('"a",y\n1,"two\nlines"\n\n2,"three\n\nlines"\nx,u\n2,v\n2,v\n')


def test_compressed_files_and_parquet(read, tmp_path):
    frame = pl.DataFrame({"a": [1.5, 2.5], "b": [True, False], "c": [2**60, 1], "y": ["01", "1"]})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    packed = gzip.compress((tmp_path / "t.csv").read_bytes())
    for table in (read(packed, "t.csv.gz"), tables.read_table(tmp_path / "t.parquet", "y")):
        assert table.X.tolist() == [[1.5, 1, 2.0**60], [2.5, 0, 1]]
        assert table.y.tolist() == ["01", "1"]
    pl.DataFrame({"a": [1.5, None], "y": [1, 2]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(TableError, match="column 'a' .empty in row 2"):
        tables.read_table(tmp_path / "t.parquet", "y")


def test_features_by_name(read):
    text = "id,b,y,a,name\n7,2,NA,1,x\n8,4,,3,y\n"
    table = read(text, target=None, features=["a", "b"])
    assert (table.columns, table.X.tolist()) == (("a", "b"), [[1, 2], [3, 4]])
    assert table.unused == ("id", "y", "name")
    assert read(text, target="name", drop=["y", "id"]).columns == ("b", "a")
    with pytest.raises(TableError, match="t.csv lacks 'A', 'c', which the model was trained on; did you mean 'a'?"):
        read(text, target=None, features=["A", "b", "c"])
    with pytest.raises(TableError, match="t.csv lacks 'aa', which the model was trained on$"):  # 'a' is another feature
        read(text, target=None, features=["a", "aa"])
    with pytest.raises(TableError, match="has no column 'Id', only 'id', 'b', .*; did you mean 'id'?"):
        read(text, drop=["Id"])


def test_identifiers(read):
    rows = "".join(f"{i},{1000 - 7 * i},{i / 2},{i // 2},{i % 2}\n" for i in range(1, 41))
    table = read(f"count,id,half,pair,y\n{rows}")
    assert table.identifiers == {"count": "counts the rows", "id": "has a different integer in every row"}
    assert read("id,y\n" + "5,1\n6,2\n").identifiers == {}  # too few to tell
    with pytest.raises(
        TableError, match=r"text in column 'name' \('n0' in line 2, and a different string in every row\)"
    ):
        read("name,y\n" + "".join(f"n{i},{i}\n" for i in range(30)))


def test_all_unusable_columns_are_named_at_once(read):
    rows = "male,,01234,1,2\nfemale,NA,99999,2,3\n" + "male,5,01234,3,4\n" * 20
    with pytest.raises(TableError, match=r"missing values in column 'age' \(.*\), and text in 2 columns:") as caught:
        read(f"sex,age,zip,a,y\n{rows}")
    assert "'zip' (codes with leading zeros, such as '01234' in line 2)" in str(caught.value)
    assert caught.value.columns == ("age", "sex", "zip")


BAD = {
    "stray text": ("a,y\n1,2\nx,3\n2,3\nz,1\n2,3\n", r"line 3, column 'a': 'x' is not a number \(1 more such value"),
    "underscore": ("a,y\n1,2\n1_2,3\n", r"line 3, column 'a': '1_2' is not a number"),
    "infinity": ("a,y\n1,2\n-inf,3\n", r"line 3, column 'a': '-inf' is not a finite number"),
    "overflow": ("a,y\n1,2\n1e400,3\n", r"line 3, column 'a': '1e400' is not a finite number"),
    "infinite target": ("a,y\n1,2\n\n1,inf\n", r"line 4, column 'y': 'inf' is not a finite number"),
    "thousands": ('a,y\n"1,234",1\n', r"line 2, column 'a': '1,234' has thousands separators; remove them"),
    "German thousands": ("a;y\n1.234,5;1\n", r"line 2, column 'a': '1\.234,5' has thousands separators"),
    "decimal comma": ('a,y\n2,1\n"1,5",1\n', r"line 3, column 'a': '1,5' has a decimal comma; write a point"),
    "codes": ("zip,y\n01234,1\n99999,2\n", r"codes with leading zeros, such as '01234' in line 2"),
    "short row": ("a,b,y\n1,2,3\n1,2\n", r"t\.csv, line 3: 2 values where the header has 3"),
    "short first row": ("a,b,y\n1,2\n1,2,3\n", r"t\.csv, line 2: 2 values where the header has 3"),
    "blank row": ("a,b,y\n1,2,3\n  \n", r"t\.csv, line 3: 1 value where the header has 3"),
    "long row": ("a,y\n1,2\n\n1,2,3\n", r"t\.csv, line 4: 3 values where the header has 2$"),
    "names of rows": (
        "a,y\nr1,1,2\nr2,3,4\n",
        r"line 2: 3 values where the header has 2; if rows begin with their names",
    ),
    "no header": ("1,2\n3,4\n", r"line 1: expected column names, not numbers \(1, 2\)"),
    "no header, text": ("5.1,u\n3,v\n", "no column 'y', only '5.1', 'u'; the first line of the file must name"),
    "same names": ("a,a,y\n1,2,3\n", "line 1: duplicate column 'a'"),
    "no name": ("a,,y\n1,2,3\n", "line 1: column 2 has values but no name"),
    "no rows": ("a,y\n", "has a header but no rows"),
    "blank rows": ("a,y\n\n\n", "has a header but no rows"),
    "empty": ("", "is empty; its first line must name the columns"),
    "byte order mark": (b"\xef\xbb\xbf", "is empty; its first line must name the columns"),
    "carriage return": ("a,y\n1,u\n2\rx,v\n", "line 3: a carriage return within the line"),
    "blank": ("\n\n", "is empty; its first line must name the columns"),
    "one column": ("y\n1\n", "has no columns besides the target"),
    "only an index": (",y\n0,1\n", "has no columns besides the target"),
    "other target": ("a,why\n1,2\n", r"no column 'y', only 'a', 'why'$"),
    "other case": ("a,Y\n1,2\n", r"no column 'y', only 'a', 'Y'; did you mean 'Y'\?"),
    "open quote": ('a,y\n3,4\n"1,2\n5,6\n', "line 3: unexpected end of data"),
    "quote within": ('a,y\n1,5" pipe\n2,v"w\n1,"\n', "line 2: a quotation mark inside a value|line 4"),
    "text after a quote": ('a,y\n"x" z,2\n', "line 2: ',' expected after"),
    "Latin-1": ("a,y\n1,u\n1,grün\n".encode("latin-1"), "line 3: this is not UTF-8 text; convert it: iconv"),
    "Latin-1 header": ("größe,y\n1,2\n".encode("latin-1"), "line 1: this is not UTF-8 text"),
    "UTF-16": ("a,y\n1,2\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
    "spreadsheet": (b"PK\x03\x04.....", "is a spreadsheet or a zip archive; export the table as CSV"),
    "old spreadsheet": (b"\xd0\xcf\x11\xe0.....", "is a spreadsheet; export"),
    "binary": (b"\x93NUMPY\x01\x00v\x00", "is not text but binary data"),
    "damaged gzip": (gzip.compress(b"a,y\n1,2\n" * 99)[:-9], "is a damaged gzip file"),
    "damaged Parquet": (b"PAR1abc", "cannot be read: "),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files(read, case):
    content, words = BAD[case]
    with pytest.raises(TableError, match=words):
        read(content)


def test_columns_without_names_and_values_are_ignored(read):
    assert read("a,y,,\n1,2,,\n3,4,,\n").columns == ("a",)


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        tables.read_table(tmp_path / "no.csv")
    with pytest.raises(OSError, match="directory|denied"):
        tables.read_table(tmp_path)


def test_many_columns(read):
    names = [f"c{i}" for i in range(1500)]
    table = read(f"{','.join(names)},y\n" + f"{','.join(map(str, range(1500)))},1\n" * 2)
    assert (table.X == np.arange(1500)).all()


def test_the_previous_names(read, tmp_path):
    read("a,y\n1,2\n")
    with pytest.warns(DeprecationWarning, match="read_csv is deprecated: use fastgd.tables.read_table"):
        table = datasets.read_csv(tmp_path / "t.csv", "y")
    assert (table.X.tolist(), table.y.tolist(), table.columns) == ([[1]], [2], ("a",))
