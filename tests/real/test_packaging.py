"""
What is built from a checkout, and whether Twisted finds the plugins of it once it is installed.

The environments that it is installed in are new, and see the dependencies of this one.
"""

from __future__ import annotations

import os
import shutil
import site
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

import xtls
from tests.support.programs import Peer, Program, echo, run

ROOT = Path(xtls.__file__).parent.parent

#: What a checkout has; what tests and tools leave in it is not taken along.
PARTS = (".ci", "benchmarks", "docs", "tests", "twisted", "xtls")

#: Isolated builds fetch setuptools, and that may take a while.
BUILDING = 180.0

_LIST_PLUGINS = """
import os, xtls
from twisted.plugin import IPlugin, getPlugins
from twisted.application.service import IServiceMaker
from twisted.internet import interfaces
print(os.path.dirname(os.path.dirname(os.path.realpath(xtls.__file__))))
for interface in (
    IServiceMaker,
    interfaces.IStreamClientEndpointStringParserWithReactor,
    interfaces.IStreamServerEndpointStringParser,
):
    names = {getattr(each, "tapname", getattr(each, "prefix", "")) for each in getPlugins(interface)}
    print(" ".join(sorted(names & {"xtls", "ssl", "ws", "wss"})))
"""


def copyCheckout(folder: Path) -> None:
    """
    Copy what belongs to the project, and add what only a used checkout has: it must not be packed.
    """
    ignored = shutil.ignore_patterns("__pycache__", "dropin.cache", "_trial_temp*")
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, folder)
    (folder / "twisted" / "plugins" / "dropin.cache").write_bytes(b"stale")


def newEnvironment(folder: Path) -> Path:
    """
    Make an environment that sees the packages of this one, but not what is installed editable in it.

    @return: its Python.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    scheme = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    Path(scheme["purelib"], "others.pth").write_text("\n".join(site.getsitepackages()) + "\n", "utf-8")
    return folder / "bin" / "python"


class Built:
    """
    An sdist of a copy of the checkout, and a wheel of that; built once for all tests.

    @ivar folder: where they are.
    @ivar checkout: the copy.
    @ivar files: what was in it.
    @ivar done: how building ended.
    """

    once: Built | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        self.checkout.mkdir(parents=True)
        copyCheckout(self.checkout)
        self.files = {
            path.relative_to(self.checkout).as_posix() for path in self.checkout.rglob("*") if path.is_file()
        }
        command = [sys.executable, "-m", "build", "--outdir", str(folder), str(self.checkout)]
        self.done = run(command, folder, deadline=BUILDING)


class PackagingTests(SynchronousTestCase):
    """
    From a checkout to an installed plugin.
    """

    def setUp(self) -> None:
        if not (ROOT / "setup.cfg").exists():
            raise SkipTest("not in a checkout")
        if find_spec("build") is None and not os.environ.get("CI"):
            raise SkipTest("the package build is not installed")
        if Built.once is None:
            Built.once = Built(Path(self.mktemp()).absolute())
        self.built = Built.once
        self.folder, self.checkout = self.built.folder, self.built.checkout

    def file(self, pattern: str) -> Path:
        """
        What was built.
        """
        found = list(self.folder.glob(pattern))
        self.assertEqual(len(found), 1, self.built.done.text)
        return found[0]

    def install(self, name: str, *what: str) -> tuple[Path, Path]:
        """
        Install something, without its dependencies, in a new environment.

        @return: the environment's folder and its Python.
        """
        environment = self.folder / name
        python = newEnvironment(environment)
        installing = [sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps", *what]
        done = run(installing, self.folder, deadline=BUILDING)
        self.assertEqual(done.status, 0, done.text)
        return environment, python

    def assertFound(self, environment: Path, python: Path, root: Path) -> None:
        """
        Twisted finds our plugins, C{twistd} lists us, and C{xtls} is a command: twice, since the second time
        it reads its cache.
        """
        for _ in range(2):
            done = run([python, "-c", _LIST_PLUGINS], self.folder)
            self.assertEqual(done.text.splitlines(), [str(root.resolve()), "xtls", "ssl ws wss xtls", "xtls"])
            done = run([python, "-c", "from twisted.scripts.twistd import run; run()", "--help"], self.folder)
        self.assertRegex(done.text, r"(?m)^ +xtls ")
        done = run([environment / "bin" / "xtls", "--help"], self.folder)
        self.assertEqual(done.status, 0, done.text)
        self.assertServes(environment, python)

    def assertServes(self, environment: Path, python: Path) -> None:
        """
        What is installed runs: C{twistd xtls} leads what C{xtls attach} sends over verified TLS to a backend
        and back.
        """
        scratch = environment / "scratch"
        scratch.mkdir()
        backend = Peer(self, echo)
        attach = environment / "bin" / "xtls"
        done = run([attach, "cert", "self-signed", "--out=cert.pem"], scratch)
        self.assertEqual(done.status, 0, done.text)
        twistd = "from twisted.scripts.twistd import run; run()"
        options = ["--bind-tcp=0", f"--forward=tcp:127.0.0.1:{backend.port}", "--ssl-cert=cert.pem"]
        port = Program(self, [str(python), "-c", twistd, "-n", "--pidfile=", "xtls", *options], scratch)
        number = port.waitFor(r"xtls listening: tcp \S+:(\d+) \(")[1]
        target = f"ssl://localhost:{number}/"
        done = run([attach, "attach", target, "--ssl-ca-certs=cert.pem"], scratch, given=b"there and back")
        self.assertEqual((done.status, done.output), (0, b"there and back"), done.text)
        port.stop()

    def test_sdist(self) -> None:
        """
        An sdist runs its own tests: they are in it whole, with the documents; no cache is.
        """
        with tarfile.open(self.file("*.tar.gz")) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        wanted = {name for name in self.built.files if not name.endswith("dropin.cache")}
        self.assertEqual(wanted - names, set())
        self.assertIn("tests/__init__.py", names)
        self.assertEqual([name for name in names if name.endswith(("dropin.cache", ".pyc"))], [])

    def test_wheel(self) -> None:
        """
        A wheel has every module, the mark of annotations and the plugin, and nothing beside that Twisted
        could stumble on.
        """
        with zipfile.ZipFile(self.file("*.whl")) as archive:
            names = {name for name in archive.namelist() if ".dist-info/" not in name}
        wanted = {name for name in self.built.files if name.startswith("xtls/")}
        self.assertEqual(names, wanted | {"twisted/plugins/xtls_plugin.py"})

    def test_installedWheel(self) -> None:
        """
        Twisted finds what a wheel has installed.
        """
        environment, python = self.install("wheel", "--no-index", str(self.file("*.whl")))
        purelib = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], self.folder)
        self.assertFound(environment, python, Path(purelib.text.strip()))

    def test_installedEditable(self) -> None:
        """
        Twisted finds what is installed editable; C{trial} finds the tests there.
        """
        environment, python = self.install("editable", "--editable", str(self.checkout))
        (self.checkout / "twisted" / "plugins" / "dropin.cache").unlink()
        self.assertFound(environment, python, self.checkout)
        # as the program trial does, which has no current folder on its path
        trial = "import sys; sys.path.remove(''); from twisted.scripts.trial import run; run()"
        done = run([python, "-c", trial, "tests.test_errors"], self.checkout)
        self.assertEqual(done.status, 0, done.text)
