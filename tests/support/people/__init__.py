"""People at a browser, a terminal or a page of the documentation."""
