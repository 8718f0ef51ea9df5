# SPDX-License-Identifier: MIT
"""python -m memplan: the command, which the wheel carries."""

from __future__ import annotations

import os
import sys
from pathlib import Path

COMMAND = Path(__file__).parent / "bin" / "memplan"


def main() -> None:
    """Become the command."""
    try:
        os.execv(COMMAND, ["memplan", *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"memplan: {COMMAND}: {error.strerror}")


if __name__ == "__main__":
    main()
