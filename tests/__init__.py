"""
The tests of xtls, in three tiers.

C{test_*.py} here are pure or in memory: no reactor, no sleeping, no sockets.  C{real/} is for sockets,
processes and other people's programs.  C{support/} holds what tests share and has no tests in it.
"""
