import inspect
from typing import ClassVar

import numpy as np
import pytest
from pydantic import ValidationError
from squares import DATA, Square

from byrote.errors import UserError
from byrote.references import load_object
from byrote.studies.rademacher.calculations import Shattering
from byrote.theory import calculation
from byrote.theory.calculation import Calculation, Result, compute
from byrote.theory.memorizers.worked_example import WorkedExample
from byrote.training.spec import TrainSpec


class OfKernel(Calculation):
    name: ClassVar[str] = "of-kernel"

    kernel: str

    @property
    def label(self):
        return self.kernel

    @property
    def references(self):
        return (self.kernel,)

    def compute(self, data, context):
        return Result({})


OWN = """
from typing import ClassVar
from byrote import Calculation, Result

class Power(Calculation):
    name: ClassVar[str] = "power"
    number: int

    @property
    def label(self):
        return "a power"

    def compute(self, data, context):
        return Result({{"power": self.number**{power}}})
"""


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
    assert OfKernel(kernel="3").key(DATA) != key
    fewer = DATA.train.take(np.arange(2))
    assert key != Square(number=3).key(type(DATA)("two points", fewer, fewer, DATA.class_names))


def test_a_calculation_that_moves_to_another_file_keeps_its_key():
    # Whoever changes it makes all stored results unfindable.
    assert WorkedExample(seed=0).key(DATA) == "87530b1ebf85478f7ad2472a091b9d95b1efb77050b4c00c521c231106f00179"


def test_a_calculation_has_a_name_of_its_own():
    with pytest.raises(UserError, match=r"got the calculation .*Cube, which has no name of its own"):

        class Cube(Square):
            pass

    assert inspect.isabstract(Shattering.__base__)


def test_the_source_of_the_users_own_calculation_is_part_of_the_key(tmp_path):
    def key(folder, power):
        source = tmp_path / folder / "own.py"
        source.parent.mkdir()
        source.write_text(OWN.format(power=power))
        return load_object(f"{source}:Power")(number=3).key(DATA)

    assert key("here", 2) == key("there", 2) != key("changed", 3)


def test_the_users_source_is_part_of_the_key(tmp_path):
    source = tmp_path / "kernel.py"
    source.write_text("def k(x, y): return x @ y.T\n")
    first = OfKernel(kernel=f"{source}:k").key(DATA)
    source.write_text("def k(x, y): return (x @ y.T) ** 2\n")
    assert OfKernel(kernel=f"{source}:k").key(DATA) != first


class OfRun(OfKernel):
    name: ClassVar[str] = "of-run"

    spec: TrainSpec

    @property
    def reads(self):
        return (self.spec,)


@pytest.mark.parametrize("field", ["model", "schedule", "optimizer", "augmentation"])
def test_whatever_changes_the_runs_that_are_read_changes_the_key(field, tmp_path, monkeypatch):
    source = tmp_path / "own.py"
    source.write_text("def own(*arguments, **options): return 1.0\n")
    spec = TrainSpec(**{"model": "mlp-1x8", field: f"{source}:own"})
    first = OfRun(kernel="k", spec=spec).key(DATA)
    assert OfRun(kernel="k", spec=spec).key(DATA) == first
    source.write_text("def own(*arguments, **options): return 2.0\n")
    second = OfRun(kernel="k", spec=spec).key(DATA)
    assert second != first
    monkeypatch.setattr(calculation, "SEMANTICS", calculation.SEMANTICS + 1)
    assert OfRun(kernel="k", spec=spec).key(DATA) != second
    assert Square(number=3).key(DATA) == Square(number=3).key(DATA)


def test_unknown_fields_and_changes_are_refused():
    with pytest.raises(UserError, match="got other=1, which is no field"):
        Square(number=3, other=1)
    with pytest.raises(ValidationError):
        Square(number=3).number = 4
