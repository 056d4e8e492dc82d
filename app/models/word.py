"""The spellings that texts hold, for whoever misspells one."""

from __future__ import annotations

from sqlalchemy import BigInteger, Identity, Index
from sqlmodel import Field, SQLModel


class Word(SQLModel, table=True):
    """A stem, or after `=` a spelling, that some record is found by; kept by a trigger, read by `app.find` alone."""

    __table_args__ = (
        # whether a spelling is there already, and which are alike
        Index("ix_word_spelling", "spelling"),
        Index("ix_word_alike", "spelling", postgresql_using="gin", postgresql_ops={"spelling": "gin_trgm_ops"}),
    )
    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=(Identity(always=True),))
    spelling: str
