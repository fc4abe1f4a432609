"""
xtls: one port that speaks raw TCP, TLS, HTTP(S), WebSocket, secure WebSocket and SSH.

The words, each used for one thing only:

  - I{port}: what listens.  It tells protocols apart by their first octets.
  - I{socket}: one address that a port is bound to, with options of its own.
  - I{session}: what a port leads to: an L{IProtocolFactory
    <twisted.internet.interfaces.IProtocolFactory>}, such as a forward to a backend.
  - I{mode}: how a socket was bound, or how a client speaks: tcp, ssl, ws, wss, ssh.
  - I{upgrade}: a change of protocol on one connection, such as from TCP to TLS.
  - I{target}: what a client is pointed at: a URL, a display string or a connection file.
  - I{option}: one thing that a user may say, such as C{ssl-cert}; defined once.
  - I{refusal}: why a peer was not let in, with the evidence.
  - I{identity}: who a verified client certificate says the client is.
  - I{remembered host}: a server that a user has accepted, by host and port.

Read the folders in this order, which is the order in which they may import one another:
C{errors}, C{config} (what the user said), C{trust} (whom to believe), C{wire} (octets), C{port} (one
port, every protocol), C{sessions} (what it leads to), C{endpoints} (Twisted's doors), C{programs} (what
people run); and C{testing}, for the tests of those who use xtls.
"""

__version__ = "0.1.0"
