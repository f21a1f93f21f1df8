"""The randomisations of the paper (section 2): pure functions of (Dataset, seed)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from byrote.data.dataset import Dataset

CorruptionName = Literal["partial-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian"]
LABEL_CORRUPTIONS = ("partial-labels", "random-labels")
INPUT_CORRUPTIONS = ("shuffled-pixels", "random-pixels", "gaussian")


class Corruption(BaseModel):
    """One randomisation of the data."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: CorruptionName
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of a label corruption, per label; of an input corruption, the chance that an image is corrupted."""

    @model_validator(mode="after")
    def _random_labels_are_all_random(self) -> Corruption:
        if self.name == "random-labels" and self.rate != 1:
            raise ValueError(f"random-labels has rate 1, got {self.rate}; use partial-labels for a rate")
        return self


def corrupt(data: Dataset, name: str, *, rate: float = 1.0, seed: int = 0) -> Dataset:
    raise UserError
