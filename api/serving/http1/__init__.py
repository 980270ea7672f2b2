"""HTTP/1.1 on the event loop: connections, the requests that come in, the answers that go out."""
