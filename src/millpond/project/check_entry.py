"""One check as front matter writes it: which keys there are, and what each takes."""

from __future__ import annotations

import re
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from millpond.project.check import CheckKind, CheckSeverity, Limit, Target
from millpond.project.settings import Declared, OneOrMore

KINDS: tuple[CheckKind, ...] = get_args(CheckKind)

_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%\Z")
_DURATION = re.compile(r"\d{1,6} ?[mhd]\Z")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*(?:\(\s*\d+\s*(?:,\s*\d+\s*)?\))?(?:\[\])*\Z")


def _scalar(value: Any) -> Any:
    if value is None:
        raise ValueError("a value (NULL is judged by not_null)")
    if isinstance(value, dict | list):
        raise ValueError("a single value")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def _range(value: Any) -> Any:
    if not (isinstance(value, list) and len(value) == 2) or value == [None, None]:
        raise ValueError("[lowest, highest], null for an open end")
    if any(isinstance(bound, dict | list) for bound in value):
        raise ValueError("[lowest, highest] of single values")
    return tuple(value)


def _counts(value: Any) -> Any:
    bounds = (value, value) if _is_count(value) else _range(value)
    if not all(bound is None or _is_count(bound) for bound in bounds):
        raise ValueError("a whole number, or [lowest, highest]")
    return bounds


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number_range(value: Any) -> Any:
    if not all(bound is None or _is_number(bound) for bound in _range(value)):
        raise ValueError("[lowest, highest] of numbers")
    return _range(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _limit(value: Any) -> Limit:
    if _is_number(value) and value >= 0:
        return Limit(float(value))
    found = _PERCENT.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a number, or a share such as 1%")
    return Limit(float(found[1]) / 100, share=True)


def _duration(value: Any) -> str:
    if not (isinstance(value, str) and _DURATION.match(value)):
        raise ValueError("a number of minutes, hours or days, such as 30m, 24h or 7d")
    return value


def _share(value: Any) -> float:
    limit = _limit(value)
    if limit.number > 1:
        raise ValueError("a share from 0% to 100%")
    return limit.number


def _type(value: Any) -> str:
    if not (isinstance(value, str) and _TYPE.match(value.strip())):
        raise ValueError("the name of a type, such as INTEGER or DECIMAL(10,2)")
    return value.strip()


def _target(value: Any) -> Target:
    try:
        return Target.parse(str(value))
    except ValueError:
        raise ValueError("a column of another table, written layer.table.column") from None


def _total(value: Any) -> float | str | Target:
    if _is_number(value):
        return float(value)
    if isinstance(value, str) and value:
        try:
            return Target.parse(value)
        except ValueError:
            return value
    raise ValueError("a number, a column of the table, or layer.table.column")


def _quantiles(value: Any) -> Any:
    if not (isinstance(value, dict) and value):
        raise ValueError("a mapping such as {0.5: [10, 20]}")
    return {_portion(key): _number_range(bounds) for key, bounds in value.items()}


def _portion(key: Any) -> float:
    try:
        portion = float(key)
    except ValueError:
        portion = -1.0
    if not 0 <= portion <= 1:
        raise ValueError("a mapping whose keys are from 0 to 1, such as {0.5: [10, 20]}")
    return portion


def _shares(value: Any) -> Any:
    if not (isinstance(value, dict) and value):
        raise ValueError("a mapping such as {paid: [50%, 90%]}")
    ranges = {key: _range(bounds) for key, bounds in value.items()}
    return {key: tuple(None if b is None else _share(b) for b in bounds) for key, bounds in ranges.items()}


_NUMBER = {"type": ["number", "string"]}
_PAIR = {"type": "array", "minItems": 2, "maxItems": 2}

Scalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Column = Annotated[str, Field(min_length=1)]
Range = Annotated[Any, AfterValidator(_range), WithJsonSchema(_PAIR)]
NumberRange = Annotated[Any, AfterValidator(_number_range), WithJsonSchema(_PAIR)]
Counts = Annotated[Any, AfterValidator(_counts), WithJsonSchema({"anyOf": [{"type": "integer"}, _PAIR]})]
Most = Annotated[Any, AfterValidator(_limit), WithJsonSchema(_NUMBER)]
Age = Annotated[Any, AfterValidator(_duration), WithJsonSchema({"type": "string"})]
Share = Annotated[Any, AfterValidator(_share), WithJsonSchema(_NUMBER)]
TypeWord = Annotated[Any, AfterValidator(_type), WithJsonSchema({"type": "string"})]
Elsewhere = Annotated[Any, AfterValidator(_target), WithJsonSchema({"type": "string"})]
Total = Annotated[Any, AfterValidator(_total), WithJsonSchema(_NUMBER)]
Quantiles = Annotated[Any, AfterValidator(_quantiles), WithJsonSchema({"type": "object"})]
Shares = Annotated[Any, AfterValidator(_shares), WithJsonSchema({"type": "object"})]


class DistributionEntry(Declared):
    """How the values of a column are spread: bounds of what is measured over the whole table."""

    mean: NumberRange | None = Field(None, description="Bounds of the mean.")
    stddev: NumberRange | None = Field(None, description="Bounds of the standard deviation.")
    quantile: Quantiles | None = Field(None, description="Bounds of quantiles, by portion: {0.5: [10, 20]}.")
    share: Shares | None = Field(None, description="Bounds of the share that a value has: {paid: [50%, 90%]}.")


class CheckEntry(Declared):
    """One rule: exactly one of the kinds, which are the keys up to `sql`."""

    model_config = ConfigDict(populate_by_name=False)

    not_null: OneOrMore[Column] | None = Field(None, description="Columns that must not be NULL.")
    in_: dict[Column, Annotated[list[Scalar], Field(min_length=1)]] | None = Field(
        None, alias="in", description="Columns and the values that they may hold."
    )
    between: dict[Column, Range] | None = Field(
        None, description="Columns with their lowest and highest value, both allowed; null for an open end."
    )
    regex: dict[Column, str] | None = Field(None, description="Columns and the pattern (RE2) found in each value.")
    length: dict[Column, Counts] | None = Field(
        None, description="Columns and the number of characters of each value, or [least, most]."
    )
    type: dict[Column, TypeWord] | None = Field(
        None, description="Columns and the type that each value can be read as, such as INTEGER or DATE."
    )
    relationship: dict[Column, Elsewhere] | None = Field(
        None, description="Columns and the column, layer.table.column, in which each value must stand."
    )
    unique: OneOrMore[Column] | None = Field(None, description="Columns that together name one row.")
    row_count: Counts | None = Field(None, description="How many rows the table has: a number, or [least, most].")
    freshness: dict[Column, Age] | None = Field(
        None, description="Columns with a time, and how old the newest may be, such as 90m, 24h or 7d."
    )
    completeness: dict[Column, Share] | None = Field(
        None, description="Columns and the least share of rows that have a value, such as 95%."
    )
    sum_equals: dict[Column, Total] | None = Field(
        None, description="Columns and what they add up to: a number, another column, or layer.table.column."
    )
    distribution: dict[Column, DistributionEntry] | None = Field(
        None, description="Columns and the bounds of what is measured over all of their values."
    )
    sql: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="An expression that is true of every row, or a SELECT whose rows are failures."
    )
    severity: CheckSeverity | None = Field(
        None,
        description="What a failure does: warn, quarantine or stop; by default the model's on_fail, and for checks on "
        "the table stop (freshness and distribution: warn).",
    )
    max_failed: Most | None = Field(
        None, description="How many failures are borne, as a number or a share such as 1%; more stop the step."
    )
    tolerance: Most | None = Field(None, description="For sum_equals: by how much the sums may differ.")
    name: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Name in place of the columns, where two checks would else be called the same."
    )

    @property
    def kinds(self) -> tuple[CheckKind, ...]:
        """The kinds of rule that the entry holds; exactly one when it is right."""
        return tuple(kind for kind in KINDS if self.says(kind) is not None)

    def says(self, kind: CheckKind) -> Any:
        """What the entry says under a kind's key, or None."""
        return getattr(self, "in_" if kind == "in" else kind)
