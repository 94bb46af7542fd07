"""Devices of a small made-up fleet: a few hosts, repeated models, names that do and do not match."""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.parquet as pq


def fleet_rows(rows: int, seed: int = 1) -> list[tuple[str, str]]:
    """Pairs of host and modalias."""
    chance = random.Random(seed)  # noqa: S311 a fleet, no secret
    devices = [f"pci:v{vendor}d{device}" for vendor in range(3) for device in range(40)]
    found = chance.choices(devices, k=rows)
    return [(f"host{row // 60:07}", device) for row, device in enumerate(found)]


def write_parquet(path: str, rows: list[tuple[str, str]], row_group: int = 1 << 20) -> None:
    """A Parquet file of such rows."""
    hosts, devices = zip(*rows, strict=True)
    pq.write_table(pa.table({"host": hosts, "modalias": devices}), path, row_group_size=row_group)
