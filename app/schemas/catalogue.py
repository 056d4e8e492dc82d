"""The catalogue of events: each kind with a sentence in two languages and the shape of what it says, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from app.rules.facts import EventKind as K
from app.schemas import access_facts as a
from app.schemas import clock_facts as c
from app.schemas import endings
from app.schemas import facts as s


class Row(NamedTuple):
    """A kind of fact: its sentence in English and Indonesian, and the shape of what it says."""

    en: str
    id: str
    shape: type[s.Said]


CATALOGUE: Final[Mapping[K, Row]] = {
    K.TASK_DRAFTED: Row("A task was written down as a draft.", "Tugas ditulis sebagai konsep.", s.TaskLogged),
    K.TASK_LOGGED: Row(
        "A task was logged, and the law said whose it is.",
        "Tugas dicatat, dan hukum menentukan pemiliknya.",
        s.TaskLogged,
    ),
    K.TASK_UPDATED: Row("Members of a task were changed.", "Isian tugas diubah.", s.TaskChanged),
    K.TASK_SUBMITTED: Row("A draft became a task.", "Konsep menjadi tugas.", s.TaskMoved),
    K.TASK_STARTED: Row("The owner began work.", "Pemilik mulai bekerja.", s.TaskMoved),
    K.TASK_INFO_AWAITED: Row("The owner waits for information.", "Pemilik menunggu informasi.", s.TaskMoved),
    K.TASK_RESUMED: Row("Work went on.", "Pekerjaan dilanjutkan.", s.TaskMoved),
    K.TASK_RESOLVED: Row("The owner reported an outcome.", "Pemilik melaporkan hasil.", s.TaskMoved),
    K.TASK_CONFIRMED: Row("The outcome was confirmed.", "Hasil dikonfirmasi.", s.TaskMoved),
    K.TASK_OUTCOME_REJECTED: Row(
        "The outcome was not accepted; work goes on.", "Hasil ditolak; pekerjaan dilanjutkan.", s.TaskMoved
    ),
    K.TASK_REOPENED: Row("A closed task was opened again.", "Tugas yang selesai dibuka kembali.", s.TaskMoved),
    K.TASK_CANCELLED: Row("A task was cancelled.", "Tugas dibatalkan.", s.TaskMoved),
    K.TASK_SUCCEEDED: Row(
        "A mandate ended, and by law its successor owns the task.",
        "Kewenangan berakhir, dan menurut hukum penggantinya memiliki tugas.",
        endings.TaskSucceeded,
    ),
    K.TASK_MANDATE_ENDED: Row(
        "A mandate ended without a successor; the owner keeps the task.",
        "Kewenangan berakhir tanpa pengganti; pemilik tetap memegang tugas.",
        endings.MandateEnded,
    ),
    K.TASK_SHARED: Row("A task was shown to an agency.", "Tugas dibagikan kepada instansi.", s.TaskShared),
    K.TASK_UNSHARED: Row("A share was taken back.", "Pembagian dicabut.", s.TaskShared),
    K.TASK_COMMENTED: Row("Somebody commented on a task.", "Tugas dikomentari.", s.Commented),
    K.REFERRAL_SENT: Row("A task was referred to an agency.", "Tugas dilimpahkan kepada instansi.", s.ReferralMoved),
    K.REFERRAL_RECEIVED: Row("The receiver confirmed receipt.", "Penerima menyatakan telah menerima.", s.ReferralMoved),
    K.REFERRAL_ACCEPTED: Row(
        "The receiver accepted, and owns the task.", "Penerima menyanggupi dan memiliki tugas.", s.ReferralMoved
    ),
    K.REFERRAL_RETURNED: Row(
        "The receiver returned the task, with a reason.", "Penerima mengembalikan tugas dengan alasan.", s.ReferralMoved
    ),
    K.REFERRAL_WITHDRAWN: Row("The sender took the referral back.", "Pengirim menarik pelimpahan.", s.ReferralMoved),
    K.DEADLINE_STARTED: Row("A clock began to run.", "Tenggat mulai berjalan.", c.ClockBegun),
    K.DEADLINE_APPROACHING: Row("A clock is about to run out.", "Tenggat hampir habis.", c.ClockMoved),
    K.DEADLINE_BREACHED: Row("A clock ran out.", "Tenggat terlampaui.", c.ClockMoved),
    K.DEADLINE_MET: Row(
        "What a clock waited for was done; `status` says whether in time.", "Tenggat dipenuhi.", c.ClockMoved
    ),
    K.DEADLINE_PAUSED: Row("A clock stands still.", "Tenggat dihentikan sementara.", c.ClockMoved),
    K.DEADLINE_RESUMED: Row("A clock goes on.", "Tenggat dilanjutkan.", c.ClockMoved),
    K.DEADLINE_EXTENDED: Row("A clock was extended, as the law allows.", "Tenggat diperpanjang.", c.ClockMoved),
    K.DEADLINE_REVISED: Row("Agencies agreed on another end.", "Tenggat kesepakatan diubah.", c.ClockMoved),
    K.DEADLINE_RECOMPUTED: Row(
        "The calendar was corrected, and the clock is due at another instant.",
        "Kalender dikoreksi sehingga tenggat berubah.",
        c.ClockRecomputed,
    ),
    K.DEADLINE_VOIDED: Row("A clock was called off.", "Tenggat dibatalkan.", c.ClockMoved),
    K.VULNERABILITY_MAPPED: Row("A vulnerability was mapped.", "Kerawanan dipetakan.", s.Mapped),
    K.VULNERABILITY_UPDATED: Row("A vulnerability was changed.", "Kerawanan diubah.", s.VulnerabilityChanged),
    K.VULNERABILITY_EVIDENCED: Row(
        "Evidence was brought for a vulnerability.", "Bukti kerawanan ditambahkan.", s.Evidenced
    ),
    K.VULNERABILITY_ASSESSED: Row(
        "An agency judged the risk of a vulnerability.", "Instansi menilai risiko kerawanan.", s.Assessed
    ),
    K.MEETING_HELD: Row("A meeting was recorded.", "Rapat dicatat.", s.Held),
    K.MEETING_UPDATED: Row("The record of a meeting was changed.", "Catatan rapat diubah.", s.Changed),
    K.MEETING_DECIDED: Row("A meeting's decision was recorded.", "Keputusan rapat dicatat.", s.Decided),
    K.AGENCY_CREATED: Row("An agency was registered.", "Instansi didaftarkan.", s.Nothing),
    K.AGENCY_UPDATED: Row("An agency's entry was changed.", "Data instansi diubah.", s.Changed),
    K.INSTRUMENT_CREATED: Row("A legal instrument was registered.", "Peraturan didaftarkan.", s.Nothing),
    K.INSTRUMENT_UPDATED: Row("A legal instrument's entry was changed.", "Data peraturan diubah.", s.Changed),
    K.MANDATE_CREATED: Row("A mandate was registered.", "Kewenangan didaftarkan.", s.Nothing),
    K.MANDATE_CLOSURE_PROPOSED: Row(
        "An operator proposed to close a mandate.",
        "Operator mengusulkan penutupan kewenangan.",
        endings.ClosureProposed,
    ),
    K.MANDATE_CLOSURE_REJECTED: Row(
        "The closure of a mandate was not confirmed.",
        "Penutupan kewenangan tidak dikonfirmasi.",
        endings.ClosureRejected,
    ),
    K.MANDATE_CLOSED: Row("Two operators closed a mandate.", "Dua operator menutup kewenangan.", endings.MandateClosed),
    K.CALENDAR_CORRECTED: Row("The calendar was corrected.", "Kalender dikoreksi.", c.CalendarCorrected),
    K.ELECTION_CREATED: Row("An election was registered.", "Pemilihan didaftarkan.", s.Nothing),
    K.ELECTION_UPDATED: Row("An election's entry was changed.", "Data pemilihan diubah.", s.Changed),
    K.STAGE_CREATED: Row("A stage of an election was registered.", "Tahapan pemilihan didaftarkan.", s.Nothing),
    K.STAGE_UPDATED: Row("A stage of an election was changed.", "Tahapan pemilihan diubah.", s.Changed),
    K.CLIENT_CREATED: Row("A client was made.", "Klien dibuat.", a.ClientMade),
    K.CLIENT_UPDATED: Row("A client was changed.", "Klien diubah.", s.Changed),
    K.CLIENT_SUSPENDED: Row("A client was shut out for a time.", "Klien ditangguhkan.", s.Reasoned),
    K.CLIENT_REINSTATED: Row("A client was let in again.", "Klien diaktifkan kembali.", s.Reasoned),
    K.CLIENT_REVOKED: Row("A client was shut out for good.", "Klien dicabut untuk seterusnya.", s.Reasoned),
    K.SECRET_CREATED: Row("A client got a secret.", "Klien mendapat rahasia.", a.SecretMade),
    K.SECRET_ROTATED: Row(
        "A client got a new secret; the old one ends.", "Klien mendapat rahasia baru; yang lama berakhir.", a.SecretMade
    ),
    K.SECRET_REVOKED: Row("A secret was ended.", "Rahasia dicabut.", a.CredentialEnded),
    K.SECRET_MISUSED: Row("Somebody used a secret that had ended.", "Rahasia yang sudah berakhir dipakai.", a.Misused),
    K.KEY_REGISTERED: Row("A client registered a public key.", "Klien mendaftarkan kunci publik.", a.KeyRegistered),
    K.KEY_REVOKED: Row("A client's key was ended.", "Kunci klien dicabut.", a.CredentialEnded),
    K.KEY_MISUSED: Row("Somebody used a key that had ended.", "Kunci yang sudah berakhir dipakai.", a.Misused),
    K.TOKEN_REVOKED: Row("A client gave a token back.", "Klien mengembalikan token.", a.TokenEnded),
    K.TOKENS_REVOKED: Row(
        "All tokens of a client, or of everybody, were ended.",
        "Semua token klien, atau semua pihak, diakhiri.",
        s.Reasoned,
    ),
    K.CREDENTIAL_EXPIRING: Row(
        "A credential ends in 30, 14, 7 or 1 days.", "Kredensial berakhir dalam 30, 14, 7, atau 1 hari.", a.Expiring
    ),
    K.AGENCY_SUSPENDED: Row("An agency was shut out for a time.", "Instansi ditangguhkan.", s.Reasoned),
    K.AGENCY_REINSTATED: Row("An agency was let in again.", "Instansi diaktifkan kembali.", s.Reasoned),
    K.SIGNING_KEY_ADDED: Row("A key for access tokens was published.", "Kunci token akses diumumkan.", s.Nothing),
    K.SIGNING_KEY_ACTIVATED: Row(
        "A key began to sign access tokens.", "Kunci mulai menandatangani token akses.", s.Nothing
    ),
    K.SIGNING_KEY_ENDED: Row("A key for access tokens ended.", "Kunci token akses berakhir.", a.SigningKeyEnded),
    K.LOG_KEY_ADDED: Row(
        "A key began to sign heads and receipts of the log.", "Kunci mulai menandatangani log.", s.Nothing
    ),
    K.LOG_KEY_RETIRED: Row("A key signs the log no more.", "Kunci tidak lagi menandatangani log.", s.Nothing),
    K.LOG_COSIGNED: Row("An agency cosigned a head of the log.", "Instansi ikut menandatangani log.", a.Cosigned),
    K.LOG_HEAD_LOST: Row(
        "A head that the log has signed is lost; nothing gets a place until it is resumed.",
        "Kepala log yang pernah ditandatangani tidak lagi dilanjutkan; log berhenti sampai dilanjutkan operator.",
        a.HeadLost,
    ),
    K.LOG_RESUMED: Row(
        "The log was resumed although entries under a signed head are lost.",
        "Log dilanjutkan walaupun entri di bawah kepala yang ditandatangani hilang.",
        a.LogResumed,
    ),
    K.LOG_RETIRED: Row(
        "The facts of a year were taken out of the database; their leaves stay, and so do the proofs.",
        "Fakta satu tahun dikeluarkan dari basis data; daunnya tetap, begitu pula buktinya.",
        a.LogRetired,
    ),
    K.WEBHOOK_CREATED: Row("A webhook was registered.", "Webhook didaftarkan.", a.WebhookMade),
    K.WEBHOOK_UPDATED: Row("A webhook was changed.", "Webhook diubah.", s.Changed),
    K.WEBHOOK_DELETED: Row("A webhook was taken off.", "Webhook dihapus.", s.Nothing),
    K.WEBHOOK_SECRET_ROTATED: Row("A webhook signs with a new key.", "Webhook memakai kunci baru.", a.WebhookKeyTurned),
    K.WEBHOOK_PARKED: Row(
        "A receiver was out of reach too long; its webhook waits.",
        "Penerima terlalu lama tak terjangkau; webhook menunggu.",
        a.WebhookParked,
    ),
    K.WEBHOOK_RESUMED: Row(
        "A webhook goes on where it stopped.", "Webhook melanjutkan dari tempat berhenti.", s.Changed
    ),
    K.REQUEST_REFUSED: Row(
        "A request of a known client was refused.", "Permintaan klien yang dikenal ditolak.", a.Refused
    ),
    K.AUTHENTICATION_FAILED: Row("Somebody failed to prove who it is.", "Autentikasi gagal.", a.Failed),
    K.PERSON_ERASED: Row(
        "A person's name was erased; the log still verifies.", "Nama seseorang dihapus; log tetap terbukti.", s.Reasoned
    ),
    K.RECORD_ERASED: Row(
        "What was written about a record was erased; the log still verifies.",
        "Tulisan tentang suatu catatan dihapus; log tetap terbukti.",
        a.RecordErased,
    ),
}
