from typing import Annotated

import pytest
from pydantic import Field, ValidationError, model_validator

from byrote.errors import UserError
from byrote.records import Record, meant


class Pair(Record):
    first: Annotated[int, Field(ge=0)]
    second: float = 1.0

    @model_validator(mode="after")
    def _in_order(self) -> "Pair":
        if self.first > self.second:
            raise ValueError(f"first={self.first} lies beyond second={self.second:g}")
        return self


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"first": -1}, "got first=-1: input should be greater than or equal to 0"),
        (
            {"first": "x", "second": "y"},
            "got first='x': input should be a valid integer.*; got second='y': input should",
        ),
        ({}, "got no first, which is needed"),
        ({"first": 0, "secnod": 2}, r"got secnod=2, which is no field; did you mean second\?"),
        ({"first": 0, "colour": 2}, "got colour=2, which is no field: it has first, second"),
        ({"first": 0, "second": float("nan")}, "got second=nan: input should be a finite number"),
        ({"first": 3}, "^first=3 lies beyond second=1$"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(fields, sentence):
    with pytest.raises(UserError, match=sentence):
        Pair(**fields)
    with pytest.raises(UserError, match=sentence):
        Pair.model_validate(fields)


def test_records_are_frozen_and_come_back_from_their_text():
    pair = Pair(first=1, second=2)
    with pytest.raises(ValidationError, match="frozen"):
        pair.first = 2
    assert Pair.model_validate_json(pair.model_dump_json()) == pair
    assert hash(Pair(first=1, second=2.0)) == hash(pair)


def test_what_other_programs_call_it_is_known():
    assert meant("lr", ["learning_rate", "loss"]) == "learning_rate"
    assert meant("lr", ["width"]) is None
    assert meant("learning", ["learning_rate"]) == "learning_rate"
