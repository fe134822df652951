"""A proxy that breaks what passes through it, and the ways in which it does."""

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Proxy:
    """Passes requests on to a server, and breaks the answers as `fault` says.

    Parameters
    ----------
    url : str
        Of the server.

    Attributes
    ----------
    url : str
        Of the proxy.
    fault : callable
        Gets the handler, the path, the answer's status, headers (dict) and body; returns True if it has answered
        itself, or None to let the answer pass. Called for every GET.
    requests : list of (str, str or None)
        Path and range of each GET so far.
    """

    def __init__(self, url):
        self.fault, self.requests, server, me = None, [], urlsplit(url).netloc, self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                connection = http.client.HTTPConnection(server, timeout=30)
                connection.request(self.command, self.path, headers=dict(self.headers))
                answer = connection.getresponse()
                body, headers = answer.read(), dict(answer.getheaders())
                connection.close()
                headers = {k: v for k, v in headers.items() if k.lower() not in ("connection", "transfer-encoding")}
                if self.command == "GET":
                    me.requests.append((self.path, self.headers.get("Range")))
                    if me.fault and me.fault(self, self.path, answer.status, headers, body):
                        return
                self.answer(answer.status, headers, body)

            do_HEAD = do_GET

            def answer(self, status, headers, body, *, close=False):
                if self.command == "GET" and "Content-Length" not in headers:
                    headers["Content-Length"] = str(len(body))
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("server", "date"):
                        self.send_header(name, value)
                if close:
                    self.send_header("Connection", "close")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)
                if close:
                    self.wfile.flush()
                    self.close_connection = True

            def log_message(self, *_):
                """Say nothing."""

            def handle(self):
                try:
                    super().handle()
                except (ConnectionError, TimeoutError):
                    self.close_connection = True  # who asked has gone: that is what some tests are about

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        """Stop."""
        self.server.shutdown()
        self.server.server_close()


def cut(handler, path, status, headers, body):
    """Send half, then hang up."""
    handler.answer(status, {**headers, "Content-Length": str(len(body))}, body[: len(body) // 2], close=True)
    return True


def delay(handler, path, status, headers, body):
    """Answer nothing until nobody waits any longer."""
    time.sleep(1.3)
    handler.close_connection = True
    return True


def busy(handler, path, status, headers, body):
    """Say that there is too much to do."""
    handler.answer(503, {"Content-Type": "text/html"}, b"<html>Slow down</html>")
    return True


def truncate(handler, path, status, headers, body):
    """Send half, and call it whole."""
    half = body[: len(body) // 2]
    handler.answer(status, {**headers, "Content-Length": str(len(half))}, half)
    return True


def promise_more(handler, path, status, headers, body):
    """Announce more bytes than there are."""
    handler.answer(status, {**headers, "Content-Length": str(len(body) + 100)}, body, close=True)
    return True


def send_more(handler, path, status, headers, body):
    """Send more bytes than the file has."""
    handler.answer(status, {**headers, "Content-Length": str(len(body) + 100)}, body + b"x" * 100)
    return True


def corrupt(handler, path, status, headers, body):
    """Flip one bit in the middle."""
    broken = bytearray(body)
    broken[len(broken) // 2] ^= 1
    handler.answer(status, headers, bytes(broken))
    return True


def wrong_place(handler, path, status, headers, body):
    """Answer a request for the end of a file with its beginning, as if that had been asked for."""
    if "Content-Range" not in headers:
        return cut(handler, path, status, headers, body)
    total = int(headers["Content-Range"].rpartition("/")[2])
    handler.answer(206, {**headers, "Content-Range": f"bytes 1-{len(body)}/{total}"}, body)
    return True


def log_in_page(handler, path, status, headers, body):
    """Answer with a page of a hotel's network."""
    handler.answer(200, {"Content-Type": "text/html"}, b"<html><body>Please log in.<br></body></html>")
    return True


def refuse(handler, path, status, headers, body):
    """Say that it is not allowed."""
    handler.answer(403, {"Content-Type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")
    return True


def cut_anywhere(rng):
    """Make a fault that hangs up at a random byte.

    Parameters
    ----------
    rng : random.Random
    """

    def cut_there(handler, path, status, headers, body):
        sent = body[: rng.randrange(len(body) or 1)]
        handler.answer(status, {**headers, "Content-Length": str(len(body))}, sent, close=True)
        return True

    return cut_there


def list_also(entry):
    """Make a fault that puts one entry more into every listing of files.

    Parameters
    ----------
    entry : callable
        Called with a key of the listing; returns a key and a size.
    """

    def add(handler, path, status, headers, body):
        if b"<Contents>" not in body or "max-keys" in path:
            return None
        known = body.partition(b"<Key>")[2].partition(b"</Key>")[0].decode()
        key, size = entry(known)
        new = f"<Contents><Key>{key}</Key><Size>{size}</Size><ETag>x</ETag></Contents>".encode()
        body = body.replace(b"<Contents>", new + b"<Contents>", 1)
        handler.answer(status, {**headers, "Content-Length": str(len(body))}, body)
        return True

    return add


def list_without_end(handler, path, status, headers, body):
    """Say of each listing that there is more, and not how to get it."""
    if b"<Contents>" not in body or "max-keys" in path:
        return None
    body = body.replace(b"<IsTruncated>false", b"<IsTruncated>true")
    handler.answer(status, {**headers, "Content-Length": str(len(body))}, body)
    return True
