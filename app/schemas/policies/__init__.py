"""API schemas of the points rules: the documents, and what is shown of them."""
