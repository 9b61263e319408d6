"""One engine for the application's tables and for reconciler's.

Settings and credentials come from the environment, and `reconcile init` has run:

    RECONCILER_BUCKET=my-bucket RECONCILER_TABLE_URL=sqlite:///app.db python app.py
"""

import os
import urllib.request

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import reconciler
from reconciler import PresignedUpload, Uploads

IMAGE = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(1000)
ME = "user:42"


class Base(DeclarativeBase):
    """The application's own tables."""


class User(Base):
    """A user with an image."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    avatar: Mapped[str | None] = mapped_column(unique=True)


# begin_immediate changes SQLite alone. Completing in a session takes one more connection from the pool for a moment.
engine = reconciler.begin_immediate(create_engine(os.environ["RECONCILER_TABLE_URL"], pool_size=10))
uploads = Uploads.from_settings(table=engine)


def presign() -> PresignedUpload:
    """What the browser asks for."""
    return uploads.presign(filename="me.jpg", content_type="image/jpeg", size=len(IMAGE), owner=ME)


def send(ticket: PresignedUpload) -> None:
    """What the browser does with it."""
    request = urllib.request.Request(ticket.url, IMAGE, dict(ticket.headers), method=ticket.method)  # noqa: S310  our own URL
    urllib.request.urlopen(request).close()  # noqa: S310


def save(key: str) -> int:
    """What the form does: the user and the image are saved together, or not at all."""
    with Session(engine) as session, session.begin():
        user = User(avatar=uploads.complete(key, owner=ME, session=session).key)
        session.add(user)
        session.flush()
        return user.id


def delete(number: int) -> None:
    """Delete the user, and let the image go with it."""
    with Session(engine) as session, session.begin():
        user = session.get_one(User, number)
        session.delete(user)
        uploads.release(user.avatar, owner=ME, session=session)


if __name__ == "__main__":
    Base.metadata.create_all(engine)
    ticket = presign()
    send(ticket)
    number = save(ticket.key)
    print(uploads.get(ticket.key, owner=ME).status)
    delete(number)
    print(uploads.get(ticket.key, owner=ME).status)
    engine.dispose()
