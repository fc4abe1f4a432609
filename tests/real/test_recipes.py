"""
The commands by which people make certificates with C{openssl}, and start servers and clients that use them:
letter for letter as they are copied from one page to the next.  Only ports, and answers to questions, differ.
"""

from __future__ import annotations

import os
import re
import signal
import time
from typing import ClassVar

from tests.support.backends import lines
from tests.support.interop import InteropCase
from tests.support.programs import DEADLINE, Done

SELF_SIGNED = """\
openssl req -new -x509 -days 365 -nodes -out cert.pem -keyout key.pem -sha256
cat key.pem cert.pem > ssl-cert.pem
"""

#: What C{openssl req} is answered: all but the Common Name is left as it is.
SELF_SIGNED_ANSWERS = b"\n\n\n\n\nlocalhost\n\n"

AUTHORITY = """\
openssl genrsa -out ca.key 4096
openssl req -new -x509 -days 365 -key ca.key -out ca.crt
"""
AUTHORITY_ANSWERS = b"\n\n\n\n\nExample Internal CA\n\n"

REQUEST = """\
openssl genrsa -out server.key 4096
openssl req -new -key server.key -out server.csr
"""
REQUEST_ANSWERS = b"\n\n\n\n\nlocalhost\n\n\n\n"

SIGN = """\
openssl x509 -req -days 365 \\
        -in server.csr -out server.crt \\
        -CA ca.crt -CAkey ca.key \\
        -CAserial ./caserial -CAcreateserial
"""

#: What comes of it that is used afterwards.
MADE = ("ca.crt", "server.crt", "server.key")

HEXADECIMAL = """\
python3 -c "import sys,binascii;print(binascii.hexlify(open(sys.argv[1],'rb').read()).decode())" ca.crt
"""

BASE64 = (
    "python3 -c 'import sys,base64;"
    'print("base64:"+(base64.b64encode(open(sys.argv[1], "rb").read()).decode()))'
    "' ca.crt"
)

SERVER = "twistd xtls --bind-tcp=127.0.0.1:0 --ssl-cert=`pwd`/server.crt --ssl-key=`pwd`/server.key"

OK = "Verify return code: 0 (ok)"

#: What the service is told, and what it answers.
GIVEN, ANSWER = b"hello\nbye\n", b"heard hello\n"


class RecipeCase(InteropCase):
    """
    A shell in an empty folder.
    """

    def shell(self, script: str, *, given: bytes = b"") -> Done:
        """
        Run what was copied; each command succeeds.

        @param given: the answers to its questions.
        """
        return self.succeed("bash -ec", script, given=given)

    def serve(self, command: str) -> int:
        """
        Start a server, which becomes a daemon and writes C{twistd.log}.

        @return: where it listens.
        """
        self.shell(f"{command} {self.forward(lines)}")
        self.addCleanup(self.stop)
        log = self.folder / "twistd.log"
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            found = re.search(r"xtls listening: tcp \S+:(\d+) \(", log.read_text("utf-8"))
            if found is not None:
                return int(found[1])
            time.sleep(0.02)
        raise AssertionError(f"it does not listen\n{log.read_text('utf-8')}")

    def stop(self) -> None:
        """
        End a daemon that runs, and wait until it has ended: then its file is gone.
        """
        running = self.folder / "twistd.pid"
        if not running.exists():
            return
        os.kill(int(running.read_text("ascii")), signal.SIGTERM)
        end = time.monotonic() + DEADLINE
        while running.exists() and time.monotonic() < end:
            time.sleep(0.02)
        self.assertFalse(running.exists())

    def assertAnswered(self, target: str, *options: str) -> str:
        """
        A client of ours gets an answer.

        @return: what it says besides.
        """
        done = self.attach(target, *options, given=GIVEN)
        self.assertEqual((done.output, done.status), (ANSWER, 0), done.text)
        return done.errors.decode()

    def assertRefused(self, target: str, *options: str) -> None:
        """
        A client of ours refuses the server, with the words that people look for.
        """
        done = self.attach(target, *options, given=GIVEN)
        self.assertEqual((done.output, done.status), (b"", 19), done.text)
        self.assertIn("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", done.text)


class SelfSignedTests(RecipeCase):
    """
    One certificate that signs itself.
    """

    def test_bothEnds(self) -> None:
        """
        A server shows it, out of one file or two; a client that names it as what to believe connects, and
        every other one refuses.
        """
        self.shell(SELF_SIGNED, given=SELF_SIGNED_ANSWERS)
        for options in ("--ssl-cert=`pwd`/ssl-cert.pem", "--ssl-cert=`pwd`/cert.pem --ssl-key=`pwd`/key.pem"):
            number = self.serve(f"twistd xtls --bind-tcp=127.0.0.1:0 {options}")
            for target in (f"ssl://localhost:{number}/", f"ssl:localhost:{number}"):
                self.assertAnswered(target, "--ssl-ca-certs=./cert.pem")
                self.assertRefused(target)
            self.stop()
            (self.folder / "twistd.log").unlink()


class AuthorityTests(RecipeCase):
    """
    An authority, and a certificate for a server that it has signed.
    """

    #: What was made, by name: it takes seconds, and is the same for all tests.
    made: ClassVar[dict[str, bytes]] = {}

    def setUp(self) -> None:
        super().setUp()
        if not self.made:
            self.shell(AUTHORITY, given=AUTHORITY_ANSWERS)
            self.shell(REQUEST, given=REQUEST_ANSWERS)
            self.shell(SIGN)
            self.made.update({name: (self.folder / name).read_bytes() for name in MADE})
        for name, data in self.made.items():
            self.write(name, data)
        done = self.shell("openssl verify -CAfile ca.crt ./server.crt")
        self.assertEqual(done.output, b"./server.crt: OK\n")
        self.number = self.serve(SERVER)
        self.target = f"ssl:localhost:{self.number}"

    def test_openssl(self) -> None:
        """
        OpenSSL's client verifies our server.
        """
        done = self.shell(f"openssl s_client -connect 127.0.0.1:{self.number} -CAfile ca.crt < /dev/null")
        self.assertIn(OK, done.text)

    def test_file(self) -> None:
        """
        Our client does, when it is given the authority's file, by the option's name or the shorter one; it
        warns of what the certificate lacks.  Without the authority it refuses.
        """
        for option in (
            "--ssl-ca-cert=ca.crt",
            "--ssl-ca-certs=ca.crt",
            f"--ssl-ca-certs={self.folder}/ca.crt",
        ):
            self.assertIn("subjectAltName", self.assertAnswered(self.target, option))
        self.assertRefused(self.target)

    def test_data(self) -> None:
        """
        The authority may be data, in hexadecimal or base64: on the command line, in a URL, and in a
        connection file.
        """
        for command in (HEXADECIMAL, BASE64):
            data = self.shell(command).output.decode("ascii").strip()
            self.assertAnswered(self.target, f"--ssl-ca-data={data}")
            self.assertAnswered(f"ssl://localhost:{self.number}/?ssl-ca-data={data}")
            text = f"host=localhost\nautoconnect=true\nport={self.number}\nmode=ssl\nssl-ca-data={data}\n"
            self.write("ssl-test.xpra", text.encode("ascii"))
            self.assertAnswered("ssl-test.xpra")
