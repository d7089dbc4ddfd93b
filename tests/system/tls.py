"""Certificates, good and bad, and a proxy that puts TLS and a user's password in front of an HTTP server."""
import base64
import datetime
import http.client
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def _pem(*parts):
    encoding = serialization.Encoding.PEM
    return b"".join(part.public_bytes(encoding) if isinstance(part, x509.Certificate) else
                    part.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) for part in parts)


class Authority:
    """Writes NAME.crt; its `server` writes NAME.key, NAME.crt and NAME.pem (both)."""

    def __init__(self, directory, name):
        self.directory, self.key = directory, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key, NOW - DAY, NOW + 400 * DAY,
                                      (x509.BasicConstraints(ca=True, path_length=None), True))
        self.file = directory / f"{name}.crt"
        self.file.write_bytes(_pem(self.certificate))

    def _sign(self, subject, key, begins, ends, *extensions):
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, name, host="127.0.0.1", begins=NOW - DAY, ends=NOW + 90 * DAY):
        """The path without its suffix."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        certificate = self._sign(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)]), key, begins, ends,
                                 (x509.SubjectAlternativeName([named]), False))
        path = self.directory / name
        for suffix, content in ((".key", _pem(key)), (".crt", _pem(certificate)), (".pem", _pem(key, certificate))):
            path.with_suffix(suffix).write_bytes(content)
            path.with_suffix(suffix).chmod(0o600)
        return path


def proxy(port, certificate, upstream, user, password):
    """Listens with TLS in front of the HTTP server at `upstream` (HOST:PORT); asks for Basic credentials. Ends with the test. The list
    grows by the path of each request. `password` may be a list of those that are good, which the test changes."""
    passwords = [password] if isinstance(password, str) else password
    basic = lambda good: "Basic " + base64.b64encode(f"{user}:{good}".encode()).decode()
    seen = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def forward(self):
            seen.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") not in map(basic, passwords):
                self.answer(401, "text/plain", b"who are you?")
                return
            kept = {name: value for name, value in self.headers.items() if name.lower() in ("accept", "content-type")}
            connection = http.client.HTTPConnection(upstream, timeout=120)
            connection.request(self.command, self.path, body, {**kept, "Content-Length": str(len(body))})
            answer = connection.getresponse()
            self.answer(answer.status, answer.getheader("Content-Type") or "application/octet-stream", answer.read())
            connection.close()

        def answer(self, status, kind, body):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

        def finish_request(self, request, client_address):
            """The handshake is done here, in the request's own thread: one that fails disturbs nobody."""
            with context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.with_suffix(".pem"))
    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return seen
