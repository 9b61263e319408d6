"""The application's own tables."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What the application's alembic looks at."""


class User(Base):
    """A user with an image. The column is unique: one upload, one reference."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    avatar: Mapped[str | None] = mapped_column(unique=True)
