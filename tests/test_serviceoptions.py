"""
The command line of C{twistd xtls} as a plan.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from xtls.config.definitions import Side
from xtls.config.modes import Mode
from xtls.config.portoptions import ALL_OPTIONS, SSLSwitch
from xtls.errors import OptionError
from xtls.programs.serviceoptions import Plan, Socket, plan, serviceCommandLine

FORWARD = "--forward=tcp:127.0.0.1:5900"


def planned(*words: str) -> Plan:
    """
    The plan for a command line.
    """
    return plan(serviceCommandLine().parse(words))


class PlanTests(SynchronousTestCase):
    """
    L{plan}.
    """

    def refused(self, *words: str) -> OptionError:
        """
        Why a command line cannot be used.
        """
        return self.assertRaises(OptionError, planned, *words)  # type: ignore[no-any-return]

    def socket(self, *words: str) -> Socket:
        """
        The one socket of a plan.
        """
        (socket,) = planned(FORWARD, *words).sockets
        return socket

    def test_modes(self) -> None:
        """
        Each option binds a socket in its mode, as often as it is said.
        """
        sockets = planned(
            FORWARD,
            "--bind-tcp=1",
            "--bind-tcp=0.0.0.0:2",
            "--bind-ssl=h:3",
            "--bind-ws=*:4",
            "--bind-wss=[::1]:5",
            "--bind=/run/x",
            "--listen=systemd:domain=INET:index=0",
            "--listen=unix:/run/y",
        ).sockets
        self.assertEqual(
            [(socket.mode, socket.place, socket.source) for socket in sockets],
            [
                (Mode.TCP, "127.0.0.1:1", "bind-tcp=1"),
                (Mode.TCP, "0.0.0.0:2", "bind-tcp=0.0.0.0:2"),
                (Mode.SSL, "h:3", "bind-ssl=h:3"),
                (Mode.WS, "*:4", "bind-ws=*:4"),
                (Mode.WSS, "[::1]:5", "bind-wss=[::1]:5"),
                (Mode.UNIX, "/run/x", "bind=/run/x"),
                (Mode.TCP, "systemd:domain=INET:index=0", "listen=systemd:domain=INET:index=0"),
                (Mode.UNIX, "unix:/run/y", "listen=unix:/run/y"),
            ],
        )

    def test_endpointStrings(self) -> None:
        """
        A socket says which endpoints bind it.
        """
        self.assertEqual(self.socket("--bind-tcp=1").endpointStrings(), ("tcp:1:interface=127.0.0.1",))
        self.assertEqual(self.socket("--listen=tcp6:1").endpointStrings(), ("tcp6:1",))

    def test_optionsOfOneSocket(self) -> None:
        """
        What is said with an address is for that socket, and comes before what is said for all.
        """
        one, other = planned(
            FORWARD,
            "--ssl=on",
            "--ssl-cert=all.pem",
            "--close-timeout=3",
            "--bind-tcp=1,ssl=off,close-timeout=4",
            "--bind-tcp=2,ssl-cert=two.pem",
        ).sockets
        self.assertEqual((one.options.ssl, other.options.ssl), (SSLSwitch.OFF, SSLSwitch.ON))
        self.assertEqual((one.tls.cert, other.tls.cert), (("all.pem",), ("two.pem",)))
        self.assertEqual((one.options.closeTimeout, other.options.closeTimeout), (4.0, 3.0))

    def test_destination(self) -> None:
        """
        What the port leads to is a backend, a directory of pages, or both.
        """
        directory = self.mktemp()
        self.assertEqual(self.refused("--bind-tcp=1").option, "forward")
        self.assertEqual(self.refused("--bind-tcp=1", f"--www-dir={directory}").option, "www-dir")
        import os

        os.mkdir(directory)
        made = planned("--bind-tcp=1", f"--www-dir={directory}")
        self.assertEqual((made.forward, made.wwwDir), ("", directory))
        self.patch(os, "environ", {**os.environ, "HOME": directory})
        self.assertEqual(planned("--bind-tcp=1", "--www-dir=~").wwwDir, directory)
        made = planned("--bind-tcp=1", FORWARD, "--connect-timeout=2")
        self.assertEqual((made.forward, made.wwwDir), ("tcp:127.0.0.1:5900", None))
        self.assertEqual(made.sockets[0].options.connectTimeout, 2.0)

    def test_secretsOfEndpoints(self) -> None:
        """
        What an endpoint string is called in errors and logs has no secret in it.
        """
        text = "xtls:tcp:1:ssl-key-password=hunter2:ssl-cert=c"
        (socket,) = planned(FORWARD, f"--listen={text}").sockets
        shown = text.replace("hunter2", "...")
        self.assertEqual((socket.source, socket.place, socket.endpoint), (f"listen={shown}", shown, text))
        error = self.refused(FORWARD, f"--listen={text}\\")
        self.assertEqual(error.option, "listen")
        self.assertNotIn("hunter2", str(error))

    def test_backend(self) -> None:
        """
        What only clients know is about the backend; the rest is about the port.
        """
        made = planned("--bind-tcp=1", "--forward=ssl:h:1", "--ssl-server-hostname=x.test", "--ssl-cert=y")
        self.assertEqual(dict(made.backend.values), {"ssl-server-hostname": ("x.test",)})
        self.assertEqual(made.sockets[0].tls.cert, ("y",))
        self.assertFalse(made.sockets[0].tls.given("serverHostname"))

    def test_unreadablePages(self) -> None:
        """
        A directory that may not be read is refused.
        """
        directory = self.mktemp()
        os.mkdir(directory)
        self.patch(os, "access", lambda path, mode: False)
        error = self.refused("--bind-tcp=1", f"--www-dir={directory}")
        self.assertEqual(error.option, "www-dir")

    def test_wrong(self) -> None:
        """
        What cannot be used is refused by name.
        """
        for option, words in {
            "bind-tcp": (FORWARD,),
            "bind-ws": (FORWARD, "--bind-ws=x:y"),
            "ssl-cert": (FORWARD, "--bind=/run/x,ssl-cert=y"),
            "forward": (FORWARD, "--forward=tcp:h:1", "--bind-tcp=1"),
            "www-dir": (FORWARD, "--www-dir=", "--bind-tcp=1"),
            "ssl": (FORWARD, "--ssl=maybe", "--bind-tcp=1"),
            "ssl-check-hostname": ("--www-dir=.", "--ssl-check-hostname=no", "--bind-tcp=1"),
            "bind-ssh": (FORWARD, "--bind-ssh=22"),
            "start": ("--start=bash", "--bind-tcp=1"),
        }.items():
            self.assertEqual(self.refused(*words).option, option)
        self.assertIn("ssh-upgrade=no", self.refused(FORWARD, "--bind-ssh=22").problem)

    def test_sameAddress(self) -> None:
        """
        Two sockets with one address are refused, also where one is among all addresses.
        """
        for one, other in (
            ("--bind-tcp=1", "--bind-ws=127.0.0.1:1"),
            ("--bind-tcp=*:1", "--bind-ws=127.0.0.1:1"),
            ("--bind-tcp=[::]:1", "--bind-ws=*:1"),
            ("--bind-tcp=0.0.0.0:1", "--bind-ws=127.0.0.1:1"),
            ("--bind=/run/x", "--bind=/run/x"),
            ("--listen=tcp:1", "--listen=tcp:1"),
        ):
            error = self.refused(FORWARD, one, other)
            self.assertEqual(error.option, other.lstrip("-"))
            self.assertIn(one.lstrip("-"), error.problem)

    def test_itself(self) -> None:
        """
        A forward that leads back to the port is refused; one to another port or host, or by another way, is
        not.
        """
        for socket, backend in (
            ("--bind-tcp=1", "tcp:127.0.0.1:1"),
            ("--bind-tcp=*:1", "tcp:localhost:1"),
            ("--bind-tcp=0.0.0.0:1", "ssl:localhost:1"),
            ("--bind-tcp=h.test:1", "tcp:h.test:1"),
            ("--bind-tcp=1", "ssl:localhost:1:ssl-ca-certs=x"),
            ("--bind-tcp=1", "xtls:wss:localhost:1"),
        ):
            self.assertEqual(self.refused(socket, f"--forward={backend}").option, "forward")
        for socket, backend in (
            ("--bind-tcp=1", "tcp:127.0.0.1:2"),
            ("--bind-tcp=1", "tcp:h.test:1"),
            ("--bind-tcp=0", "tcp:127.0.0.1:1"),
            ("--bind-tcp=0", "tcp:127.0.0.1:0"),
            ("--bind-tcp=1", "nonsense"),
            ("--bind-tcp=1", "tcp:unfinished\\"),
            ("--bind=/run/x", "unix:/run/y"),
            ("--listen=tcp:1", "tcp:127.0.0.1:1"),
        ):
            planned(socket, f"--forward={backend}")

    def test_differentAddresses(self) -> None:
        """
        Others are not: other ports, other hosts, ports that are picked, other families.
        """
        for one, other in (
            ("--bind-tcp=1", "--bind-ws=2"),
            ("--bind-tcp=127.0.0.1:1", "--bind-ws=127.0.0.2:1"),
            ("--bind-tcp=0", "--bind-tcp=0"),
            ("--bind-tcp=0.0.0.0:1", "--bind-ws=[::1]:1"),
            ("--bind=/run/x", "--bind=/run/y"),
            ("--listen=tcp:1", "--listen=tcp:2"),
            ("--listen=tcp:1", "--bind-tcp=1"),
            ("--bind=/run/x", "--bind-tcp=1"),
        ):
            self.assertEqual(len(planned(FORWARD, one, other).sockets), 2)


class ReloadIntervalTests(SynchronousTestCase):
    """
    How often files are looked at.
    """

    def interval(self, *words: str) -> float:
        """
        What is planned.
        """
        return planned(FORWARD, "--bind-tcp=1", *words).reloadInterval

    def test_values(self) -> None:
        """
        A time with a unit, or never.
        """
        self.assertEqual(self.interval(), 10)
        found = [self.interval(f"--reload-interval={text}") for text in ("5", "500ms", "2m", "0", "off")]
        self.assertEqual(found, [5, 0.5, 120, 0, 0])

    def test_wrong(self) -> None:
        """
        Anything else is refused, with what would be right.
        """
        for text in ("-1", "often", "25h"):
            error = self.assertRaises(OptionError, self.interval, f"--reload-interval={text}")
            self.assertEqual(error.option, "reload-interval")
            self.assertIn("or 0, for never", error.problem)


class WorkersTests(SynchronousTestCase):
    """
    How many processes serve.
    """

    def workers(self, *words: str) -> int:
        """
        So many are planned.
        """
        return planned(FORWARD, "--bind-tcp=1", *words).workers

    def test_numbers(self) -> None:
        """
        One, unless another number is said.
        """
        self.assertEqual(self.workers(), 1)
        self.assertEqual([self.workers(f"--workers={n}") for n in (1, 2, 256)], [1, 2, 256])

    def test_auto(self) -> None:
        """
        C{auto} is one for each core that this process may use, where the system knows that.
        """
        self.patch(os, "sched_getaffinity", lambda pid: {0, 3, 5})
        self.assertEqual(self.workers("--workers=auto"), 3)
        self.patch(os, "sched_getaffinity", lambda pid: set(range(1000)))
        self.assertEqual(self.workers("--workers=auto"), 256)
        self.patch(os, "cpu_count", lambda: None)
        before = os.sched_getaffinity
        self.addCleanup(setattr, os, "sched_getaffinity", before)
        del os.sched_getaffinity
        self.assertEqual(self.workers("--workers=auto"), 1)

    def test_wrong(self) -> None:
        """
        Anything else is refused in one sentence.
        """
        for text in ("0", "-1", "257", "two", "1.5", "²", "٣", "auto,"):
            error = self.assertRaises(OptionError, self.workers, f"--workers={text}")
            self.assertEqual(error.option, "workers")
            self.assertEqual(error.problem, f"{text}: expected a number from 1 to 256, or auto")
        for words in (["--workers="], ["--workers=1", "--workers=2"]):
            self.assertRaises(OptionError, self.workers, *words)


class HelpTests(SynchronousTestCase):
    """
    The help of the service.
    """

    def test_options(self) -> None:
        """
        Every option is explained, those of clients as said of the backend; none that is for later.
        """
        text = serviceCommandLine().help()
        for option in ALL_OPTIONS.values():
            self.assertIn(f"  --{option.name}=", text)
        backend = text[text.index("A backend") : text.index("Certificates:")]
        for option in ALL_OPTIONS.values():
            self.assertEqual(f"--{option.name}=" in backend, not option.side & Side.SERVER, option.name)
        for name in ("bind-tcp", "bind-ssl", "bind-ws", "bind-wss", "bind", "listen", "forward", "www-dir"):
            self.assertIn(f"  --{name}=", text)
        self.assertNotIn("--start", text)
