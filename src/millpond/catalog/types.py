"""Column types: as Iceberg writes them in JSON, and as DuckDB names them. Iceberg spec v2, "Schemas and Data Types"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from millpond.core.errors import CatalogError
from millpond.core.names import quote
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema

T = TypeVar("T")

IcebergType = str | Mapping[str, Any]
"""A type as the specification writes it: a word such as `long`, or an object for struct, list and map."""

_TO_DUCKDB = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ns": "TIMESTAMP_NS",
    "timestamptz_ns": "TIMESTAMP WITH TIME ZONE",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
    "unknown": '"NULL"',
    "variant": "VARIANT",
}
_FROM_DUCKDB = {
    name: word for word, name in _TO_DUCKDB.items() if word not in ("timestamp_ns", "timestamptz_ns", "unknown")
} | {"TIMESTAMPTZ": "timestamptz"}
_DECIMAL = re.compile(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)\Z")

_WIDER = {
    "TINYINT": "INTEGER",
    "SMALLINT": "INTEGER",
    "UTINYINT": "INTEGER",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
    "JSON": "VARCHAR",
    "ENUM": "VARCHAR",
    '"NULL"': "VARCHAR",
}
"""Types that Iceberg v2 lacks, and the type that holds every value of theirs (nanoseconds are cut to microseconds)."""

_PROBLEMS = {
    "TINYINT": "Iceberg has no 8-bit integer; INTEGER holds it",
    "SMALLINT": "Iceberg has no 16-bit integer; INTEGER holds it",
    "UTINYINT": "Iceberg has no unsigned integer; INTEGER holds it",
    "USMALLINT": "Iceberg has no unsigned integer; INTEGER holds it",
    "UINTEGER": "Iceberg has no unsigned integer; BIGINT holds it",
    "UBIGINT": "Iceberg has no unsigned integer; DECIMAL(20,0) holds it",
    "HUGEINT": "Iceberg has no 128-bit integer; cast to BIGINT, or DECIMAL(38,0) where the values fit",
    "UHUGEINT": "Iceberg has no 128-bit integer; cast to BIGINT, or DECIMAL(38,0) where the values fit",
    "BIGNUM": "Iceberg has no integer of any length; cast to DECIMAL(38,0) or VARCHAR",
    "TIMESTAMP_S": "Iceberg keeps microseconds; TIMESTAMP holds it",
    "TIMESTAMP_MS": "Iceberg keeps microseconds; TIMESTAMP holds it",
    "TIMESTAMP_NS": "Iceberg v2 keeps microseconds; TIMESTAMP holds it without the nanoseconds",
    "TIME": "Spark cannot open a table that has, or ever had, a TIME column; keep it as VARCHAR or INTEGER seconds",
    "TIME_NS": "Iceberg keeps microseconds, and Spark cannot open a table with a time; keep it as VARCHAR",
    "TIME WITH TIME ZONE": "Iceberg has no time with a zone; cast to VARCHAR",
    "INTERVAL": "Iceberg has no interval; keep the number of seconds as BIGINT, or VARCHAR",
    "ENUM": "Iceberg has no enum; VARCHAR holds it",
    "UNION": "Iceberg has no union; use a STRUCT with one field for each member",
    "BIT": "Iceberg has no bit string; cast to VARCHAR or BLOB",
    "JSON": "Iceberg has no JSON type; VARCHAR holds the text",
    "VARIANT": "Iceberg v2 has no variant; keep it as VARCHAR",
    "GEOMETRY": "Iceberg v2 has no geometry; keep WKB as BLOB (ST_AsWKB) or WKT as VARCHAR",
    '"NULL"': "a column of nothing but NULL has no type; cast it, for example NULL::VARCHAR",
}


@frozen
class TypeTree:
    """A DuckDB type name, read. `name` is DECIMAL, STRUCT, LIST, ARRAY, MAP, UNION, ENUM or a plain type."""

    name: str
    children: tuple[tuple[str, TypeTree], ...] = ()
    numbers: tuple[int, ...] = ()

    def text(self) -> str:
        """The type as DuckDB writes it."""
        if self.name in ("LIST", "ARRAY"):
            size = str(self.numbers[0]) if self.numbers else ""
            return f"{self.children[0][1].text()}[{size}]"
        if self.name == "MAP":
            return f"MAP({', '.join(child.text() for _, child in self.children)})"
        if self.name in ("STRUCT", "UNION"):
            return f"{self.name}({', '.join(f'{quote(name)} {child.text()}' for name, child in self.children)})"
        if self.numbers:
            return f"{self.name}({','.join(map(str, self.numbers))})"
        return self.name


_TOKEN = re.compile(r"""\s*(?:("(?:[^"]|"")*")|('(?:[^']|'')*')|(\d+)|([A-Za-z_]\w*)|([(),\[\]]))""")
_ALIASES = {
    "INT": "INTEGER",
    "INT4": "INTEGER",
    "INT8": "BIGINT",
    "LONG": "BIGINT",
    "INT2": "SMALLINT",
    "SHORT": "SMALLINT",
    "INT1": "TINYINT",
    "BOOL": "BOOLEAN",
    "LOGICAL": "BOOLEAN",
    "REAL": "FLOAT",
    "FLOAT4": "FLOAT",
    "FLOAT8": "DOUBLE",
    "TEXT": "VARCHAR",
    "STRING": "VARCHAR",
    "CHAR": "VARCHAR",
    "BPCHAR": "VARCHAR",
    "BYTEA": "BLOB",
    "BINARY": "BLOB",
    "VARBINARY": "BLOB",
    "NUMERIC": "DECIMAL",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP_US": "TIMESTAMP",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
    "TIMETZ": "TIME WITH TIME ZONE",
    "VARINT": "BIGNUM",
    "NULL": '"NULL"',
    "BITSTRING": "BIT",
    "GUID": "UUID",
}


class _Reader:
    """Reads one DuckDB type name from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._split(text)
        self.at = 0

    def _split(self, text: str) -> list[str]:
        tokens: list[str] = []
        place = 0
        stripped = text.rstrip()
        while place < len(stripped):
            found = _TOKEN.match(stripped, place)
            if not found:
                raise self.refusal()
            tokens.append(next(group for group in found.groups() if group is not None))
            place = found.end()
        return tokens

    def refusal(self) -> CatalogError:
        return CatalogError(
            "MP-3042",
            f"{self.text!r} is not the name of a type",
            next_step="write it as DuckDB does, for example DECIMAL(18,3) or STRUCT(a BIGINT)",
        )

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token.upper() != expected):
            raise self.refusal()
        self.at += 1
        return token

    def whole(self) -> TypeTree:
        tree = self.type()
        if self.peek():
            raise self.refusal()
        return tree

    def type(self) -> TypeTree:
        tree = self._core()
        while self.peek() == "[":
            self.take("[")
            size = (int(self.take()),) if self.peek().isdigit() else ()
            self.take("]")
            tree = TypeTree("ARRAY" if size else "LIST", (("element", tree),), size)
        return tree

    def _core(self) -> TypeTree:
        word = self.take()
        name = '"NULL"' if word == '"NULL"' else word.upper()
        if not (name == '"NULL"' or re.match(r"[A-Z_]", name)):
            raise self.refusal()
        name = _ALIASES.get(name, name)
        if self.peek().upper() == "PRECISION" and name == "DOUBLE":
            self.take()
        if self.peek().upper() in ("WITH", "WITHOUT"):
            zoned = self.take().upper() == "WITH"
            for expected in ("TIME", "ZONE"):
                self.take(expected)
            name = f"{name} WITH TIME ZONE" if zoned else name
        if self.peek() != "(":
            return TypeTree(name, (), (18, 3)) if name == "DECIMAL" else TypeTree(name)
        self.take("(")
        tree = self._with_arguments(name)
        self.take(")")
        return tree

    def _with_arguments(self, name: str) -> TypeTree:
        if name in ("STRUCT", "ROW", "UNION"):
            members = self._list(lambda: (_unquoted(self.take()), self.type()))
            return TypeTree("UNION" if name == "UNION" else "STRUCT", tuple(members))
        if name == "MAP":
            parts = self._list(lambda: ("", self.type()))
            if len(parts) != 2:
                raise self.refusal()
            return TypeTree("MAP", (("key", parts[0][1]), ("value", parts[1][1])))
        if name == "ENUM":
            self._list(self.take)
            return TypeTree("ENUM")
        numbers = self._list(self.take)
        if name == "DECIMAL" and all(number.isdigit() for number in numbers) and len(numbers) in (1, 2):
            width = int(numbers[0])
            return TypeTree("DECIMAL", (), (width, int(numbers[1]) if len(numbers) == 2 else 0))
        # VARCHAR(20) and the like: DuckDB reads the length and forgets it; GEOMETRY('EPSG:4326') names a system.
        return TypeTree(name)

    def _list(self, item: Callable[[], T]) -> list[T]:
        found = [item()]
        while self.peek() == ",":
            self.take(",")
            found.append(item())
        return found


def _unquoted(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word


def read_type(name: str) -> TypeTree:
    """A DuckDB type name as a tree. Raises CatalogError MP-3042 when it is no type name."""
    return _Reader(name).whole()


def to_duckdb(kind: IcebergType) -> str:
    """The DuckDB name of an Iceberg type. Raises CatalogError MP-3037 for a type that is not known."""
    if isinstance(kind, Mapping):
        return _nested_to_duckdb(kind)
    if kind in _TO_DUCKDB:
        return _TO_DUCKDB[kind]
    decimal = _DECIMAL.match(kind)
    if decimal:
        return f"DECIMAL({decimal[1]},{decimal[2]})"
    if kind.startswith("fixed["):
        return "BLOB"
    if kind.startswith(("geometry", "geography")):
        return "GEOMETRY"
    raise _unknown(kind)


def _nested_to_duckdb(kind: Mapping[str, Any]) -> str:
    word = kind.get("type")
    if word == "struct":
        members = ", ".join(f"{quote(field['name'])} {to_duckdb(field['type'])}" for field in kind["fields"])
        return f"STRUCT({members})"
    if word == "list":
        return f"{to_duckdb(kind['element'])}[]"
    if word == "map":
        return f"MAP({to_duckdb(kind['key'])}, {to_duckdb(kind['value'])})"
    raise _unknown(str(word))


def _unknown(kind: str) -> CatalogError:
    return CatalogError(
        "MP-3037",
        f"the Iceberg type {kind!r} is not known",
        next_step="use a type of Iceberg format version 2",
    )


def iceberg_type(name: str, next_id: Callable[[], int]) -> str | dict[str, Any]:
    """The Iceberg type for a DuckDB type name; nested fields take their ids from `next_id`, outer ones first.

    The type must be one that Iceberg v2 holds as it is (see `storable`). Raises CatalogError MP-3037 otherwise.
    """
    return _from_tree(read_type(name), next_id)


def _from_tree(tree: TypeTree, next_id: Callable[[], int]) -> str | dict[str, Any]:
    if tree.name in _FROM_DUCKDB:
        return _FROM_DUCKDB[tree.name]
    if tree.name == "DECIMAL":
        return f"decimal({tree.numbers[0]}, {tree.numbers[1]})"
    if tree.name == "STRUCT":
        ids = [next_id() for _ in tree.children]
        fields = [
            {"id": number, "name": name, "required": False, "type": _from_tree(child, next_id)}
            for number, (name, child) in zip(ids, tree.children, strict=True)
        ]
        return {"type": "struct", "fields": fields}
    if tree.name == "LIST":
        return {
            "type": "list",
            "element-id": next_id(),
            "element-required": False,
            "element": _from_tree(tree.children[0][1], next_id),
        }
    if tree.name == "MAP":
        key, value = tree.children[0][1], tree.children[1][1]
        return {
            "type": "map",
            "key-id": next_id(),
            "value-id": next_id(),
            "value-required": False,
            "key": _from_tree(key, next_id),
            "value": _from_tree(value, next_id),
        }
    raise CatalogError(
        "MP-3037",
        f"Iceberg cannot hold {tree.text()}: {_PROBLEMS.get(tree.name, 'it has no such type')}",
        next_step="cast the column to a type that every engine knows",
    )


def storable(name: str) -> str:
    """The DuckDB type that a column of this type is kept as: a wider one where Iceberg v2 lacks it, else itself.

    Types without a lossless equal come back as they are; `portable_problem` says what to do about them.
    """
    return _widened(read_type(name)).text()


def _widened(tree: TypeTree) -> TypeTree:
    if tree.name in _WIDER:
        return read_type(_WIDER[tree.name])
    children = tuple((name, _widened(child)) for name, child in tree.children)
    if tree.name == "ARRAY":
        return TypeTree("LIST", children)
    return TypeTree(tree.name, children, tree.numbers)


def portable_problem(name: str) -> str | None:
    """Why a column of this DuckDB type cannot be shared as it is (Iceberg v2, Spark, PyIceberg); None when it can."""
    return _problem(read_type(name))


def _problem(tree: TypeTree) -> str | None:
    if tree.name in _PROBLEMS:
        return _PROBLEMS[tree.name]
    if tree.name == "ARRAY":
        return "Iceberg has no array of fixed length; a list holds it"
    if tree.name == "DECIMAL" and tree.numbers[0] > 38:
        return "a decimal has at most 38 digits"
    if tree.name not in _FROM_DUCKDB and tree.name not in ("DECIMAL", "STRUCT", "LIST", "MAP"):
        return f"Iceberg has no type {tree.name}"
    return next((problem for _, child in tree.children if (problem := _problem(child))), None)


def schema_of(document: Mapping[str, Any]) -> Schema:
    """An Iceberg schema as columns with DuckDB type names."""
    return Schema(
        tuple(
            Column(field["name"], to_duckdb(field["type"]), bool(field.get("required")), field.get("doc"))
            for field in document["fields"]
        )
    )


def schema_json(schema: Schema) -> dict[str, Any]:
    """Columns as an Iceberg schema with ids from 1: all columns first, then what is nested in them.

    Raises CatalogError MP-3037 for a type that Iceberg v2 cannot hold.
    """
    last = len(schema)

    def next_id() -> int:
        nonlocal last
        last += 1
        return last

    fields = [column_json(column, number, next_id) for number, column in enumerate(schema, start=1)]
    return {"type": "struct", "schema-id": 0, "identifier-field-ids": [], "fields": fields}


def column_json(column: Column, number: int, next_id: Callable[[], int]) -> dict[str, Any]:
    """One column as an Iceberg field with the given id. Raises CatalogError MP-3037 as `schema_json` does."""
    field: dict[str, Any] = {
        "id": number,
        "name": column.name,
        "required": column.required,
        "type": iceberg_type(column.type, next_id),
    }
    return field if column.doc is None else field | {"doc": column.doc}
