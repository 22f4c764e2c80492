"""To which secret a database belongs."""

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel


class SecretCheck(SQLModel, table=True):
    """One row: the check value of the secret under which the service last started."""

    __tablename__ = "secret_checks"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    check_value: bytes
