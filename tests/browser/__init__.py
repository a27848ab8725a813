"""The package as its users see it: in a real Jupyter server, drawn by a real browser."""
