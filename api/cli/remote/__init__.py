"""Commands that ask a running server over HTTP, from any host; they open no database."""
