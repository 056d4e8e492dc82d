"""What somebody looks for: words, phrases and exclusions of a search text, without the words that stand everywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: How many words one search may ask for.
MOST_WORDS: Final = 12

#: They say how other words belong together and nothing by themselves; PostgreSQL brings a stemmer, but no such list.
_EVERYWHERE: Final = """
    ada adalah agar akan akibat aku anda antara apa apabila apakah atas atau bagi bagaimana bahkan bahwa banyak begitu
    belum beliau berapa berbagai beserta bila bisa boleh bukan cara dahulu dalam dan dapat dari daripada demi demikian
    dengan di dia dimana dulu guna hal hanya harus hendak hingga ia ialah ini itu jadi jangan jika juga jikalau kalau
    kami kamu kan kapan karena kata ke kembali kemudian kepada kini kita kok lagi lah lain lainnya lalu lebih maka mana
    masih maupun melalui mengapa menjadi menurut mereka meski meskipun mesti mungkin namun nanti nya oleh pada padahal
    paling para per perlu pernah pula pun saat saja saling sama sambil sampai sangat saya se seakan sebab sebagai
    sebagaimana sebelum sebuah secara sedang sedangkan sehingga sejak selain selalu selama seluruh semakin sementara
    semua seorang sepanjang seperti serta sesuai sesudah setelah setiap siapa suatu sudah supaya tanpa tapi telah
    tentang terhadap tersebut tetap tetapi tiap tidak untuk usai walau walaupun yaitu yakni yang
"""
STOP_WORDS: Final = frozenset(_EVERYWHERE.split())

_PART: Final = re.compile(r'(?P<without>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_LETTER: Final = re.compile(r"[^\W_]")
#: A word said twice is its plural: surat-surat.
_TWICE: Final = re.compile(r"(\w+)-\1", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sought:
    """What must stand in a text, in which forms: words in any, phrases as they are; and what must not."""

    words: tuple[str, ...]
    phrases: tuple[str, ...]
    without: tuple[str, ...]


def sought(text: str) -> Sought:
    """Read a search text: words, "phrases in quotes", and what a `-` excludes.

    Words that stand everywhere are left out, unless nothing else is asked for. Raises ValueError when no word is left
    to be found, or when there are more than MOST_WORDS.
    """
    words: list[str] = []
    phrases: list[str] = []
    without: list[str] = []
    for part in _PART.finditer(text):
        said = part["word"] if part["phrase"] is None else part["phrase"]
        if not _LETTER.search(said):
            continue
        if part["without"]:
            without.append(said)
        elif part["phrase"] is None:
            words.append(_TWICE.sub(r"\1", said))
        else:
            phrases.append(said)
    telling = [one for one in words if one.casefold() not in STOP_WORDS]
    found = Sought(tuple(telling if telling or phrases else words), tuple(phrases), tuple(without))
    if not found.words + found.phrases or len(found.words + found.phrases + found.without) > MOST_WORDS:
        raise ValueError(text)
    return found
