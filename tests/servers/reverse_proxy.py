"""nginx and Caddy, started with the examples that Anju brings: on free ports, with a certificate of the test."""

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.running import Server, free_port

EXAMPLES = Path(__file__).parents[2] / "deploy" / "reverse-proxy"
# What a whole nginx needs around the site; Debian's own folders belong to the service that Debian would start.
NGINX = """\
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/anju.conf;
}}
"""


class ReverseProxy(Server):
    """A reverse proxy with TLS at `url` before ``upstream_port``; ``certificate`` is a folder with server.pem and .key.

    It cuts off who sends a header or a body slowly after a second instead of after 10 and 30.
    """

    def __init__(self, program: Path, upstream_port: int, certificate: Path) -> None:
        super().__init__(program)
        self.upstream = f"127.0.0.1:{upstream_port}"
        self.certificate = certificate
        self.plain_port = free_port()

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    def answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1.0):
                return True
        except OSError:
            return False

    def adapted(self, example: str, changes: Mapping[str, str]) -> str:
        """Return the example with ``changes``, each of which it must hold."""
        text = (EXAMPLES / example).read_text(encoding="utf-8")
        for old, new in changes.items():
            assert old in text, f"{example} holds no {old!r}"
            text = text.replace(old, new)
        return text


class Nginx(ReverseProxy):
    """nginx with `deploy/reverse-proxy/nginx.conf` as its only site."""

    name = "nginx"

    def command(self) -> Sequence[str]:
        return [str(self.program), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def prepare(self) -> None:
        changes = {
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl http2;\n": "",
            "listen 80;": f"listen {self.host}:{self.plain_port};",
            "listen 443 ssl": f"listen {self.host}:{self.port} ssl",
            "help.example.cn": self.host,
            "/etc/ssl/anju/fullchain.pem": str(self.certificate / "server.pem"),
            "/etc/ssl/anju/privkey.pem": str(self.certificate / "server.key"),
            "127.0.0.1:8000": self.upstream,
            "client_header_timeout 10s": "client_header_timeout 1s",
            "client_body_timeout 30s": "client_body_timeout 1s",
        }
        (self.folder / "anju.conf").write_text(self.adapted("nginx.conf", changes), encoding="utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(NGINX.format(folder=self.folder, user=user), encoding="utf-8")


class Caddy(ReverseProxy):
    """Caddy with `deploy/reverse-proxy/Caddyfile`."""

    name = "caddy"

    def command(self) -> Sequence[str]:
        return [str(self.program), "run", "--adapter", "caddyfile", "--config", str(self.folder / "Caddyfile")]

    def prepare(self) -> None:
        ports = f"http_port {self.plain_port}\n\thttps_port {self.port}"
        pair = f"{self.certificate / 'server.pem'} {self.certificate / 'server.key'}"
        changes = {
            "\tservers {": f"\tadmin off\n\tdefault_bind {self.host}\n\t{ports}\n\tservers {{",
            "help.example.cn {": f"{self.host} {{\n\ttls {pair}",
            "127.0.0.1:8000": self.upstream,
            "read_header 10s": "read_header 1s",
            "read_body 30s": "read_body 1s",
        }
        (self.folder / "Caddyfile").write_text(self.adapted("Caddyfile", changes), encoding="utf-8")
