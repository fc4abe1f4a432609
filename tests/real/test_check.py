"""
C{xtls check} and real servers: our own ports, other people's servers, and what is none.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.support.backends import greeter
from tests.support.identity import authority
from tests.support.interop import InteropCase
from tests.support.programs import Done, Peer, echo, find
from xtls.testing.authority import Authority
from xtls.trust.certificates import loadCertificates
from xtls.trust.knownhosts import KnownHosts

CAS = "--ssl-ca-certs=ca.pem"


class CheckCase(InteropCase):
    """
    Runs the command.
    """

    def check(self, target: str, *options: str, status: int = 0) -> dict[str, Any]:
        """
        Check a target.

        @return: what was found, as JSON; C{kinds} has the grade of each kind in it.
        """
        done = self.do("xtls check --json", target, *options, deadline=80)
        self.assertEqual((done.status, done.errors.decode()), (status, ""), f"{done.errors!r} {done.text}")
        value: dict[str, Any] = json.loads(done.output)
        self.assertEqual(value["status"], status)
        for each in value["findings"]:
            if each["grade"] != "ok":
                self.assertTrue(each["remedy"], each)
        value["kinds"] = {each["kind"]: each["grade"] for each in value["findings"]}
        return value

    def checks(self, *cases: tuple[str, tuple[str, ...], int]) -> list[dict[str, Any]]:
        """
        Check some targets at once, which are waiting most of the time.

        @param cases: target, options, and the status that it ends with.
        """
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda case: self.check(case[0], *case[1], status=case[2]), cases))

    def sentence(self, value: dict[str, Any], kind: str) -> str:
        """
        What was said about something.
        """
        return str(next(each["sentence"] for each in value["findings"] if each["kind"] == kind))


class PortTests(CheckCase):
    """
    Ports of ours.
    """

    def test_modes(self) -> None:
        """
        A port in every mode, which leads to a server and to pages; all is well where the target says what the
        port is, and the authority is named.
        """
        self.write("www/index.html", b"<p>here</p>")
        modes = ("tcp", "ssl", "ws", "wss")
        port = self.port(
            *(f"--bind-{mode}=127.0.0.1:0" for mode in modes),
            self.forward(echo),
            f"--www-dir={self.folder}/www",
            "--ssl-cert=server.pem",
        )
        numbers = {mode: port.number(mode) for mode in modes}
        ssl, wss, tcp, ws = self.checks(
            *((f"{mode}://localhost:{numbers[mode]}/", (CAS,), 0) for mode in ("ssl", "wss")),
            *((f"{mode}://localhost:{numbers[mode]}/", (), 0) for mode in ("tcp", "ws")),
        )
        for value in (ssl, wss):
            self.assertEqual(value["tls"]["version"], "TLSv1.3")
            self.assertEqual(value["kinds"]["attach"], "ok")
            self.assertEqual(value["kinds"]["wss"], "ok", value)
            self.assertNotIn("problem", value["kinds"].values())
            self.assertLessEqual(value["connections"], 7)
        for value, secure in ((tcp, "ssl"), (ws, "wss")):
            self.assertEqual((value["kinds"]["not-encrypted"], value["kinds"]["tls"]), ("warning", "ok"))
            commands = [each["command"] for each in value["findings"]]
            self.assertTrue(any(f"attach {secure}://localhost" in each for each in commands), commands)

    def test_postQuantum(self) -> None:
        """
        The group is told, and that it is post-quantum, where the OpenSSL here has such.
        """
        port = self.port("--bind-ssl=127.0.0.1:0", self.forward(echo), "--ssl-cert=server.pem")
        value = self.check(f"ssl://localhost:{port.number('ssl')}/", CAS)
        self.assertEqual(value["tls"]["postQuantum"], "MLKEM" in value["tls"]["group"])
        self.assertTrue(value["tls"]["resumed"])

    def test_certificates(self) -> None:
        """
        Expired, self-signed, for another name, and with a certificate in between that is missing: refused,
        and each is said with what was presented.
        """
        ca, now = authority(), datetime.now(timezone.utc).replace(microsecond=0)
        chained = ca.intermediate().issue("localhost")
        self.issued("expired.pem", ca.issue("localhost", notAfter=now - timedelta(hours=1)))
        self.issued("self.pem", ca.issue("localhost", selfSigned=True))
        self.issued("other.pem", ca.issue("other.test"))
        self.issued("chained.pem", chained)
        self.succeed("openssl x509 -in chained.pem -out leaf.pem")
        self.succeed("openssl pkey -in chained.pem -out leaf.key")
        cases = {
            "expired.pem": ("expired", "problem", "expired"),
            "self.pem": ("system", "note", "self-signed"),
            "other.pem": ("names", "ok", "other.test"),
            "leaf.pem": ("chain-incomplete", "warning", "in between is missing"),
        }
        options = [f"--bind-ssl=127.0.0.1:0,ssl-cert={name}" for name in cases if name != "leaf.pem"]
        options.append("--bind-ssl=127.0.0.1:0,ssl-cert=leaf.pem,ssl-key=leaf.key")
        port = self.port(*options, self.forward(echo))
        targets = [f"ssl://localhost:{number}/" for number in self.numbers(port, "ssl", 4)]
        values = self.checks(*((target, (CAS,), 19) for target in targets))
        for value, (name, (kind, grade, words)) in zip(values, cases.items()):
            self.assertEqual((value["kinds"]["attach"], value["kinds"][kind]), ("problem", grade), name)
            self.assertIn(words, json.dumps(value["findings"]), name)
            self.assertIn("CERTIFICATE_VERIFY_FAILED", self.sentence(value, "attach"))
            self.assertEqual(len(value["certificates"]), 1)

    def test_chain(self) -> None:
        """
        A chain that is whole is verified, by the root.
        """
        self.issued("chain.pem", authority().intermediate().issue("localhost"))
        port = self.port("--bind-ssl=127.0.0.1:0", self.forward(echo), "--ssl-cert=chain.pem")
        value = self.check(f"ssl://localhost:{port.number('ssl')}/", CAS)
        self.assertEqual((value["kinds"]["chain-order"], len(value["certificates"])), ("ok", 2))
        self.assertNotIn("chain-incomplete", value["kinds"])

    def test_remedy(self) -> None:
        """
        The command that goes with the remedy for a self-signed certificate makes it believed.
        """
        self.issued("self.pem", authority().issue("localhost", selfSigned=True))
        port = self.port("--bind-ssl=127.0.0.1:0", self.forward(echo), "--ssl-cert=self.pem")
        target = f"ssl://localhost:{port.number('ssl')}/"
        value = self.check(target, status=19)
        command = next(each["command"] for each in value["findings"] if each["kind"] == "attach")
        pin = command.split()[-1]
        self.assertTrue(pin.startswith("--ssl-pin="), command)
        self.assertEqual(self.check(target, pin)["kinds"]["attach"], "ok")

    def test_remembered(self) -> None:
        """
        A server that the user has accepted is one; when it has another key, that is loud, with what forgets
        the old one.
        """
        for name in ("one", "other"):
            self.issued(f"{name}.pem", authority().issue("localhost", selfSigned=True))
        port = self.port(
            *(f"--bind-ssl=127.0.0.1:0,ssl-cert={n}.pem" for n in ("one", "other")), self.forward(echo)
        )
        one, other = self.numbers(port, "ssl", 2)
        hosts = KnownHosts(self.folder / ".config" / "xtls")
        certificate = loadCertificates(str(self.folder / "one.pem"))[0]
        for number in (one, other):
            hosts.remember("localhost", number, certificate)
        value = self.check(f"ssl://localhost:{one}/")
        self.assertIn("the key that is remembered", self.sentence(value, "attach"))
        value = self.check(f"ssl://localhost:{other}/", status=19)
        remedy = next(each["remedy"] for each in value["findings"] if each["kind"] == "attach")
        self.assertIn("xtls hosts forget", remedy)

    def test_clientCertificates(self) -> None:
        """
        Whether a certificate of the client is asked for, from whom, and whether the one that there is will
        do.
        """
        self.issued("client.pem", authority().issue("a client", clientAuth=True, san=False, commonName="c"))
        stranger = Authority("stranger").issue("s", clientAuth=True, san=False, commonName="s")
        self.issued("stranger.pem", stranger)
        modes = ("required", "optional")
        port = self.port(
            *(
                f"--bind-ssl=127.0.0.1:0,ssl-ca-certs=ca.pem,ssl-client-verify-mode={mode}{more}"
                for mode in modes
                for more in ("", ",ssl-protocol=TLSv1_2")
            ),
            self.forward(echo),
            "--ssl-cert=server.pem",
        )
        for at, number in enumerate(self.numbers(port, "ssl", 4)):
            target, required = f"ssl://localhost:{number}/", at < 2
            value, shown, refused = self.checks(
                (target, (CAS,), 16 if required else 0),
                (target, (CAS, "--ssl-cert=client.pem"), 0),
                (target, (CAS, "--ssl-cert=stranger.pem"), 16),
            )
            asked = value["tls"]["clientCertificate"]
            self.assertEqual((asked["asked"], asked["required"]), (True, required), value)
            self.assertEqual(asked["authorities"], ["xtls test authority"])
            self.assertEqual(value["kinds"]["client-certificate"], "problem" if required else "note")
            self.assertEqual(shown["kinds"]["attach"], "ok")
            self.assertIn("unknown CA", self.sentence(refused, "attach"))


class OthersTests(CheckCase):
    """
    Servers of other people.
    """

    def serve(self, *options: str) -> str:
        """
        Start C{openssl s_server}.

        @return: the target that leads to it.
        """
        command = "openssl s_server -accept 127.0.0.1:0 -cert server.pem -rev"
        number = self.start(command, *options).waitFor(r"^ACCEPT 127\.0\.0\.1:([0-9]+)")[1]
        return f"ssl://localhost:{number}/"

    def test_oldOpenSSL(self) -> None:
        """
        TLS 1.2 alone; and a server that still speaks what nobody should, which is a finding.
        """
        value, old, ancient = self.checks(
            (self.serve("-tls1_2"), (CAS,), 0),
            (self.serve("-cipher", "ALL:@SECLEVEL=0"), (CAS,), 0),
            (self.serve("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), (CAS,), 16),
        )
        self.assertEqual((value["tls"]["version"], value["kinds"]["version"]), ("TLSv1.2", "note"))
        self.assertEqual(old["kinds"]["old-version"], "warning", old)
        self.assertEqual(ancient["kinds"]["tls"], "problem")

    def test_clientCertificate(self) -> None:
        """
        OpenSSL's server asks for a certificate of the client, and may insist.
        """
        asked = [(option, version) for option in ("-verify", "-Verify") for version in ("-tls1_2", "-tls1_3")]
        targets = [self.serve(version, option, "1") for option, version in asked]
        values = self.checks(*zip(targets, [(CAS,)] * 4, (0, 0, 16, 16)))
        grades = [value["kinds"]["client-certificate"] for value in values]
        self.assertEqual(grades, ["note", "note", "problem", "problem"])

    def free(self) -> int:
        """
        A port that nobody has.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            return int(free.getsockname()[1])

    def test_nginx(self) -> None:
        """
        nginx: https with Strict-Transport-Security, and plain HTTP that is redirected.
        """
        secure, plain = self.free(), self.free()
        self.write(
            "nginx.conf",
            f"""
            daemon off; pid {self.folder}/nginx.pid; error_log stderr notice; events {{}}
            http {{
                access_log off; client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
                fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
                scgi_temp_path {self.folder}/s;
                server {{
                    listen 127.0.0.1:{secure} ssl; root {self.folder};
                    ssl_certificate server.pem; ssl_certificate_key server.pem;
                    add_header Strict-Transport-Security "max-age=31536000" always;
                }}
                server {{ listen 127.0.0.1:{plain}; return 301 https://localhost:{secure}/; }}
            }}
            """.encode("ascii"),
        )
        server = self.start(find("nginx"), "-p", str(self.folder), "-c", f"{self.folder}/nginx.conf")
        server.waitFor("start worker process")
        value, opening, redirected = self.checks(
            (f"ssl://localhost:{secure}/", (CAS,), 0),
            (f"wss://localhost:{secure}/", (CAS,), 18),
            (f"ws://localhost:{plain}/", (), 18),
        )
        self.assertIn("max-age=31536000", self.sentence(value, "hsts"))
        self.assertIn("https is answered", self.sentence(value, "https"))
        self.assertEqual(opening["kinds"]["wss"], "problem")
        self.assertIn("redirected to https", self.sentence(redirected, "http"))

    def test_haproxy(self) -> None:
        """
        haproxy with TLS in front of a server that speaks first.
        """
        number = self.free()
        backend = Peer(self, greeter)
        self.write(
            "haproxy.cfg",
            f"""
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen front
    bind 127.0.0.1:{number} ssl crt {self.folder}/server.pem
    server one 127.0.0.1:{backend.port}
""".encode("ascii"),
        )
        self.start(find("haproxy"), "-db", "-f", str(self.folder / "haproxy.cfg"))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", number), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        value = self.check(f"ssl://localhost:{number}/", CAS)
        self.assertIn("RFB", self.sentence(value, "secure-speaks-first"))
        self.assertEqual(value["kinds"]["attach"], "ok")

    def test_ssh(self) -> None:
        """
        An SSH server is known by its banner; there, TLS is not asked of it when the target says ssh.
        """
        self.succeed("ssh-keygen -q -t ed25519 -f host -N", "")
        self.write("sshd_config", f"HostKey {self.folder}/host\nPidFile none\nUsePAM no\n".encode("ascii"))
        if os.getuid() == 0:  # where sshd keeps apart what has no privileges
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        sshd = f"{find('sshd')} -i -f {self.folder}/sshd_config"
        socat = self.start("socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork", f"EXEC:{sshd}")
        number = socat.waitFor(r"listening on .*:([0-9]+)")[1]
        value, other = self.checks(
            (f"ssh://localhost:{number}/", (), 0), (f"ssl://localhost:{number}/", (), 16)
        )
        self.assertIn("OpenSSH", self.sentence(value, "plain-speaks-first"))
        self.assertEqual(value["connections"], 1)
        self.assertEqual(self.sentence(other, "tls"), "TLS is not spoken, but SSH")

    def test_speaksFirst(self) -> None:
        """
        A server that speaks first, without TLS and at a Unix socket.
        """
        number = Peer(self, greeter).port
        path = str(self.folder / "socket")
        socat = self.start(f"socat UNIX-LISTEN:{path},fork TCP:127.0.0.1:{number}")
        while not os.path.exists(path):
            self.assertIsNone(socat.process.poll())
            time.sleep(0.05)
        tcp, unix = self.checks((f"tcp://localhost:{number}/", (), 0), (path, (), 0))
        for value in (tcp, unix):
            self.assertIn("RFB 003.008", self.sentence(value, "plain-speaks-first"))
            self.assertIsNone(value["tls"])


class NoneTests(CheckCase):
    """
    What is no server, or not the one that was meant.
    """

    def test_closed(self) -> None:
        """
        A port that nobody listens on, a name that nobody knows, and a socket that is not there.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            number = int(free.getsockname()[1])
        value = self.check(f"ssl://localhost:{number}/", status=18)
        self.assertEqual((value["kinds"]["connect"], value["connections"]), ("problem", 0))
        value = self.check("ssl://no-such-name.invalid/", status=18)
        self.assertEqual(value["kinds"], {"name": "problem"})
        value = self.check(f"{self.folder}/none", status=18)
        self.assertEqual(value["kinds"], {"connect": "problem"})

    def test_resets(self) -> None:
        """
        A server that resets every connection.
        """

        def reset(connection: socket.socket) -> None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        number = Peer(self, reset).port
        value = self.check(f"ssl://localhost:{number}/", status=18)
        self.assertIn("problem", value["kinds"].values())

    def test_silent(self) -> None:
        """
        A server that takes everything and says nothing ends in time, with TLS and without.
        """
        number = Peer(self, self.swallow).port
        begin = time.monotonic()
        ssl, ws, tcp = self.checks(
            (f"ssl://localhost:{number}/", ("--handshake-timeout=1",), 16),
            (f"ws://localhost:{number}/", ("--websocket-timeout=1",), 18),
            (f"tcp://localhost:{number}/", ("--deadline=2",), 0),
        )
        self.assertEqual((ssl["kinds"]["tls"], ws["kinds"]["ws"]), ("problem", "problem"))
        self.assertFalse(tcp["finished"])
        self.assertEqual(tcp["kinds"]["unfinished"], "warning")
        self.assertLess(time.monotonic() - begin, 60)

    @staticmethod
    def swallow(connection: socket.socket) -> None:
        """
        Take everything.
        """
        while connection.recv(4096):
            pass

    def test_http(self) -> None:
        """
        A plain web server is told from one with TLS; the command that goes with the remedy says ws.
        """

        def serve(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        number = Peer(self, serve).port
        value = self.check(f"wss://localhost:{number}/", status=16)
        self.assertEqual(self.sentence(value, "tls"), "TLS is not spoken, but HTTP")
        command = next(each["command"] for each in value["findings"] if each["kind"] == "tls")
        self.assertIn(f"attach ws://localhost:{number}/", command)


class TextTests(CheckCase):
    """
    What people see.
    """

    def said(self, *options: str) -> Done:
        """
        Check a port of ours.
        """
        port = self.port("--bind-ssl=127.0.0.1:0", self.forward(echo), "--ssl-cert=server.pem")
        return self.do("xtls check", f"ssl://localhost:{port.number('ssl')}/", *options)

    def test_text(self) -> None:
        """
        Lines with marks, without colours where there is no terminal; nothing is left behind on disk.
        """
        before = {str(path) for path in Path(self.folder).rglob("*")}
        done = self.said(CAS, "--verbose")
        self.assertEqual((done.status, done.errors), (0, b""), done.text)
        self.assertNotIn("\x1b", done.text)
        self.assertIn("  ok       xtls attach connects, and the server is verified.", done.text)
        self.assertIn("fingerprint: SHA256:", done.text)
        after = {str(path) for path in Path(self.folder).rglob("*")}
        self.assertEqual(after - before, set())

    def test_secrets(self) -> None:
        """
        A password in the target is neither sent nor shown.
        """
        said: list[bytes] = []

        def listen(connection: socket.socket) -> None:
            while data := connection.recv(4096):
                said.append(data)

        number = Peer(self, listen).port
        target = f"ws://me:hunter2@localhost:{number}/"
        done = self.do("xtls check", target, "--websocket-timeout=1")
        self.assertNotIn("hunter2", done.text)
        self.assertNotIn(b"hunter2", b"".join(said))
        self.assertTrue(said)
