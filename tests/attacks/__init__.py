"""Every way in that is known for tokens, by families."""

from attacks import carriers, contents, forms, headers, signatures, standing
from attacks.family import FAMILIES, Attack, forged

__all__ = ["FAMILIES", "Attack", "carriers", "contents", "forged", "forms", "headers", "signatures", "standing"]
