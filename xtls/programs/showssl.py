"""
C{xtls show-ssl}: see L{xtls.programs.setupssl}.
"""

from __future__ import annotations

from xtls.programs.setupssl import show as run

__all__ = ["run"]
