"""
How fast xtls is, beside Twisted's stock TLS: C{python -m benchmarks --help}.
"""
