"""Writes test/cases/tables/*.parquet: types that other libraries write and that a table of records may hold.

pip install pyarrow pandas duckdb; python scripts/golden/parquet_types.py
"""

import datetime as dt
import decimal
import random
import uuid

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

N = 60
rng = random.Random(7)
start = dt.datetime(2025, 1, 1, 8, 30, tzinfo=dt.timezone.utc)
moments = [start + dt.timedelta(hours=rng.randrange(8_000)) for _ in range(N)]
table = pa.table(
    {
        "when_tz": pa.array(moments, pa.timestamp("us", tz="Europe/Berlin")),
        "when_naive": pa.array([m.replace(tzinfo=None) for m in moments], pa.timestamp("ms")),
        "day": pa.array([m.date() for m in moments], pa.date32()),
        "clock": pa.array([m.time() for m in moments], pa.time64("us")),
        "took": pa.array([dt.timedelta(minutes=rng.randrange(5_000)) for _ in range(N)], pa.duration("us")),
        "counter": pa.array([2**63 + rng.randrange(2**40) for _ in range(N)], pa.uint64()),
        "price": pa.array([decimal.Decimal(rng.randrange(100_000)) / 100 for _ in range(N)], pa.decimal128(12, 2)),
        "label": ["yes" if rng.random() < 0.5 else "no" for _ in range(N)],
    }
)
pq.write_table(table, "test/cases/tables/21-times-and-big-numbers.parquet")

nested = pa.table(
    {
        "amount": pa.array([rng.random() for _ in range(N)]),
        "tags": pa.array([[f"t{rng.randrange(5)}"] for _ in range(N)], pa.list_(pa.string())),
        "address": pa.array([{"zip": f"{rng.randrange(99_999):05}"} for _ in range(N)]),
        "photo": pa.array([bytes([rng.randrange(256)]) for _ in range(N)], pa.binary()),
    }
)
pq.write_table(nested, "test/cases/tables/21-nested.parquet")

# Written by DuckDB, whose HUGEINT becomes a double: sixty numbers, one value.
duckdb.sql(
    "copy (select 170141183460469231731687303715884105000::hugeint + i as huge, i % 7 as small "
    f"from range({N}) t(i)) to 'test/cases/tables/21-hugeint.parquet' (format parquet)"
)

# A frame that was sorted by label, then shuffled: its index is written as __index_level_0__.
frame = pd.DataFrame({"noise": [round(rng.gauss(0, 1), 3) for _ in range(400)], "left": ["no"] * 200 + ["yes"] * 200})
frame.sample(frac=1, random_state=3).to_parquet("test/cases/tables/12-shuffled-index.parquet")
frame.to_csv("test/cases/tables/12-unnamed-index.csv")
