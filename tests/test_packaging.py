"""
The shape that installing, and Twisted's search for plugins, depend on.
"""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import xtls
from twisted.plugins import xtls_plugin

ROOT = Path(xtls.__file__).parent.parent

#: What no program should have to import only because it lists plugins.
HEAVY = (
    "OpenSSL",
    "autobahn",
    "cryptography",
    "service_identity",
    "twisted.internet.reactor",
    "twisted.web",
    "xtls",
)

_IMPORT_SERVICE = """
import sys
import xtls.programs.service
from xtls.wire.opening import answerOpening
answerOpening(b"dGhlIHNhbXBsZSBub25jZQ==")
print(" ".join(name for name in sys.argv[1:] if name in sys.modules))
"""

_IMPORT_PLUGIN = """
import sys
import twisted.plugins.xtls_plugin
print(" ".join(name for name in sys.argv[1:] if name in sys.modules))
"""


class FoldersTests(SynchronousTestCase):
    """
    What must be there to be found, and what must not.
    """

    def test_twistedHasNoInit(self) -> None:
        """
        C{twisted/} and C{twisted/plugins/} have no C{__init__.py}: one would hide Twisted, the other hide us
        from Twisted.
        """
        found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "twisted").rglob("*.py")}
        if (ROOT / "twisted" / "__init__.py").exists() and (ROOT / "twisted" / "internet").is_dir():
            self.skipTest("installed beside Twisted itself")
        self.assertEqual(found, {"twisted/plugins/xtls_plugin.py"})

    def test_everyPackageIsDescribed(self) -> None:
        """
        Each folder of modules is in C{setup.cfg}: one that is not would be missing when installed.
        """
        description = ConfigParser()
        if not description.read(ROOT / "setup.cfg"):
            self.skipTest("not in a checkout")
        described = set(description["options"]["packages"].split())
        folders = {
            ".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "xtls").rglob("__init__.py")
        }
        self.assertEqual(described, folders | {"twisted.plugins"})

    def test_typed(self) -> None:
        """
        The mark that says that xtls has annotations is in the package.
        """
        self.assertTrue((ROOT / "xtls" / "py.typed").exists())


class PluginTests(SynchronousTestCase):
    """
    The file that makes xtls known to Twisted.
    """

    def test_light(self) -> None:
        """
        It imports nothing heavy, and nothing of xtls: every program that lists plugins imports it.
        """
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT_PLUGIN, *HEAVY],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.assertEqual((done.stdout.split(), done.returncode), ([], 0), done.stderr)

    def test_serversWithoutAutobahn(self) -> None:
        """
        A server opens WebSockets without autobahn, which takes a tenth of a second to import: only who asks
        for one needs it.
        """
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT_SERVICE, "autobahn"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.assertEqual((done.stdout.split(), done.returncode), ([], 0), done.stderr)

    def test_clients(self) -> None:
        """
        The client prefixes are ours: none that Twisted or autobahn has.
        """
        clients = [
            each for name, each in vars(xtls_plugin).items() if name.endswith("Client") and name[0] != "_"
        ]
        self.assertEqual({each.prefix for each in clients}, {"ssl", "wss", "ws", "xtls"})
        for each in clients:
            verifyObject(IPlugin, each)
            verifyObject(IStreamClientEndpointStringParserWithReactor, each)

    def test_server(self) -> None:
        """
        The server prefix is C{xtls}.
        """
        verifyObject(IPlugin, xtls_plugin.xtlsServer)
        verifyObject(IStreamServerEndpointStringParser, xtls_plugin.xtlsServer)
        self.assertEqual(xtls_plugin.xtlsServer.prefix, "xtls")

    def test_service(self) -> None:
        """
        C{twistd xtls} leads to the service's module.
        """
        verifyObject(IPlugin, xtls_plugin.xtlsService)
        verifyObject(IServiceMaker, xtls_plugin.xtlsService)
        self.assertEqual(xtls_plugin.xtlsService.tapname, "xtls")
        self.assertEqual(xtls_plugin.xtlsService.module, "xtls.programs.service")
