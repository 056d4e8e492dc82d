"""Refusals: one class per problem code, in Indonesian and English (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

_NONE = "—"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the input: its place (`pointer` in the body, or `parameter`), a code, a sentence."""

    code: str
    en: str
    id: str
    pointer: str | None = None
    parameter: str | None = None

    def shown(self, language: str) -> dict[str, str]:
        """The member of `errors` in the given language."""
        place = {"pointer": self.pointer} if self.pointer is not None else {"parameter": self.parameter or ""}
        return {**place, "code": self.code, "detail": self.id if language == "id" else self.en}


class Denied(NamedTuple):
    """A refusal by permission or standing: what was asked for, and of which record."""

    problem: Problem
    operation: str
    record: UUID | None


class Problem(Exception):
    """A refusal that tells the caller what to do next; `facts` become members of the problem document.

    `title` and `detail` are (English, Indonesian); `detail` may use the facts as `{name}`.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[tuple[str, str]]
    detail: ClassVar[tuple[str, str]]
    retry_after: ClassVar[int | None] = None
    catalogue: ClassVar[dict[str, type[Problem]]] = {}

    def __init_subclass__(cls) -> None:
        """Enter the class in the catalogue under its code."""
        Problem.catalogue[cls.code] = cls

    def __init__(self, *, errors: Iterable[Fault] = (), headers: Mapping[str, str] | None = None, **facts: Any) -> None:
        super().__init__(self.code)
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.facts = facts
        #: What else was refused with it, where one request asked for many things: each is entered by itself.
        self.denied: tuple[Denied, ...] = ()

    def document(self, *, language: str, instance: str, request_id: str) -> dict[str, Any]:
        """The problem document (RFC 9457) in `language` (`id` or `en`)."""
        place = 1 if language == "id" else 0
        shown = {
            "type": f"/problems/{self.code}",
            "title": self.title[place],
            "status": self.status,
            "detail": self.detail[place].format_map(
                {name: _NONE if fact is None else fact for name, fact in self.facts.items()}
            ),
            "instance": instance,
            "code": self.code,
            "request_id": request_id,
            **self.facts,
        }
        if self.errors:
            shown["errors"] = [fault.shown(language) for fault in self.errors[:20]]
        return shown


# 400: the request itself is malformed


class MalformedJson(Problem):
    code, status = "malformed-json", 400
    title = "Malformed JSON", "JSON tidak sah"
    detail = "The body is not valid UTF-8 JSON.", "Isi permintaan bukan JSON UTF-8 yang sah."


class JsonDepth(Problem):
    code, status = "json-depth", 400
    title = "JSON nested too deeply", "JSON bersarang terlalu dalam"
    detail = "The body nests more than {limit} levels.", "Isi permintaan bersarang lebih dari {limit} tingkat."


class JsonDuplicateKey(Problem):
    code, status = "json-duplicate-key", 400
    title = "Duplicate key in JSON", "Kunci JSON ganda"
    detail = "An object of the body names one key twice.", "Sebuah objek menyebut satu kunci dua kali."


class JsonNumber(Problem):
    code, status = "json-number", 400
    title = "Number out of range", "Angka di luar jangkauan"
    detail = (
        "The body holds NaN, Infinity or a number too large to be kept exactly.",
        "Isi permintaan memuat NaN, Infinity, atau angka yang terlalu besar untuk disimpan tepat.",
    )


class UnknownParameter(Problem):
    code, status = "unknown-parameter", 400
    title = "Unknown parameter", "Parameter tidak dikenal"
    detail = "See `errors` for the names; did you mean one of `known`?", "Lihat `errors`; yang dikenal ada di `known`."


class InvalidParameter(Problem):
    code, status = "invalid-parameter", 400
    title = "Invalid parameter", "Parameter tidak sah"
    detail = "See `errors` for each parameter and what was meant.", "Lihat `errors` untuk tiap parameter."


class CursorMismatch(Problem):
    code, status = "cursor-mismatch", 400
    title = "Cursor does not fit", "Kursor tidak cocok"
    detail = (
        "The cursor belongs to another filter, sort or agency, or was altered. Start again without it.",
        "Kursor milik saringan, urutan, atau instansi lain, atau telah diubah. Mulai lagi tanpa kursor.",
    )


class IdempotencyKeyMissing(Problem):
    code, status = "idempotency-key-missing", 400
    title = "Idempotency-Key is missing", "Idempotency-Key tidak ada"
    detail = (
        "Send a fresh Idempotency-Key (1 to 255 visible ASCII characters) with every POST, the same with its retries.",
        "Kirim Idempotency-Key baru (1 sampai 255 karakter ASCII) pada tiap POST dan yang sama saat mengulang.",
    )


# 401, 403, 404: who is asking


class TokenMissing(Problem):
    code, status = "token-missing", 401
    title = "Token is missing", "Token tidak ada"
    detail = (
        "Send `Authorization: Bearer` with an access token of /oauth2/token.",
        "Kirim `Authorization: Bearer` dengan token akses dari /oauth2/token.",
    )


class TokenInvalid(Problem):
    code, status = "token-invalid", 401
    title = "Token is not valid", "Token tidak sah"
    detail = "Fetch a new access token from /oauth2/token.", "Ambil token akses baru dari /oauth2/token."


class PermissionDenied(Problem):
    code, status = "permission-denied", 403
    title = "Permission denied", "Izin ditolak"
    detail = (
        "This needs the permission `{permission}`, which your role or your agency's standing does not give.",
        "Ini memerlukan izin `{permission}`, yang tidak dimiliki peran Anda atau kedudukan instansi Anda.",
    )


class NotYourReferral(Problem):
    code, status = "not-your-referral", 403
    title = "Not your referral", "Bukan pelimpahan Anda"
    detail = "Only {agency} may do this to the referral.", "Hanya {agency} yang boleh melakukan ini pada pelimpahan."


class ClassificationDenied(Problem):
    code, status = "classification-denied", 403
    title = "Classification denied", "Klasifikasi ditolak"
    detail = (
        "Your agency sees only a summary of this {classification} matter.",
        "Instansi Anda hanya melihat ringkasan perkara {classification} ini.",
    )


class AgencySuspended(Problem):
    code, status = "agency-suspended", 403
    title = "Agency suspended", "Instansi ditangguhkan"
    detail = "Your agency is suspended; ask an operator.", "Instansi Anda ditangguhkan; hubungi operator."


class AddressNotAllowed(Problem):
    code, status = "address-not-allowed", 403
    title = "Address not allowed", "Alamat tidak diizinkan"
    detail = "This client may not be used from this address.", "Klien ini tidak boleh dipakai dari alamat ini."


class NotFound(Problem):
    code, status = "not-found", 404
    title = "Not found", "Tidak ditemukan"
    detail = "There is nothing here that you may see.", "Tidak ada apa pun di sini yang boleh Anda lihat."


class NoSuchHead(Problem):
    code, status = "no-such-head", 404
    title = "No such head", "Kepala log tidak ada"
    detail = (
        "No head of size {size} was signed; near are `next` and `newest`. If you hold one, show it to all agencies.",
        "Tidak ada kepala log berukuran {size}; lihat `next` dan `newest`. Jika Anda memegangnya, tunjukkan ke semua.",
    )


class NotInLog(Problem):
    code, status = "not-in-log", 404
    title = "Not in the log", "Tidak ada dalam log"
    detail = (
        "No such entry is under the head of size {size}. Ask again when there is a newer head.",
        "Tidak ada entri itu di bawah kepala log berukuran {size}. Tanyakan lagi setelah ada kepala yang lebih baru.",
    )


# 405 to 415: the manner of asking


class MethodNotAllowed(Problem):
    code, status = "method-not-allowed", 405
    title = "Method not allowed", "Metode tidak diizinkan"
    detail = "See the Allow header.", "Lihat kepala Allow."


class NotAcceptable(Problem):
    code, status = "not-acceptable", 406
    title = "Not acceptable", "Bentuk tidak tersedia"
    detail = "This resource is available as {available}.", "Sumber ini tersedia sebagai {available}."


class BodyTooLarge(Problem):
    code, status = "body-too-large", 413
    title = "Body too large", "Isi terlalu besar"
    detail = "The body may hold {limit} bytes at most.", "Isi permintaan paling banyak {limit} bita."


class UriTooLong(Problem):
    code, status = "uri-too-long", 414
    title = "Address too long", "Alamat terlalu panjang"
    detail = "Path and query may hold {limit} bytes at most.", "Jalur dan kueri paling banyak {limit} bita."


class UnsupportedMediaType(Problem):
    code, status = "unsupported-media-type", 415
    title = "Unsupported media type", "Jenis media tidak didukung"
    detail = "Send the body as {expected}.", "Kirim isi sebagai {expected}."


# 409, 412, 428: not now, or changed meanwhile


class TransitionNotAllowed(Problem):
    code, status = "transition-not-allowed", 409
    title = "Transition not allowed", "Perpindahan tidak diizinkan"
    detail = (
        "`{action}` is not lawful while the status is `{current}`; `lawful` lists what is.",
        "`{action}` tidak sah selama statusnya `{current}`; `lawful` memuat yang sah.",
    )


class MandateMismatch(Problem):
    code, status = "mandate-mismatch", 409
    title = "Out of mandate", "Di luar kewenangan"
    detail = (
        "{agency} may not be accountable for this ({refusal_kind}); competent is {competent_agency}.",
        "{agency} tidak dapat menjadi penanggung jawab ({refusal_kind}); yang berwenang adalah {competent_agency}.",
    )


class MandateGap(Problem):
    code, status = "mandate-gap", 409
    title = "No competent agency", "Tidak ada instansi berwenang"
    detail = (
        "No agency is competent for this at that instant; missing office: {missing_office}.",
        "Tidak ada instansi yang berwenang pada saat itu; jabatan yang kosong: {missing_office}.",
    )


class Recusal(Problem):
    code, status = "recusal", 409
    title = "Own case", "Perkara sendiri"
    detail = (
        "{agency} may not own a case about itself; competent is {competent_agency}.",
        "{agency} tidak boleh menangani perkaranya sendiri; yang berwenang adalah {competent_agency}.",
    )


class ReferralOpen(Problem):
    code, status = "referral-open", 409
    title = "A referral is open", "Pelimpahan masih terbuka"
    detail = (
        "Wait for the answer of {to_agency}, or withdraw the referral, first.",
        "Tunggu jawaban {to_agency}, atau tarik pelimpahan itu, lebih dahulu.",
    )


class StatutoryClock(Problem):
    code, status = "statutory-clock", 409
    title = "Set by the law", "Ditetapkan undang-undang"
    detail = (
        "The law sets this clock ({clock}); nobody edits it. `lawful` lists what may be done with it.",
        "Undang-undang menetapkan tenggat ini ({clock}); tidak dapat diubah. `lawful` memuat yang sah.",
    )


class ClockRunning(Problem):
    code, status = "clock-running", 409
    title = "The clock is there already", "Tenggat sudah ada"
    detail = (
        "{clock} runs for this task already, or ran from that very start; read its deadlines.",
        "{clock} sudah berjalan untuk tugas ini, atau pernah berjalan dari saat itu; baca tenggatnya.",
    )


class NoSuchClock(Problem):
    code, status = "no-such-clock", 422
    title = "No clock starts", "Tidak ada tenggat yang mulai"
    detail = (
        "No limit of the law starts at {clock_starts_at} for this category and function; `starts` lists what does.",
        "Tidak ada tenggat yang mulai pada {clock_starts_at} untuk kategori dan fungsi ini; lihat `starts`.",
    )


class DuplicateExternalReference(Problem):
    code, status = "duplicate-external-reference", 409
    title = "External reference already used", "Rujukan luar sudah dipakai"
    detail = (
        "Your agency already uses this external_reference for {reference}.",
        "Instansi Anda sudah memakai external_reference ini untuk {reference}.",
    )


class HeadMismatch(Problem):
    code, status = "head-mismatch", 409
    title = "Not our head", "Bukan kepala log kami"
    detail = (
        "We have no head of size {size} with this root. If you hold one that we signed, post it to /v1/log/lost-heads.",
        "Kami tidak punya kepala log berukuran {size} dengan akar ini. Jika Anda punya, kirim ke /v1/log/lost-heads.",
    )


class IdempotencyInProgress(Problem):
    code, status = "idempotency-in-progress", 409
    title = "Still running", "Masih berjalan"
    detail = "The first request with this key is still running.", "Permintaan pertama dengan kunci ini masih berjalan."
    retry_after = 1


class StaleVersion(Problem):
    code, status = "stale-version", 412
    title = "Changed meanwhile", "Sudah berubah"
    detail = (
        "Read it again and repeat with the current ETag {current_etag}.",
        "Baca lagi dan ulangi dengan ETag terkini {current_etag}.",
    )


class PreconditionRequired(Problem):
    code, status = "precondition-required", 428
    title = "If-Match is required", "If-Match diperlukan"
    detail = "Send If-Match with the ETag you last read.", "Kirim If-Match dengan ETag yang terakhir Anda baca."


# 422: well formed, but not lawful input


class ValidationFailed(Problem):
    code, status = "validation-failed", 422
    title = "Validation failed", "Isian tidak sah"
    detail = "See `errors` for each field.", "Lihat `errors` untuk tiap isian."


class IdempotencyKeyReused(Problem):
    code, status = "idempotency-key-reused", 422
    title = "Idempotency-Key reused", "Idempotency-Key dipakai ulang"
    detail = (
        "This key was used for another request. Use a new one.",
        "Kunci ini sudah dipakai untuk permintaan lain. Gunakan yang baru.",
    )


class NoLegalBasis(Problem):
    code, status = "no-legal-basis", 422
    title = "No legal basis", "Tidak ada dasar hukum"
    detail = (
        "The law knows no competent agency for this before {valid_to} (mandate {mandate}).",
        "Hukum belum mengenal instansi berwenang sebelum {valid_to} (mandat {mandate}).",
    )


class ClassificationRefused(Problem):
    code, status = "classification-refused", 422
    title = "Classification refused", "Klasifikasi tidak diterima"
    detail = (
        "`{classification}` matters do not belong in this system.",
        "Perkara `{classification}` tidak boleh berada di sistem ini.",
    )


class ExpiryInFreezeWindow(Problem):
    code, status = "expiry-in-freeze-window", 422
    title = "Expiry in a freeze window", "Kedaluwarsa pada masa beku"
    detail = "No credential may expire in {window}.", "Kredensial tidak boleh kedaluwarsa dalam {window}."


class TextEncoding(Problem):
    code, status = "text-encoding", 422
    title = "Text not acceptable", "Teks tidak dapat diterima"
    detail = (
        "NUL, lone surrogates, bidirectional controls and other control characters are refused; see `errors`.",
        "NUL, surogat tunggal, kendali dua arah, dan karakter kendali lain ditolak; lihat `errors`.",
    )


class FourEyes(Problem):
    code, status = "four-eyes", 422
    title = "Four eyes", "Empat mata"
    detail = (
        "Whoever resolved or proposed something does not judge it: let another client do so, one in other hands.",
        "Yang diselesaikan atau diusulkan satu klien dinilai oleh klien lain di tangan lain; gunakan klien lain.",
    )


# 429, 5xx: ours, or later


class QuotaExceeded(Problem):
    code, status = "quota-exceeded", 429
    title = "Too many requests", "Terlalu banyak permintaan"
    detail = "Wait as Retry-After says.", "Tunggu sesuai Retry-After."
    retry_after = 1


class Overloaded(Problem):
    code, status = "overloaded", 503
    title = "Overloaded", "Kelebihan beban"
    detail = "All database connections are busy. Try again.", "Semua sambungan basis data sibuk. Coba lagi."
    retry_after = 1


class Timeout(Problem):
    code, status = "timeout", 503
    title = "Took too long", "Terlalu lama"
    detail = (
        "The request was stopped and changed nothing. Try again.",
        "Permintaan dihentikan tanpa mengubah apa pun. Coba lagi.",
    )
    retry_after = 1


class Storage(Problem):
    code, status = "storage", 503
    title = "Storage is full", "Penyimpanan penuh"
    detail = "Nothing was changed. Try again later.", "Tidak ada yang berubah. Coba lagi nanti."
    retry_after = 30


class TemporarilyUnavailable(Problem):
    code, status = "temporarily-unavailable", 503
    title = "Temporarily unavailable", "Sementara tidak tersedia"
    detail = "The database cannot be reached. Try again.", "Basis data tidak dapat dihubungi. Coba lagi."
    retry_after = 2


class Internal(Problem):
    code, status = "internal", 500
    title = "Internal error", "Kesalahan internal"
    detail = (
        "The fault is ours and nothing was changed. Tell the operator the request_id.",
        "Kesalahan ada pada kami dan tidak ada yang berubah. Beri tahu operator request_id ini.",
    )
