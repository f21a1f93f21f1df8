"""Tables, charts and the self-contained page."""
