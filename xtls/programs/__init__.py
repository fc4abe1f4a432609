"""
What people run: the twistd plugin and the xtls command.

The only place that prints, exits, or imports the reactor.
"""
