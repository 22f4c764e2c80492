"""What the tables of a policy document have in common."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A table of the document: unknown keys are refused, 2.0 is not an integer."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_serialization_defaults_required=True,
    )
