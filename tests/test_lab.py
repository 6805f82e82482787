"""An analyst in JupyterLab: opens a notebook, Run All, and sees what the page shows."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from browser import chromium
from workbooks import outputs

PROJECT = Path(__file__).parents[1]
NOTEBOOK = "20_survival.ipynb"


@contextmanager
def jupyter_lab(folder: Path):
    """JupyterLab as `make lab` starts it, on a free port of this machine; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    verb = (PROJECT / "Makefile").read_text().replace("\\\n", " ")
    flags = re.search(r"-m (jupyter lab .*)", verb)[1].split()
    command = [sys.executable, "-m", *flags, "--no-browser", "--allow-root"]
    command += [f"--port={port}", f"--IdentityProvider.token={token}"]
    log = (folder / "lab.log").open("w")
    server = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"JUPYTER_PREFER_ENV_PATH": "1", "HOME": str(folder)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(120):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK}?token={token}"
    finally:
        server.terminate()
        server.wait(30)
        log.close()


@pytest.mark.chromium
def test_run_all_in_jupyterlab_shows_what_the_page_shows(refreshed, tmp_path):
    folder = shutil.copytree(refreshed, tmp_path / "shop", symlinks=True)
    notebook = folder / "notebooks" / NOTEBOOK
    changed = json.loads(notebook.read_text().replace('\\"cdnow\\"', '\\"shop\\"'))
    notebook.write_text(json.dumps(changed))

    with chromium() as browser, jupyter_lab(folder) as address:
        page = browser.new_page()
        page.goto(address)
        page.locator(".jp-Notebook").first.wait_for(timeout=60_000)
        page.get_by_text("| Idle").wait_for(timeout=60_000)
        page.locator("#jp-MainMenu").get_by_text("Run", exact=True).click()
        page.locator("li[data-command='runmenu:run-all']").click()
        for _ in range(30):
            page.wait_for_timeout(2_000)
            page.locator("[data-command='docmanager:save']").first.click()
            with suppress(json.JSONDecodeError):  # it is just being saved
                cells = json.loads(notebook.read_text())["cells"]
                if all(cell.get("execution_count", 1) for cell in cells):
                    break

    executed = folder / "work" / "shop" / "2025-06-30" / "notebooks" / NOTEBOOK
    opened, given, *shown = outputs(notebook)
    assert "shop, data up to 2025-06-30; tables: activity, " in opened
    assert "Set by params/shop.yaml: by = " in given
    assert shown == outputs(executed)
    assert len(shown) > 4
