"""What SQL functions do to rows, by name: those of DuckDB 1.5.5 and its extension spatial.

A test compares the lists with the engine.
"""

from __future__ import annotations

from sqlglot import exp

_AGGREGATES_TEXT = """
any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last
arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or bit_xor bitstring_agg bool_and
bool_or corr count count_if count_star countif covar_pop covar_samp cume_dist dense_rank entropy favg fill first
first_value fsum group_concat histogram histogram_exact kahan_sum kurtosis kurtosis_pop lag last last_value lead
list listagg mad max max_by mean median min min_by mode nth_value ntile percent_rank product quantile quantile_cont
quantile_disc rank rank_dense regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy
regr_syy reservoir_quantile row_number sem skewness stddev stddev_pop stddev_samp string_agg sum sum_no_overflow
sumkahan var_pop var_samp variance geomean geometric_mean json_group_array json_group_object json_group_structure
wavg weighted_avg percentile_cont percentile_disc grouping grouping_id
st_asmvt st_coverageinvalidedges_agg st_coveragesimplify_agg st_coverageunion_agg st_envelope_agg st_extent_agg
st_intersection_agg st_memunion_agg st_union_agg
"""

AGGREGATES = frozenset(_AGGREGATES_TEXT.split())
"""Functions of many rows: DuckDB's aggregates and window functions, its macros over them, the standard's spellings."""

ROW_MAKERS = frozenset({"unnest", "generate_subscripts", "regexp_split_to_table", "explode", "posexplode"})
"""Functions that turn one row into many when they stand in a select list."""

_VOLATILE_TEXT = """
current_connection_id current_query current_query_id current_transaction_id currval error gen_random_uuid nextval
random setseed sleep_ms stats uuid uuidv4 uuidv7 write_log current_catalog current_database current_date
current_schema current_schemas current_time current_timestamp get_current_time get_current_timestamp in_search_path
localtime localtimestamp now today transaction_timestamp txid_current ago pg_sleep pg_conf_load_time
pg_postmaster_start_time current_user session_user current_role user getvariable current_setting
"""

VOLATILE = frozenset(_VOLATILE_TEXT.split())
"""Functions whose answer depends on more than their arguments."""

_KEYWORDS: dict[type[exp.Expr], str] = {
    exp.CurrentDate: "current_date",
    exp.CurrentDatetime: "current_datetime",
    exp.CurrentTime: "current_time",
    exp.CurrentTimestamp: "current_timestamp",
    exp.CurrentUser: "current_user",
    exp.CurrentRole: "current_role",
    exp.CurrentCatalog: "current_catalog",
    exp.SessionUser: "session_user",
    exp.Localtime: "localtime",
    exp.Localtimestamp: "localtimestamp",
}


def called(node: exp.Expr) -> str | None:
    """The lower-case name of the function that a node calls, None for all other nodes."""
    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    return _KEYWORDS.get(type(node))


def is_volatile(node: exp.Expr) -> bool:
    """Whether the node itself is a call with another answer each time."""
    name = called(node)
    return name is not None and (name in VOLATILE or type(node) in _KEYWORDS)


def is_aggregate(node: exp.Expr) -> bool:
    """Whether the node itself is a call that needs many rows."""
    return isinstance(node, (exp.AggFunc, exp.WithinGroup, exp.Filter)) or called(node) in AGGREGATES
