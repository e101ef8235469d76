"""A process that appends by blind steps of its own: STORE WAREHOUSE FIRST COUNT."""

from __future__ import annotations

import sys

from clients import step, stock_duckdb

from millpond.catalog.catalog import Catalog
from millpond.catalog.gateway.server import Gateway
from millpond.core.clock import SystemClock

store, warehouse, first, count = sys.argv[1:]
catalog = Catalog.open(store, warehouse, "prod", SystemClock())
gateway = Gateway(catalog)
door = gateway.start()
for number in range(int(first), int(first) + int(count)):
    stage = catalog.begin(f"step {number}")
    lake = stock_duckdb(door, stage.token)
    lake.execute(f"INSERT INTO lake.silver.positions VALUES ({number}, 'w')")
    lake.close()
    stage.publish(step(f"step {number}", blind=True))
gateway.stop()
catalog.close()
