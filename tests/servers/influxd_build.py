"""InfluxDB 2 built from its Go module, because Debian carries only version 1 and Go's proxy carries the source."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.servers import debian
from tests.servers.places import INFLUXD_VERSION, cached_influxd

MODULE_FOLDER = Path(__file__).parent / "influxd"
PROGRAM = "github.com/influxdata/influxdb/v2/cmd/influxd"
# InfluxDB's own pkg-config: it builds the Rust library of the query language and tells Go how to link it.
PKG_CONFIG = "github.com/influxdata/pkg-config@v0.2.7"
PACKAGES = {"clang": "clang", "protoc": "protobuf-compiler", "cc": "gcc", "ld": "binutils"}
TOOLCHAINS = {
    "go": "Go 1.23 or newer (go.dev)",
    "cargo": "Rust, stable (rustup.rs)",
    "rustc": "Rust, stable (rustup.rs)",
}
MOST_JOBS = 4  # Each job may take a gigabyte.
# The Rust part denies warnings that newer compilers have added since; this makes them warnings again.
RUSTC_WRAPPER = """\
#!/bin/sh
case " $* " in *cap-lints*) exec "$@" ;; esac
exec "$@" --cap-lints warn
"""


def build() -> Path:
    """Build influxd into the cache and return its path; it appears there complete or not at all."""
    _require_tools()
    print(f"building influxd {INFLUXD_VERSION}: 4 to 10 minutes, once per machine", flush=True)
    target = cached_influxd()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="anju-influxd-", ignore_cleanup_errors=True) as folder:
        built = _build_in(Path(folder))
        unfinished = target.with_name(f"influxd.{os.getpid()}.tmp")
        shutil.copy2(built, unfinished)
        unfinished.rename(target)
    return target


def _require_tools() -> None:
    missing = sorted({wanted for program, wanted in TOOLCHAINS.items() if not shutil.which(program)})
    if missing:
        sys.exit(
            f"Building influxd needs {' and '.join(missing)}. Or put influxd {INFLUXD_VERSION} on the PATH, "
            "or set ANJU_TEST_INFLUX_URL, ANJU_TEST_INFLUX_TOKEN and ANJU_TEST_INFLUX_ORG."
        )
    packages = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if packages:
        debian.install([*packages, "libc6-dev"])


def _build_in(folder: Path) -> Path:
    # In a copy, because -mod=mod may rewrite go.mod and go.sum.
    module = folder / "module"
    shutil.copytree(MODULE_FOLDER, module)
    wrapper = folder / "rustc-wrapper"
    wrapper.write_text(RUSTC_WRAPPER)
    wrapper.chmod(0o755)
    environment = _environment(folder, wrapper)
    _go(["install", PKG_CONFIG], module, environment)
    built = folder / "influxd"
    tags = "sqlite_foreign_keys,sqlite_json"
    _go(["build", "-p", str(_jobs()), "-tags", tags, "-o", str(built), PROGRAM], module, environment)
    return built


def _environment(folder: Path, wrapper: Path) -> dict[str, str]:
    return {
        **os.environ,
        "CGO_ENABLED": "1",
        "CC": "clang",
        "GOBIN": str(folder / "bin"),
        "GOFLAGS": "-mod=mod",
        "PKG_CONFIG": str(folder / "bin" / "pkg-config"),
        "CARGO_BUILD_JOBS": str(_jobs()),
        "RUSTC_WRAPPER": str(wrapper),
        # The Rust part pins an older toolchain that a machine need not have.
        "RUSTUP_TOOLCHAIN": os.environ.get("RUSTUP_TOOLCHAIN", "stable"),
    }


def _go(arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    debian.run(["nice", "-n", "10", "go", *arguments], folder=folder, environment=environment)


def _jobs() -> int:
    return min(os.cpu_count() or 1, MOST_JOBS)
