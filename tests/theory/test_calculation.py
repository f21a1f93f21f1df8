import numpy as np
import pytest
from pydantic import ValidationError
from squares import DATA, Square

from byrote.errors import UserError
from byrote.theory.calculation import Calculation, Result, compute


class Named(Calculation):
    name: str

    @property
    def label(self):
        return self.name

    @property
    def references(self):
        return (self.name,)

    def compute(self, data, *, device, on_stage):
        return Result({})


def test_a_calculation_is_computed_with_its_time_and_place():
    computed = compute(Square(number=3), DATA)
    assert computed.values["square"] == 9
    assert computed.seconds > 0
    assert computed.data == "four points"
    assert set(computed.environment) >= {"device", "hardware", "torch", "byrote"}


def test_the_key_is_that_of_fields_class_and_data():
    key = Square(number=3).key(DATA)
    assert key == Square(number=3).key(DATA)
    assert key != Square(number=4).key(DATA)
    assert Named(name="3").key(DATA) != key
    fewer = DATA.train.take(np.arange(2))
    assert key != Square(number=3).key(type(DATA)("two points", fewer, fewer, DATA.class_names))


def test_the_users_source_is_part_of_the_key(tmp_path):
    source = tmp_path / "kernel.py"
    source.write_text("def k(x, y): return x @ y.T\n")
    first = Named(name=f"{source}:k").key(DATA)
    source.write_text("def k(x, y): return (x @ y.T) ** 2\n")
    assert Named(name=f"{source}:k").key(DATA) != first


def test_unknown_fields_and_changes_are_refused():
    with pytest.raises(UserError, match="got other=1, which is no field"):
        Square(number=3, other=1)
    with pytest.raises(ValidationError):
        Square(number=3).number = 4
