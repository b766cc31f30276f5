"""Every option there is."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

from proa import DockerSettings, Materializer, OnOOM, Resources, Retry, Schedule, pipeline, step


class Table:
    """A type of the user's."""

    rows = 0


class TableMaterializer(Materializer):
    types = (Table,)

    def save(self, value: Table, path: Path) -> None:
        (path / "rows").write_text(str(value.rows))

    def load(self, path: Path, type: Any) -> Table:
        return Table()


class OtherMaterializer(Materializer):
    def save(self, value: Any, path: Path) -> None:
        (path / "value").write_text(str(value))


@dataclass
class Metrics:
    accuracy: float


@step(
    name="load the table",
    enable_cache=False,
    settings={
        "docker": DockerSettings(parent_image="python:3.11-slim", requirements=["six", "idna>=3"]),
        "orchestrator": {"node_selector": {"pool": "large"}, "privileged": False},
    },
    retry=Retry(
        3,
        delay="10s",
        factor=2,
        cap=timedelta(minutes=5),
        on=["user", "image"],
        infrastructure=5,
        on_oom=OnOOM(max_memory="8Gi", memory_factor=1.5),
    ),
    timeout="1h30m",
    resources=Resources(
        cpu="500m",
        memory="2Gi",
        gpu=1,
        gpu_resource="amd.com/gpu",
        ephemeral_storage="10Gi",
        shared_memory="1Gi",
    ),
    secrets=["warehouse", "api"],
)
def load(path: str) -> Table:
    return Table()


@step(retry=2, timeout=90, resources={"cpu": 2}, output_materializers=OtherMaterializer)
def count(table: Table, *, minimum: int) -> Annotated[int, "rows"]:
    return max(table.rows, minimum)


@step(output_materializers={"text": OtherMaterializer})
def report(
    rows: int, **names: str
) -> "tuple[Annotated[str, 'text'], Annotated[Metrics, 'metrics'], Any, Annotated[Path, 'folder']]":
    return "", Metrics(1.0), None, Path()


@pipeline(
    name="Every field, größer",
    enable_cache=True,
    schedule=Schedule(
        "0 3 * * *",
        name="nightly",
        timezone="Europe/Berlin",
        start_time=datetime(2026, 12, 1, tzinfo=timezone.utc),
        end_time="2027-01-01T00:00:00+01:00",
        catchup=True,
        concurrency="allow",
    ),
    settings={
        "docker": {
            "requirements": "every_field.txt",
            "environment": {"OMP_NUM_THREADS": "1"},
            "platform": "linux/arm64",
        }
    },
    secrets=["api"],
)
def every_field(minimum: int):
    table = load("s3://bucket/table")
    rows = count.with_options(enable_cache=True)(table, minimum=minimum)
    report(rows, first="a", second="b", after=table)


if __name__ == "__main__":
    every_field(minimum=1)
