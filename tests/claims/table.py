"""Every claim that byrote makes: those that are inferred from a sample, and those that runs show or do not show."""

from __future__ import annotations

from claims import by_rote, comparing, implicit, kernels, measured, memorising, seeds, table1
from claims.simulation import Fact, Simulation

PARTS = (comparing, seeds, table1, implicit, kernels, measured, memorising, by_rote)
SIMULATIONS: list[Simulation] = [simulation for part in PARTS for simulation in part.SIMULATIONS]
FACTS: list[Fact] = [fact for part in PARTS for fact in part.FACTS]
