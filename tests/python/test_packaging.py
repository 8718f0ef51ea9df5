# SPDX-License-Identifier: MIT
"""The wheel and the sdist: built offline, complete, installed afresh."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from conftest import ROOT, needs

needs("build", "scikit_build_core", "cffi")

HEADER = (ROOT / "libmemplan/include/memplan.h").read_text(encoding="utf-8")
VERSION = re.search(r'MEMPLAN_VERSION_STRING "([^"]+)"', HEADER)[1]


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The sdist, and the wheel built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out)]
    cache = {
        f"CMAKE_{language}_COMPILER_LAUNCHER": "ccache"
        for language in ("C", "CXX")
        if shutil.which("ccache")
    }
    done = subprocess.run(
        [*command, str(ROOT)], capture_output=True, text=True, env={**os.environ, **cache}
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


def test_wheel_is_one_for_all_versions(dist):
    (wheel,) = dist.glob("*.whl")
    assert re.match(rf"memplan-{VERSION}-cp39-abi3-.*linux.*\.whl", wheel.name)
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("_native.abi3.so", "py.typed", "bin/memplan", "transformers/oom.py"):
        assert f"memplan/{name}" in names
    assert not [name for name in names if not name.startswith("memplan")]


def test_sdist_has_sources_only(dist):
    (sdist,) = dist.glob("*.tar.gz")
    names = tarfile.open(sdist).getnames()
    folder = f"memplan-{VERSION}"
    assert f"{folder}/libmemplan/include/memplan.h" in names
    assert f"{folder}/libmemplan/include/memplan/accelerate.h" in names
    assert f"{folder}/bindings/python/build_native.py" in names
    assert not [name for name in names if "/tests/" in name or "/build/" in name]


def test_installs_into_a_fresh_environment(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    # cffi, its one dependency, comes from here, so that no network is needed.
    parent = subprocess.run(
        [sys.executable, "-c", "import cffi, os; print(os.path.dirname(cffi.__path__[0]))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    install = [python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True)
    check = f"import sys; sys.path.append({parent!r}); import memplan; print(memplan.__version__)"
    done = subprocess.run([python, "-c", check], capture_output=True, text=True)
    assert done.stdout.strip() == VERSION, done.stderr
    command = tmp_path / "venv/bin/memplan"
    done = subprocess.run(
        [command, "--version"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": parent, "PATH": "/usr/bin:/bin"},
    )
    assert VERSION in done.stdout, done.stderr


def test_module_exports_its_entry_alone(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    zipfile.ZipFile(wheel).extract("memplan/_native.abi3.so", tmp_path)
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", tmp_path / "memplan/_native.abi3.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [line.split()[-1] for line in listed.splitlines()] == ["PyInit__native"]
