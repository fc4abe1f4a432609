"""
How fast xtls is, beside other programs that do the same: C{python -m benchmarks --help}.

In reading order: C{works} says what is measured, C{peers} with whom; C{processes} and C{ground} start them,
C{backend} is behind them, C{generator} in front of them (with C{jobs}, C{loop}, C{opening}, C{streams} and
C{frames}), C{servers} are Twisted's own; C{measuring} reads what they used, C{rounds} has it all done;
C{results}, C{report}, C{markdown} and C{plot} tell.
"""
