"""Simpul: election agencies log risk-mitigation tasks and hand each to the body whose mandate covers it."""

from app import heap

heap.build()
