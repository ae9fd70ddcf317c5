"""A way to a server that a test may block: connections stay open and new ones are taken, but nothing comes through."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes between clients and the server of `url`, until it is blocked. `url` becomes its own address."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._server = parts.hostname, parts.port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        self.url = parts._replace(netloc=f"{user}127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._open, self._stopped = threading.Event(), threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = [self._listener]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def block(self) -> None:
        """Let nothing through from now on."""
        self._open.clear()

    def unblock(self) -> None:
        """Let everything through again, what waited first."""
        self._open.set()

    def close(self) -> None:
        """End every connection."""
        self._stopped.set()
        self._open.set()
        self._thread.join()
        for each in self._sockets:
            each.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._open.wait()
            for key, _ in self._selector.select(timeout=0.05):
                if not self._open.is_set():
                    break
                if key.data is None:
                    self._connect()
                else:
                    self._pass_on(key.fileobj, key.data)  # type: ignore[arg-type]

    def _connect(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        self._sockets += [client, server]
        self._selector.register(client, selectors.EVENT_READ, server)
        self._selector.register(server, selectors.EVENT_READ, client)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            if data := source.recv(1 << 16):
                target.sendall(data)
        if not data:
            for each in (source, target):
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()


@contextlib.contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    made = Proxy(url)
    try:
        yield made
    finally:
        made.close()
