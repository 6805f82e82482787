"""The book's own command hears what happened, and cannot hold up a refresh."""

import json
import os

import pytest
from processes import gone, wait_for

from retention_runner import notify

EVENT = {
    "book": "shop",
    "state": "failed",
    "why": ["20_survival: a cell failed"],
    "title": "Bücher",
}


def test_the_command_gets_the_event_and_runs_in_the_folder(tmp_path):
    (tmp_path / "tell.sh").write_text("cat > heard.json\n")
    assert notify.tell("sh tell.sh", EVENT, tmp_path) == ""
    assert json.loads((tmp_path / "heard.json").read_text()) == EVENT


def test_a_script_of_the_folder_is_found_and_no_shell_reads_its_arguments(tmp_path, capfd):
    script = tmp_path / "tell.sh"
    script.write_text('#!/bin/sh\necho "$1" > told; echo loud\n')
    assert "Permission denied" in notify.tell("./tell.sh a", EVENT, tmp_path)
    script.chmod(0o700)
    assert notify.tell("./tell.sh '$HOME; exit 1'", EVENT, tmp_path) == ""
    assert (tmp_path / "told").read_text() == "$HOME; exit 1\n"
    assert capfd.readouterr().out == ""


def test_a_command_that_does_not_listen_is_fine(tmp_path):
    assert notify.tell("true", EVENT | {"why": ["long"] * 100_000}, tmp_path) == ""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("./none.sh", "on_done: ./none.sh: cannot be run: No such file or directory"),
        ("'open", "on_done: 'open: cannot be run: No closing quotation"),
        ("false", "on_done: false: exit code 1"),
        (" ", "on_done:  : cannot be run: list index out of range"),
    ],
)
def test_what_went_wrong_is_said(tmp_path, command, said):
    assert notify.tell(command, EVENT, tmp_path) == said


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr(notify, "SECONDS", 2)
    (tmp_path / "tell.sh").write_text("sleep 600 & echo $! > pid; wait\n")
    said = notify.tell("sh tell.sh", EVENT, tmp_path)
    assert said == "on_done: sh tell.sh: took longer than 2 seconds and was ended"
    sleeper = int((tmp_path / "pid").read_text())
    wait_for(lambda: gone(sleeper), 10)


def test_what_it_leaves_running_does_not_hold_up_anything(tmp_path):
    (tmp_path / "tell.sh").write_text("sleep 600 & echo $! > pid\n")
    assert notify.tell("sh tell.sh", EVENT, tmp_path) == ""
    sleeper = int((tmp_path / "pid").read_text())
    assert not gone(sleeper)
    os.kill(sleeper, 9)
