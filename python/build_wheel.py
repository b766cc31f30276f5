"""Build the wheel: the Python package, and the programs of ``bin/`` as scripts, so that `pip install` is all it takes.

Needs nothing but the standard library. The same input gives the same bytes.

Who finds whom after an installation:

- pip puts ``proa`` and ``proa-step`` side by side into the environment's ``bin``; ``proa`` looks for ``proa-step``
  beside itself.
- The package looks for ``proa`` in the environment's ``bin`` (``proa/client.py``), and tells it in PROA_SDK which
  folder it was imported from itself, so that the program knows where the package is.
- In a checkout, the package in ``python/`` finds ``bin/proa``, and ``bin/proa`` finds the package at ``../python``.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import platform
import re
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

HERE = Path(__file__).resolve().parent
PROGRAMS = ("proa", "proa-step")
REQUIREMENTS = ("uv",)


def main() -> int:
    """Build the wheel and print its path."""
    parser = argparse.ArgumentParser(description="Build the proa wheel.")
    parser.add_argument("--bin", type=Path, default=HERE.parent / "bin", help="folder with proa and proa-step")
    parser.add_argument("--out", type=Path, default=HERE.parent / "dist", help="folder to write the wheel to")
    parser.add_argument("--platform", default=platform_tag(), help="platform tag (default: %(default)s)")
    options = parser.parse_args()
    missing = [name for name in PROGRAMS if not (options.bin / name).is_file()]
    if missing:
        print(f"build_wheel: {options.bin} has no {' and no '.join(missing)}; run `make build` first", file=sys.stderr)
        return 1
    print(build(options.bin, options.out, options.platform))
    return 0


def platform_tag() -> str:
    """Return the tag of this machine; the programs are static, so that any Linux with glibc 2.17 or newer does."""
    if sys.platform.startswith("linux"):
        return f"manylinux_2_17_{platform.machine()}"
    return re.sub(r"[-.]", "_", sysconfig.get_platform())


def version() -> str:
    """Return the package's version."""
    text = (HERE / "proa" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit('build_wheel: proa/__init__.py has no line __version__ = "..."')
    return found.group(1)


def build(programs: Path, out: Path, tag: str) -> Path:
    """Write the wheel into a folder and return its path."""
    name = f"proa-{version()}"
    info = f"{name}.dist-info"
    files = dict(_package())
    for program in PROGRAMS:
        files[f"{name}.data/scripts/{program}"] = (programs / program).read_bytes()
    files[f"{info}/METADATA"] = _metadata().encode()
    files[f"{info}/WHEEL"] = _wheel(tag).encode()
    license_file = HERE.parent / "LICENSE"
    if license_file.is_file():
        files[f"{info}/licenses/LICENSE"] = license_file.read_bytes()
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD").encode()
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}-py3-none-{tag}.whl"
    partial = path.with_suffix(".part")
    _write(partial, files)
    partial.replace(path)
    return path


def _package() -> Iterator[Tuple[str, bytes]]:
    for path in sorted((HERE / "proa").rglob("*")):
        if path.is_file() and (path.suffix == ".py" or path.name == "py.typed"):
            yield path.relative_to(HERE).as_posix(), path.read_bytes()


def _metadata() -> str:
    lines = [
        "Metadata-Version: 2.1",
        "Name: proa",
        f"Version: {version()}",
        "Summary: Machine-learning pipelines as plain Python functions, run on this machine or on Kubernetes.",
        "License: Apache-2.0",
        "Requires-Python: >=3.9",
        *(f"Requires-Dist: {requirement}" for requirement in REQUIREMENTS),
    ]
    readme = HERE.parent / "README.md"
    if not readme.is_file():
        return "\n".join(lines) + "\n"
    lines.append("Description-Content-Type: text/markdown")
    return "\n".join(lines) + "\n\n" + readme.read_text(encoding="utf-8")


def _wheel(tag: str) -> str:
    lines = ["Wheel-Version: 1.0", "Generator: proa build_wheel", "Root-Is-Purelib: false", f"Tag: py3-none-{tag}"]
    return "\n".join(lines) + "\n"


def _record(files: Dict[str, bytes], own: str) -> str:
    lines: List[str] = []
    for name in sorted(files):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(files[name])}")
    return "\n".join([*lines, f"{own},,"]) + "\n"


def _write(path: Path, files: Dict[str, bytes]) -> None:
    """Write the archive: the package first, its description last, as wheels have it; times and modes are fixed."""
    names = sorted(files, key=lambda name: (".dist-info/" in name, name.endswith("/RECORD"), name))
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if ".data/scripts/" in name else 0o100644) << 16
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name], compresslevel=6)


if __name__ == "__main__":
    sys.exit(main())
