"""
C{python -m xtls}: the same as the C{xtls} command.
"""

import sys

from xtls.programs.cli import main

sys.exit(main())
