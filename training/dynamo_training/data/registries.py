"""Fetches archives of exactly named and versioned packages with each registry's own client.

The clients take mirrors and certificates from their own configuration. Nothing that is downloaded
is built, installed or run: wheels instead of source distributions, scripts off, no dependencies.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PERMITTED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "ISC", "MIT",
    "PSF-2.0", "Unlicense", "Zlib",
}  # fmt: skip
SPLITS = ("train", "heldout")
MOST_PACKAGES = 60
TIMEOUT = 600  # seconds
WHEEL_TARGET = (
    "--python-version=3.13",
    "--implementation=cp",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux_2_27_x86_64",
    "--platform=manylinux_2_17_x86_64",
    "--platform=manylinux2014_x86_64",
)
"""Wheels of one interpreter and platform, so that every machine gets the same archive."""


@dataclass(frozen=True)
class Package:
    registry: str
    name: str
    """As its registry writes it; `group:artifact` for maven."""
    version: str
    licence: str
    """An SPDX expression, of which one alternative must be permitted."""
    split: str
    sha256: str = ""
    """Of the archive; empty until it has been fetched once."""
    folders: tuple[str, ...] = ()
    """Path prefixes below the archive's root to which the package is limited; empty: all."""

    @property
    def archive(self) -> str:
        """A file name for the archive that holds no separator."""
        return re.sub(r"[^\w.+-]", "_", f"{self.registry}-{self.name}-{self.version}")


def read_packages(path: Path) -> list[Package]:
    """The packages of a list; raises ValueError when an entry may not be used."""
    entries = json.loads(path.read_text(encoding="utf-8"))["packages"]
    packages = [Package(**{**e, "folders": tuple(e.get("folders", ()))}) for e in entries]
    for package in packages:
        if not permitted(package.licence):
            raise ValueError(f"{package.name}: {package.licence} is not a permitted licence")
        if package.split not in SPLITS or package.registry not in CLIENTS:
            raise ValueError(f"{package.name}: unknown split or registry")
    if len(packages) > MOST_PACKAGES:
        raise ValueError(f"{len(packages)} packages; at most {MOST_PACKAGES} are fetched")
    if len({package.archive for package in packages}) < len(packages):
        raise ValueError("a package is listed twice")
    return packages


def permitted(licence: str) -> bool:
    """Whether one alternative of an SPDX expression asks for permitted licences only."""
    alternatives = licence.strip("()").split(" OR ")
    return any(all(part in PERMITTED for part in a.split(" AND ")) for a in alternatives)


def fetch(package: Package, folder: Path) -> tuple[Path, str]:
    """The package's archive below `folder` and its SHA-256; downloads it unless it is there.

    Raises ValueError when the archive is not the listed one.
    """
    target = folder / package.archive
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            os.replace(CLIENTS[package.registry](package, Path(work)), target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    if package.sha256 and digest != package.sha256:
        raise ValueError(f"{target} has SHA-256 {digest}, not the listed one; delete or update it")
    return target, digest


def _npm(package: Package, work: Path) -> Path:
    _run(["npm", "pack", f"{package.name}@{package.version}", "--ignore-scripts"], work)
    return _only(work, "*.tgz")


def _pypi(package: Package, work: Path) -> Path:
    wanted = f"{package.name}=={package.version}"
    options = ["--no-deps", "--only-binary=:all:", *WHEEL_TARGET]
    _run([sys.executable, "-m", "pip", "download", *options, wanted], work)
    return _only(work, "*.whl")


def _crates(package: Package, work: Path) -> Path:
    """`cargo info` reads one crate's manifest, for which it puts the crate into cargo's cache."""
    _run(["cargo", "info", "--quiet", f"{package.name}@{package.version}"], work)
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    cached = _only(home / "registry/cache", f"*/{package.name}-{package.version}.crate")
    return Path(shutil.copy(cached, work))


def _maven(package: Package, work: Path) -> Path:
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
    artifact = f"{package.name}:{package.version}:jar:sources"
    _run(["mvn", "-q", "-B", plugin, f"-Dartifact={artifact}", f"-DoutputDirectory={work}"], work)
    return _only(work, "*-sources.jar")


def _debian(package: Package, work: Path) -> Path:
    _run(["apt-get", "-q", "download", f"{package.name}={package.version}"], work)
    return _only(work, "*.deb")


CLIENTS = {"npm": _npm, "pypi": _pypi, "crates": _crates, "maven": _maven, "debian": _debian}


def _run(command: list[str], work: Path) -> None:
    done = subprocess.run(
        command, cwd=work, timeout=TIMEOUT, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise RuntimeError(f"expected one {pattern} in {folder}, found {len(found)}")
    return found[0]
