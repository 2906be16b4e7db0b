"""A small RESP2 client for tests: shares no code with what it tests, needs only the library."""
import socket
import ssl


class ServerError(Exception):
    """The server answered with an error; its text is the argument."""


class Connection:
    """One connection; use as a context manager. `address` is (host, port)."""

    def __init__(self, address, password=None, user=None, ca_file=None, timeout_s=5.0):
        self.socket = socket.create_connection(address, timeout_s)
        if ca_file is not None:
            context = ssl.create_default_context(cafile=ca_file)
            self.socket = context.wrap_socket(self.socket, server_hostname=address[0])
        self.file = self.socket.makefile("rb")
        if password is not None:
            self.call(*(("AUTH", user, password) if user else ("AUTH", password)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        head = b"*%d\r\n" % len(parts)
        self.socket.sendall(head + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))

    def receive(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ServerError(rest.decode(errors="replace"))
        if kind == b"+":
            return rest.decode(errors="replace")
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b"*":
            return None if int(rest) < 0 else [self.receive() for _ in range(int(rest))]
        raise ConnectionError(f"not RESP2: {line!r}")

    def call(self, *words):
        self.send(*words)
        return self.receive()
