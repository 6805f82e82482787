"""One lock for every way of installing: exact versions, with hashes, from no particular place."""

import os
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUP = (ROOT / ".ci" / "setup").read_text(encoding="utf-8")
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
TALK = {"capture_output": True, "text": True}
OURS = {"pip", "retention-workbook"}  # installed, but not from the lock


def entries(lock: str) -> list[str]:
    """The lock's logical lines, comments and blanks left out."""
    lines = re.sub(r"\s*\\\n\s*", " ", lock).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def unpinned(lock: str) -> list[str]:
    """Entries that are more or less than name, one version, maybe a marker, and sha256 hashes."""
    entry = r"[a-z0-9-]+==[\w.+!]+( ; [^@:/]+)?( --hash=sha256:[0-9a-f]{64})+"
    return [line for line in entries(lock) if not re.fullmatch(entry, line)]


def pinned(lock: str) -> list[Requirement]:
    return [Requirement(line.partition(" --hash")[0]) for line in entries(lock)]


def versions(lock: str) -> dict[str, str]:
    """What the lock gives this interpreter, on this system."""
    return {
        canonicalize_name(entry.name): next(iter(entry.specifier)).version
        for entry in pinned(lock)
        if entry.marker is None or entry.marker.evaluate()
    }


def left_out(script: str) -> set[str]:
    """Names of packages that set-up leaves out unless asked for Spark."""
    return set(re.search(r"^spark='(.+)'$", script, flags=re.MULTILINE)[1].split("|"))


def asked_for(project: dict, but: str = "") -> list[Requirement]:
    """Every requirement of the project: to run, of the extras ``but`` one, to test, to build."""
    extras = project["project"]["optional-dependencies"]
    groups = [
        project["project"]["dependencies"],
        *(extra for name, extra in extras.items() if name != but),
        *project["dependency-groups"].values(),
        project["build-system"]["requires"],
    ]
    return [Requirement(entry) for group in groups for entry in group]


def unmet(project: dict, lock: str) -> list[str]:
    """Requirements that the lock leaves out, or answers with a version they do not admit."""
    locked = {canonicalize_name(entry.name): entry for entry in pinned(lock)}
    found = []
    for wanted in asked_for(project):
        entry = locked.get(canonicalize_name(wanted.name))
        version = next(iter(entry.specifier)).version if entry else None
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            found.append(f"{wanted}, locked: {version}")
    return found


def closure(wanted: list[Requirement]) -> set[str]:
    """Names of what ``wanted`` brings in, by what the packages installed here ask for."""
    seen, ahead = set(), list(wanted)
    while ahead:
        entry = ahead.pop()
        for one in {(canonicalize_name(entry.name), extra) for extra in ("", *entry.extras)} - seen:
            seen.add(one)
            for needed in map(Requirement, metadata.requires(one[0]) or []):
                if needed.marker is None or needed.marker.evaluate({"extra": one[1]}):
                    ahead.append(needed)
    return {name for name, _ in seen}


def test_every_package_is_pinned_once_with_hashes_and_the_lock_names_no_registry():
    assert unpinned(LOCK) == []
    names = [canonicalize_name(entry.name) for entry in pinned(LOCK)]
    assert len(names) == len(set(names)) > 0


def test_the_lock_holds_everything_that_the_project_asks_for():
    assert unmet(PROJECT, LOCK) == []


def test_bounds_of_the_project_are_loose():
    """A library may be newer than ours: only the lock says which versions exactly."""
    exact = [str(entry) for entry in asked_for(PROJECT) if re.search("==|~=", str(entry.specifier))]
    assert exact == []


def test_this_environment_is_what_the_lock_says():
    installed = {canonicalize_name(found.name): found.version for found in metadata.distributions()}
    locked, spark = versions(LOCK), left_out(SETUP)
    if not spark & installed.keys():
        locked = {name: version for name, version in locked.items() if name not in spark}
    assert {name: installed[name] for name in installed.keys() - OURS} == locked


def test_set_up_leaves_out_what_the_extra_spark_alone_needs():
    others = closure(asked_for(PROJECT, but="spark"))
    assert left_out(SETUP) == versions(LOCK).keys() - others


def test_conda_gets_the_same_lock_and_the_same_pythons():
    python, pip, from_pip = CONDA["dependencies"]
    assert CONDA["name"] == "retention"
    assert CONDA["channels"] == ["conda-forge"]
    assert (pip, from_pip) == ("pip", {"pip": ["-r requirements.lock"]})
    pythons = SpecifierSet(python.removeprefix("python"))
    assert pythons == SpecifierSet(PROJECT["project"]["requires-python"])


HASH = "--hash=sha256:" + 64 * "0"
GOOD = f"# made by a tool\nnumpy==2.0 ; python_version > '3' \\\n    {HASH} \\\n    {HASH}\n"


@pytest.mark.parametrize(
    "line",
    [
        "numpy==2.0",
        f"numpy>=2.0 {HASH}",
        f"numpy==2.* {HASH}",
        "numpy==2.0 --hash=md5:0123",
        f"numpy @ https://example.org/numpy.whl {HASH}",
        f"--{'index'}-url https://example.org/simple",
    ],
)
def test_a_planted_entry_without_hash_or_with_a_place_is_found(line):
    good = f"{GOOD}a-b==1.0.post1 {HASH}\n"
    assert unpinned(good) == []
    assert unpinned(good + line + "\n") == [line]


def test_a_planted_requirement_that_the_lock_does_not_meet_is_found():
    extras = {"more": ["numpy<2"]}
    project = {
        "project": {"dependencies": ["numpy>=3", "numpy>=1"], "optional-dependencies": extras},
        "dependency-groups": {"test": ["scipy>=1"]},
        "build-system": {"requires": []},
    }
    wanted = ["numpy>=3, locked: 2.0", "numpy<2, locked: 2.0", "scipy>=1, locked: None"]
    assert unmet(project, GOOD) == wanted


@pytest.mark.slow
def test_set_up_fails_loudly_where_a_file_is_not_the_locked_one(tmp_path):
    for part in (".ci", "requirements.lock", "pyproject.toml"):
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, tmp_path / part)
    lock = tmp_path / "requirements.lock"
    lock.write_text(re.sub("sha256:[0-9a-f]{4}", "sha256:dead", lock.read_text()))

    done = subprocess.run([".ci/setup"], cwd=tmp_path, check=False, **TALK)

    assert done.returncode != 0
    assert "Ready" not in done.stdout
    assert "HASH" in done.stdout.upper()
    assert not (tmp_path / ".venv" / ".ready").exists()


def test_set_up_divides_the_lock_and_loses_nothing(tmp_path):
    """With an interpreter that installs nothing; asked for Spark alone, it sets up the rest too."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    shutil.copy2(ROOT / "requirements.lock", tmp_path)
    python = tmp_path / "python3"
    venv = '[ "$2" != venv ] || { mkdir -p .venv/bin && cp "$0" .venv/bin/python; }'
    python.write_text(f"#!/bin/sh\n{venv}\n")
    python.chmod(0o755)

    subprocess.run(
        [".ci/setup", "spark"], cwd=tmp_path, env=os.environ | {"PYTHON": str(python)}, check=True
    )

    base, spark = ((tmp_path / ".venv" / f"{part}.lock").read_text() for part in ("base", "spark"))
    assert sorted(entries(base) + entries(spark)) == sorted(entries(LOCK))
    assert {entry.name for entry in pinned(spark)} == left_out(SETUP)


def test_another_python_is_refused_with_a_clear_word(tmp_path):
    other = tmp_path / "python2"
    other.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 2.7.18 || exit 1\n')
    other.chmod(0o755)
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")

    env = {"PYTHON": str(other), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([".ci/setup"], cwd=tmp_path, env=env, check=False, **TALK)

    assert done.returncode == 2
    assert "Python 3.11, 3.12 or 3.13 is needed; found: Python 2.7.18." in done.stderr
    assert not (tmp_path / ".venv").exists()
