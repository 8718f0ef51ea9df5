# SPDX-License-Identifier: MIT
"""What every test may need: the long form, and the shelf of real inputs."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")


def pytest_addoption(parser):
    parser.addoption(
        "--long",
        action="store_true",
        default=bool(os.environ.get("MEMPLAN_LONG")),
        help="all random cases, not the few that fit CI",
    )


@pytest.fixture(scope="session")
def is_long(request):
    return request.config.getoption("--long")


@pytest.fixture(scope="session")
def shared():
    """The folder of real inputs beside the repository."""
    path = Path(os.environ.get("MEMPLAN_SHARED", ROOT.parent / "shared"))
    if not path.is_dir():
        absent(f"{path} is absent: set MEMPLAN_SHARED to the shelf of real inputs")
    return path


def absent(why):
    """Skip, but fail where CI promised to have everything."""
    if IN_CI:
        pytest.fail(why)
    pytest.skip(why, allow_module_level=True)


def needs(*names):
    """Import optional packages, or skip."""
    import importlib

    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        absent(f"{error}; tests/python/requirements.txt lists what is needed")
