"""The servers for tests: on loopback alone, and nothing keeps running."""

import os
import select
from contextlib import suppress

import psutil
import psycopg
import pytest
import servers


def listening() -> set[str]:
    """Addresses at which processes that the tests have started accept connections."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # short-lived ones end meanwhile
            sockets = process.net_connections("inet")
            found |= {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN}
    return {address.removeprefix("::ffff:") for address in found}


@pytest.mark.postgres
def test_postgresql_is_here_alone_wants_the_password_and_keeps_another_time(postgres):
    with psycopg.connect(postgres) as database:
        assert database.execute("show timezone").fetchone() == (servers.ZONE,)
    assert listening() == {"127.0.0.1"}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.replace(":loopback@", ":other@"))


@pytest.mark.spark
@pytest.mark.parametrize("kind", ["spark_connect", "spark_local"])
def test_spark_is_here_alone_and_keeps_another_time(kind, request):
    """One after the other, too."""
    with servers.spark_session(request.getfixturevalue(kind)) as session:
        assert session.conf.get("spark.sql.session.timeZone") == servers.ZONE
        assert listening() == {"127.0.0.1"}


def test_a_server_that_does_not_start_is_shown_with_what_it_said():
    def never() -> bool:
        return False

    with (
        pytest.raises(RuntimeError, match="sh does not serve:\nno such folder"),
        servers._serving(["sh", "-c", "echo no such folder"], never),
    ):
        pass


def test_a_server_ends_with_all_that_it_has_started(tmp_path):
    """Seen at a pipe that each process of the server holds open as long as it lives."""
    here, there = os.pipe()
    ready = tmp_path / "ready"
    command = ["sh", "-c", f"sleep 60 & touch {ready}; sleep 60"]
    with os.fdopen(here, "rb") as pipe:
        with servers._serving(command, ready.exists, pass_fds=[there]):
            os.close(there)
            assert select.select([pipe], [], [], 0)[0] == []
        assert select.select([pipe], [], [], 5)[0] == [pipe]
