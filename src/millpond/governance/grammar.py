"""The nodes of DuckDB's serialised syntax tree that a statement may be made of, each with the fields it may have.

These are the names of DuckDB 1.5.5's `json_serialize_sql`. A node or a field that is not here is refused: a new
engine version that says something new about a query has to be reviewed first.
"""

from __future__ import annotations

from collections.abc import Mapping

_EXPRESSION = {"class", "type", "alias", "query_location"}
_REFERENCE = {"type", "alias", "sample", "query_location"}
_QUERY = {"type", "modifiers", "cte_map"}
_TYPE = {"type", "alias", "extension_info"}
_WINDOW = {
    *("function_name", "schema", "catalog", "children", "partitions", "orders", "start", "end", "start_expr"),
    *("end_expr", "offset_expr", "default_expr", "ignore_nulls", "filter_expr", "exclude_clause", "distinct"),
    "arg_orders",
}
_SELECT = {
    *("select_list", "from_table", "where_clause", "group_expressions", "group_sets", "aggregate_handling"),
    *("having", "sample", "qualify"),
}
_FUNCTION = {
    *("function_name", "schema", "catalog", "children", "filter", "order_bys", "distinct", "is_operator"),
    "export_state",
}
_STAR = {
    *("relation_name", "exclude_list", "replace_list", "columns", "expr", "qualified_exclude_list", "rename_list"),
}
_COMPARISONS = (
    *("EQUAL", "NOTEQUAL", "LESSTHAN", "GREATERTHAN", "LESSTHANOREQUALTO", "GREATERTHANOREQUALTO"),
    *("DISTINCT_FROM", "NOT_DISTINCT_FROM"),
)
_OPERATORS = (
    *("COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_TRY"),
    *("OPERATOR_COALESCE", "OPERATOR_UNPACK", "ARRAY_EXTRACT", "ARRAY_SLICE", "ARRAY_CONSTRUCTOR", "STRUCT_EXTRACT"),
    "GROUPING_FUNCTION",
)
_WINDOWS = (
    *("AGGREGATE", "ROW_NUMBER", "RANK", "RANK_DENSE", "NTILE", "PERCENT_RANK", "CUME_DIST", "FIRST_VALUE"),
    *("LAST_VALUE", "NTH_VALUE", "LAG", "LEAD", "FILL"),
)
_JOIN = {
    *("left", "right", "condition", "join_type", "ref_type", "using_columns", "delim_flipped"),
    "duplicate_eliminated_columns",
}
_PIVOT = {
    *("source", "aggregates", "unpivot_names", "pivots", "groups", "column_name_alias", "include_nulls"),
}


def _nodes() -> dict[str, set[str]]:
    nodes = {
        "SELECT_NODE": _QUERY | _SELECT,
        "SET_OPERATION_NODE": _QUERY | {"setop_type", "left", "right", "setop_all"},
        "RECURSIVE_CTE_NODE": _QUERY | {"cte_name", "union_all", "left", "right", "aliases", "key_targets"},
        "ORDER_MODIFIER": {"type", "orders"},
        "LIMIT_MODIFIER": {"type", "limit", "offset"},
        "LIMIT_PERCENT_MODIFIER": {"type", "limit", "offset"},
        "DISTINCT_MODIFIER": {"type", "distinct_on_targets"},
        "BASE_TABLE": _REFERENCE | {"schema_name", "table_name", "column_name_alias", "catalog_name", "at_clause"},
        "JOIN": _REFERENCE | _JOIN,
        "SUBQUERY": _REFERENCE | {"subquery", "column_name_alias"},
        "TABLE_FUNCTION": _REFERENCE | {"function", "column_name_alias", "with_ordinality"},
        "EXPRESSION_LIST": _REFERENCE | {"expected_names", "expected_types", "values"},
        "EMPTY": _REFERENCE,
        "PIVOT": _REFERENCE | _PIVOT,
        "CONSTANT:VALUE_CONSTANT": _EXPRESSION | {"value"},
        "PARAMETER:VALUE_PARAMETER": _EXPRESSION | {"identifier"},
        "COLUMN_REF:COLUMN_REF": _EXPRESSION | {"column_names"},
        "POSITIONAL_REFERENCE:POSITIONAL_REFERENCE": _EXPRESSION | {"index"},
        "STAR:STAR": _EXPRESSION | _STAR,
        "FUNCTION:FUNCTION": _EXPRESSION | _FUNCTION,
        "CASE:CASE_EXPR": _EXPRESSION | {"case_checks", "else_expr"},
        "CAST:OPERATOR_CAST": _EXPRESSION | {"child", "cast_type", "try_cast"},
        "COLLATE:COLLATE": _EXPRESSION | {"child", "collation"},
        "BETWEEN:COMPARE_BETWEEN": _EXPRESSION | {"input", "lower", "upper"},
        "LAMBDA:LAMBDA": _EXPRESSION | {"lhs", "expr"},
        "SUBQUERY:SUBQUERY": _EXPRESSION | {"subquery_type", "subquery", "child", "comparison_type"},
        "CONJUNCTION:CONJUNCTION_AND": _EXPRESSION | {"children"},
        "CONJUNCTION:CONJUNCTION_OR": _EXPRESSION | {"children"},
        "LIST_TYPE_INFO": _TYPE | {"child_type"},
        "ARRAY_TYPE_INFO": _TYPE | {"child_type", "size"},
        "DECIMAL_TYPE_INFO": _TYPE | {"width", "scale"},
        "STRUCT_TYPE_INFO": _TYPE | {"child_types"},
        "ENUM_TYPE_INFO": _TYPE | {"values_count", "values"},
        "STRING_TYPE_INFO": _TYPE | {"collation"},
        "UNBOUND_TYPE_INFO": _TYPE | {"name", "catalog", "schema", "user_type_modifiers"},
    }
    nodes |= {order: {"type", "null_order", "expression"} for order in ("ASCENDING", "DESCENDING", "ORDER_DEFAULT")}
    nodes |= {f"COMPARISON:COMPARE_{name}": _EXPRESSION | {"left", "right"} for name in _COMPARISONS}
    nodes |= {f"OPERATOR:{name}": _EXPRESSION | {"children"} for name in _OPERATORS}
    nodes |= {f"WINDOW:WINDOW_{name}": _EXPRESSION | _WINDOW for name in _WINDOWS}
    return nodes


NODES: Mapping[str, frozenset[str]] = {kind: frozenset(fields) for kind, fields in _nodes().items()}
"""Fields by kind; kinds of expressions are written `class:type`."""

CONTAINERS = frozenset(
    frozenset(fields.split())
    for fields in (
        "node named_param_map",
        "map",
        "key value",
        "aliases query materialized key_targets",
        "when_expr then_expr",
        "catalog schema table column",
        "sample_size is_percentage method seed",
        "type is_null value",
        "type is_null",
        "id type_info",
        "first second",
        "pivot_expressions unpivot_names entries pivot_enum",
        "values star_expr alias",
    )
)
"""Parts without a type of their own. Values (those with `is_null`) are data and hold no nodes."""
