"""Checks of single arguments: what they accept, and that every refusal names the argument and what was given."""

import math
from fractions import Fraction

import numpy as np
import pytest

from fastgd._common.checks import INT_MAX, check_bool, check_choice, check_int, check_scalar, closest, shown

NO_NUMBERS = ("3", None, True, np.True_, [3], np.array([3]), 2j)
HUGE = 10**400  # no float64, and Python prints it
UNPRINTABLE = 10**5000  # Python refuses to print it


@pytest.mark.parametrize("value", [1, 7, INT_MAX, np.int8(7), np.uint64(7), np.int64(INT_MAX)])
def test_integers(value):
    checked = check_int("n", value)
    assert type(checked) is int
    assert checked == value


def test_integers_in_a_range():
    assert check_int("n", 0, minimum=0) == 0
    assert check_int("n", 2**40, maximum=2**63 - 1) == 2**40
    with pytest.raises(ValueError, match=r"n must be 2 or more \(and at most 5\), not 6"):
        check_int("n", 6, minimum=2, maximum=5)


@pytest.mark.parametrize("value", [*NO_NUMBERS, 3.0, np.float32(3), math.nan, Fraction(3)], ids=repr)
def test_no_integer(value):
    with pytest.raises(TypeError, match="steps must be an integer of 1 or more, not "):
        check_int("steps", value)


@pytest.mark.parametrize("value", [0, -1, INT_MAX + 1, 2**63, 2**64, HUGE, -HUGE, UNPRINTABLE], ids=shown)
def test_integer_out_of_range(value):
    with pytest.raises(ValueError, match=r"^steps must be 1 or more \(and at most 2147483647\), not ") as error:
        check_int("steps", value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("value", [0, 3, 0.5, np.float16(0.5), np.float32(0.5), np.int8(3), Fraction(1, 2)], ids=repr)
def test_scalars(value):
    checked = check_scalar("lr", value, "[0, inf)")
    assert type(checked) is float
    assert checked == value


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_no_scalar(value):
    with pytest.raises(TypeError, match=r"^lr must be a number in \[0, inf\), not "):
        check_scalar("lr", value, "[0, inf)")


@pytest.mark.parametrize(
    "value", [-1, math.nan, math.inf, np.float32("nan"), HUGE, -HUGE, UNPRINTABLE, Fraction(HUGE)], ids=shown
)
def test_scalar_out_of_range(value):
    with pytest.raises(ValueError, match=r"^lr must be .*\[0, inf\)") as error:
        check_scalar("lr", value, "[0, inf)")
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_flags(value):
    assert check_bool("shuffle", value) is bool(value)


@pytest.mark.parametrize("value", ["no", "", 0, 1, None, np.array(True), 1.0], ids=repr)
def test_no_flag(value):
    with pytest.raises(TypeError, match="^shuffle must be True or False, not "):
        check_bool("shuffle", value)


def test_choices():
    assert check_choice("mode", "min", ["min", "max"]) == "min"
    with pytest.raises(ValueError, match="^mode must be one of 'min', 'max', not 'Mx': did you mean 'max'"):
        check_choice("mode", "Mx", ["min", "max"])
    with pytest.raises(ValueError, match="^mode must be one of 'min', 'max', not 'up'$"):
        check_choice("mode", "up", ("min", "max"))
    for value in (None, 3, ["min"]):
        with pytest.raises(TypeError, match="^mode must be one of 'min', 'max', not "):
            check_choice("mode", value, ("min", "max"))


def test_closest():
    assert closest("LEARNING_RAT", ["lr", "learning_rate"]) == "learning_rate"
    assert closest("relu", ["ReLU", "ELU"]) == "ReLU"
    assert closest("nothing", ["lr"]) is None


def test_shown_is_short():
    assert shown("no") == "'no'"
    assert shown(np.float64(2)) == "2.0"
    assert len(shown("a" * 10**6)) < 100
    assert shown(UNPRINTABLE) == f"an integer of {UNPRINTABLE.bit_length()} bits"
