"""Serves the wire contract at an address that the bus calls. Standard library only.

    python3 serve.py --port 9100 --file people.sqlite

Over a network, give it TLS and tell callers apart (`--certificate`, `--key`, `--callers`): only the bus may come in.
"""

import argparse
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from people import CAPABILITIES, People
from wire import Connector

BODY_MAX = 16 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without this a small answer waits for the caller's delayed acknowledgement.
    disable_nagle_algorithm = True
    connector: Connector

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        if length > BODY_MAX:
            self.close_connection = True
            return self.send_error(413)
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, media_type, body = self.connector.answer(self.path, headers, self.rfile.read(length))
        self.send_response(status)
        if media_type:
            self.send_header("content-type", media_type)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A caller that goes away is no error."""


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--file", required=True)
    options.add_argument("--registry", default="people")
    options.add_argument("--certificate", help="PEM; with --key, speaks TLS")
    options.add_argument("--key")
    options.add_argument("--callers", help="PEM: the authorities whose client certificates are let in")
    options = options.parse_args()

    Handler.connector = Connector("example", options.registry, "people", People(options.file), CAPABILITIES)
    server = Server(("127.0.0.1", options.port), Handler)
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
        if options.callers:
            context.load_verify_locations(options.callers)
            context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(f"listening {options.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
