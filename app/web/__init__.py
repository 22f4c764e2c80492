"""Pages for people: Jinja2 templates, one stylesheet, small ES modules; no build step."""
