"""The parser of requests, made stricter than it comes."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class StrictProtocol(HttpToolsProtocol):
    """A target that is a whole address names a host of its own, which the parser drops: here it counts as another
    Host, and two are refused. `*` (of OPTIONS) is no path either and is left to the guard."""

    def on_headers_complete(self) -> None:
        if not self.url.startswith((b"/", b"*")):
            self.headers.append((b"host", self.url))
        super().on_headers_complete()
