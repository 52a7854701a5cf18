"""Make `.venv` ready to run: what `make setup` calls. Standard library only.

    python3 deploy/bootstrap.py

Does nothing, in a fraction of a second, where the environment is already what the lock says.
`CACHEMW_PORTABLE=1` builds hnswlib for any machine of this architecture, as an image needs, instead
of for this one.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "deploy" / "requirements.lock"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "cachemw-stamp"

# Also the version that the lock was made with. Pinned here and not there, because of its builds:
# the default one for Linux brings several GB of CUDA packages.
TORCH = "2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
HNSWLIB = "hnswlib==0.8.0"
MINIMUM = (3, 11)


class SetupFailed(Exception):
    """The set-up cannot go on; the message says what is missing."""


def main() -> int:
    """Set up; returns the exit code."""
    try:
        _set_up()
    except SetupFailed as problem:
        print(f"setup: {problem}", file=sys.stderr)
        return 1
    return 0


def _set_up() -> None:
    if sys.version_info < MINIMUM:
        raise SetupFailed(f"Python {platform.python_version()} is too old: 3.11 is needed.")
    wanted = _fingerprint()
    if STAMP.is_file() and STAMP.read_text() == wanted and PYTHON.exists():
        return
    _require_compiler()
    _offer_redis()
    _create_venv()
    _say("installing torch (CPU build)")
    _require(_install_torch(), f"torch {TORCH} could not be installed")
    _say("installing the locked packages")
    _require(_pip("--no-deps", "-r", str(LOCK)), "the locked packages could not be installed")
    _say("building hnswlib")
    _require(_build_hnswlib(), "hnswlib could not be built")
    editable = _pip("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    _require(editable, "cachemw itself could not be installed")
    STAMP.write_text(wanted)
    _say("ready: .venv/bin/cachemw")


def _require(done: bool, otherwise: str) -> None:
    if not done:
        raise SetupFailed(f"{otherwise}; see pip's messages above.")


def _fingerprint() -> str:
    """Name everything that, when it changes, asks for a new set-up."""
    files = (LOCK, ROOT / "pyproject.toml", Path(__file__))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    portable = os.environ.get("CACHEMW_PORTABLE", "0")
    return f"{digest} {sys.version} {platform.machine()} portable={portable} {ROOT}\n"


def _require_compiler() -> None:
    """Make sure that hnswlib, which comes as source only, can be built; installs what it may."""
    if _can_compile():
        return
    if _may_install():
        _say("installing a C++ compiler")
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        _apt_install(*(["g++"] if _has_headers() else ["g++", f"{version}-dev"]))
    if not _can_compile():
        raise SetupFailed(
            "A C++ compiler and Python's headers are needed to build hnswlib. "
            "Debian or Ubuntu: apt-get install g++ python3-dev. "
            "Fedora: dnf install gcc-c++ python3-devel. macOS: xcode-select --install."
        )


def _offer_redis() -> None:
    """Install redis-server where that is allowed; the set-up goes on without it.

    cachemw itself only needs the address of one. The tests of the Redis store start their own.
    """
    if _has_redis():
        return
    if _may_install():
        _say("installing redis-server, which tests start servers with")
        _apt_install("redis-server")
    if not _has_redis():
        _say(
            "no redis-server: the tests of the Redis store will be skipped. "
            "Debian or Ubuntu: apt-get install redis-server. Fedora: dnf install redis. "
            "macOS: brew install redis."
        )


def _has_redis() -> bool:
    return all(shutil.which(name) for name in ("redis-server", "redis-cli"))


def _may_install() -> bool:
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def _apt_install(*packages: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=False)
    command = ["apt-get", "install", "-y", "-qq", *packages]
    subprocess.run(command, check=False, env=environment)


def _can_compile() -> bool:
    compilers = (os.environ.get("CXX"), "c++", "g++", "clang++")
    return any(name and shutil.which(name) for name in compilers) and _has_headers()


def _has_headers() -> bool:
    return (Path(sysconfig.get_path("include")) / "Python.h").is_file()


def _create_venv() -> None:
    # An environment of another interpreter or place cannot be mended, only made anew.
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False).returncode != 0:
        raise SetupFailed("No virtual environment: install Python's venv (Debian: python3-venv).")


def _install_torch() -> bool:
    if sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64"):
        cpu_build = f"torch=={TORCH}+cpu"
        from_cpu_index = ("--no-deps", "--extra-index-url", TORCH_CPU_INDEX, "--retries", "1")
        if _pip("--no-deps", cpu_build, quiet=True) or _pip(*from_cpu_index, cpu_build, quiet=True):
            return True
        _say("no CPU build of torch in reach: the default build, which may take several GB")
        return _pip(f"torch=={TORCH}")
    return _pip("--no-deps", f"torch=={TORCH}")


def _build_hnswlib() -> bool:
    environment = dict(os.environ)
    if environment.get("CACHEMW_PORTABLE") == "1":
        environment["HNSWLIB_NO_NATIVE"] = "1"
    # Never pip's cache: a wheel built with -march=native on another machine may not run here.
    return _pip("--no-deps", "--no-cache-dir", HNSWLIB, env=environment)


def _pip(*arguments: str, quiet: bool = False, env: dict[str, str] | None = None) -> bool:
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    stderr = subprocess.DEVNULL if quiet else None
    done = subprocess.run([*command, *arguments], check=False, stderr=stderr, env=env)
    return done.returncode == 0


def _say(message: str) -> None:
    print(f"setup: {message}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
