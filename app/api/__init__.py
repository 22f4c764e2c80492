"""What every route shares: access rules, dependencies, idempotency, problems, OpenAPI."""
