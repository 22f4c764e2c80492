"""What the tables of a policy document have in common."""

from pydantic import ConfigDict

# Unknown keys are refused, 2.0 is not an integer.
SHAPE = ConfigDict(
    extra="forbid",
    frozen=True,
    strict=True,
    json_schema_serialization_defaults_required=True,
)
