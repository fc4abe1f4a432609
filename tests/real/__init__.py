"""
Tests with sockets, processes and other people's programs.
"""
