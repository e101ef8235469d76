"""The sketch by which DuckDB estimates how many distinct values there are, so that rows can be taken from it again.

`approx_count_distinct` keeps 64 registers: a value's hash chooses one by its six lowest bits, and its rank is the
number of the first bit set in the others. A register holds the greatest rank that it met. Here each rank that a
register met is a place of its own, with how many rows have it, so that rows can go as well as come.

HyperLogLog: Flajolet et al., 2007; the estimate: Ertl, "New cardinality estimation algorithms for HyperLogLog
sketches", 2017, as in DuckDB's `hyperloglog.cpp`.
"""

from __future__ import annotations

import math

REGISTERS = 64
_LONGEST = 58
_ALPHA = 0.721347520444481703680
"""1 / (2 ln 2), with the digits that DuckDB has."""


def place(argument: str) -> str:
    """A value's register and rank as one number, in an expression."""
    bits = f"((hash({argument}) >> 6)::BIGINT | {1 << _LONGEST})"
    rank = f"least(bit_count(xor({bits}, {bits} - 1)), {_LONGEST})"
    return f"(hash({argument}) & {REGISTERS - 1})::INTEGER * {REGISTERS} + {rank}"


def estimates(groups: str, value: str, rows: str, name: str) -> str:
    """SELECT of the estimate of each group as the column `name`; `rows` have each place that a group's rows have."""
    ranks = (
        f"SELECT {groups}, {value}::INTEGER // {REGISTERS} AS _mp_register, max({value}::INTEGER % {REGISTERS}) "
        f"AS _mp_rank FROM ({rows}) AS places GROUP BY ALL"
    )
    empty = f"{REGISTERS} - count(*)"
    held = f"sum(1::HUGEINT << ({_LONGEST} - _mp_rank))::DOUBLE / {1 << _LONGEST}"
    sigmas = ", ".join(repr(_sigma(number / REGISTERS)) for number in range(REGISTERS))
    estimate = f"round({_ALPHA * REGISTERS**2!r} / ({held} + {REGISTERS} * [{sigmas}][{empty} + 1]))"
    return f"SELECT {groups}, {estimate}::BIGINT AS {name} FROM ({ranks}) AS ranks GROUP BY {groups}"


def _sigma(share: float) -> float:
    """Ertl's correction for the registers that met nothing; `share` of all, less than 1."""
    total, weight, last = share, 1.0, math.nan
    while total != last:
        share *= share
        last = total
        total += share * weight
        weight += weight
    return total
