"""What all routes share: access rules, dependencies, idempotency, problem replies, OpenAPI."""
