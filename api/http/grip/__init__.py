"""GRIP (pushpin.org/docs/protocols/grip): a proxy holds streams, and is told what to send."""
