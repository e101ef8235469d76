"""How engines and libraries of other makers are told where a lake is."""

from __future__ import annotations

from collections.abc import Callable

from millpond.core.errors import ProjectError
from millpond.core.names import TableName, closest, literal
from millpond.core.records import frozen

SPARK = "4.1"
ICEBERG = "1.12.0"
"""The newest pair of Spark and Iceberg's runtime that fit each other."""


@frozen
class Door:
    """Where a gateway answers, the environment it is asked for, a table to try, and whether it asks for a token.

    Tokens are never printed: what is printed names the environment variable MILLPOND_TOKEN, or shows where to paste.
    """

    endpoint: str
    environment: str
    table: TableName
    token: bool


def endpoint(host: str, port: int) -> str:
    """The URL of a gateway on a port of a host. An address of IPv6 stands in brackets."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/iceberg"


def configuration(client: str, door: Door) -> str:
    """What a client needs, as text to save or to paste. Raises ProjectError MP-1054 for a client that is not known."""
    if client not in _CLIENTS:
        raise ProjectError(
            "MP-1054",
            f"nothing is known of connecting {client!r}",
            next_step=f"say one of {', '.join(CLIENTS)}; others that speak the Iceberg REST protocol need the address "
            f"{door.endpoint} and the warehouse {door.environment!r}",
            suggestion=closest(client, CLIENTS),
        )
    return _CLIENTS[client](door)


def _duckdb(door: Door) -> str:
    rights = "TOKEN 'paste the token here'" if door.token else "AUTHORIZATION_TYPE 'none'"
    return f"""\
-- DuckDB 1.5
INSTALL iceberg; LOAD iceberg;
ATTACH {literal(door.environment)} AS lake (TYPE iceberg, ENDPOINT {literal(door.endpoint)}, {rights});
SELECT * FROM lake.{door.table.quoted} LIMIT 5;
"""


def _pyiceberg(door: Door) -> str:
    return f"""\
# Python, with: pip install pyiceberg pyarrow
{_opened(door)}
print(lake.load_table({_identifier(door.table)}).scan(limit=5).to_arrow())
"""


def _pandas(door: Door) -> str:
    return f"""\
# Python, with: pip install pyiceberg pandas
{_opened(door)}
print(lake.load_table({_identifier(door.table)}).scan(limit=5).to_pandas())
"""


def _polars(door: Door) -> str:
    return f"""\
# Python, with: pip install pyiceberg polars
{_opened(door, "import polars as pl")}
print(pl.scan_iceberg(lake.load_table({_identifier(door.table)})).head(5).collect())
"""


def _opened(door: Door, *imports: str) -> str:
    lines = ["import os", ""] if door.token else []
    lines += [*imports, "from pyiceberg.catalog import load_catalog", ""]
    rights = ', token=os.environ["MILLPOND_TOKEN"]' if door.token else ""
    lines.append(
        f'lake = load_catalog("lake", type="rest", uri="{door.endpoint}", warehouse="{door.environment}"{rights})'
    )
    return "\n".join(lines)


def _spark(door: Door) -> str:
    settings = {
        "spark.jars.packages": f"org.apache.iceberg:iceberg-spark-runtime-{SPARK}_2.13:{ICEBERG}",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "rest",
        "spark.sql.catalog.lake.uri": door.endpoint,
        "spark.sql.catalog.lake.warehouse": door.environment,
        # Else a session does not see what others commit until it is told to refresh.
        "spark.sql.catalog.lake.cache-enabled": "false",
        "spark.sql.session.timeZone": "UTC",
    }
    if door.token:
        settings["spark.sql.catalog.lake.rest.auth.type"] = "oauth2"
        settings["spark.sql.catalog.lake.oauth2-server-uri"] = f"{door.endpoint}/v1/oauth/tokens"
        settings["spark.sql.catalog.lake.token"] = "paste the token here"
    lines = "\n".join(f"{name:<40} {value}" for name, value in settings.items())
    return f"""\
# conf/spark-defaults.conf of Spark {SPARK}, then: SELECT * FROM lake.{_backquoted(door.table)} LIMIT 5
{lines}
"""


def _sail(door: Door) -> str:
    rights = ', bearer_access_token="$MILLPOND_TOKEN"' if door.token else ""
    return f"""\
# Sail 0.7, with: pip install pysail; then any Spark Connect client at sc://127.0.0.1:15013
export SAIL_CATALOG__LIST="[{{name=\\"lake\\", type=\\"iceberg-rest\\", uri=\\"{door.endpoint}\\", \
warehouse=\\"{door.environment}\\"{rights.replace('"', chr(92) + '"')}}}]"
export SAIL_CATALOG__DEFAULT_CATALOG='"lake"'
sail spark server --port 15013
"""


def _trino(door: Door) -> str:
    rights = "\niceberg.rest-catalog.security=OAUTH2\niceberg.rest-catalog.oauth2.token=${ENV:MILLPOND_TOKEN}"
    # The files of a lake on a local disk are named by plain paths, which of Trino's file systems this one alone reads.
    return f"""\
# etc/catalog/lake.properties of Trino, then: SELECT * FROM lake.{door.table.quoted} LIMIT 5
connector.name=iceberg
iceberg.catalog.type=rest
iceberg.rest-catalog.uri={door.endpoint}
iceberg.rest-catalog.warehouse={door.environment}{rights if door.token else ""}
iceberg.register-table-procedure.enabled=true
fs.hadoop.enabled=true
"""


def _identifier(table: TableName) -> str:
    """A table's name as a Python tuple."""
    return repr((table.layer, table.name))


def _backquoted(table: TableName) -> str:
    """A table's name as Spark quotes it."""
    return ".".join(f"`{part.replace('`', '``')}`" for part in (table.layer, table.name))


_CLIENTS: dict[str, Callable[[Door], str]] = {
    "spark": _spark,
    "trino": _trino,
    "pyiceberg": _pyiceberg,
    "duckdb": _duckdb,
    "sail": _sail,
    "polars": _polars,
    "pandas": _pandas,
}
CLIENTS = tuple(_CLIENTS)
"""The clients whose configuration is known."""
