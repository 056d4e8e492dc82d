"""What the nation's tasks are about, how often, and in which words they are told. Rows, not code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Matter:
    """A question to the matrix and its share of the work; `tier` says which regions put it."""

    category: str
    function: str
    weight: float
    variant: str = ""
    subject_kind: str = ""
    tier: str = "city"


#: The shares of a pilkada as its offices tell of it: supervision and logistics first, courts last.
MATTERS: Final = (
    Matter("voter_list", "handling", 12),
    Matter("voter_list", "monitoring", 9),
    Matter("logistics", "logistics", 12),
    Matter("logistics", "monitoring", 6),
    Matter("logistics", "security", 4),
    Matter("asn_neutrality", "prevention", 6),
    Matter("asn_neutrality", "monitoring", 6),
    Matter("asn_neutrality", "handling", 5),
    Matter("asn_neutrality", "handling", 0.5, subject_kind="city_official"),
    Matter("asn_neutrality", "handling", 1, variant="crime"),
    Matter("asn_neutrality", "adjudication", 2),
    Matter("money_politics", "prevention", 5),
    Matter("money_politics", "handling", 4),
    Matter("money_politics", "handling", 2, variant="crime"),
    Matter("admin_violation", "handling", 5),
    Matter("admin_violation", "adjudication", 2),
    Matter("disinformation", "monitoring", 5),
    Matter("disinformation", "handling", 1, variant="takedown"),
    Matter("disinformation", "handling", 1, variant="crime_general"),
    Matter("facility_misuse", "prevention", 3),
    Matter("facility_misuse", "monitoring", 3),
    Matter("facility_misuse", "handling", 2),
    Matter("public_disorder", "prevention", 4),
    Matter("public_disorder", "security", 2),
    Matter("public_disorder", "security", 1, variant="assist"),
    Matter("polling_infrastructure", "prevention", 4),
    Matter("hydrometeorological", "prevention", 2),
    Matter("hydrometeorological", "monitoring", 2),
    Matter("hydrometeorological", "handling", 1.5),
    Matter("hydrometeorological", "logistics", 1),
    Matter("viral_issue", "prevention", 2),
    Matter("viral_issue", "prevention", 1, variant="topic_election_process"),
    Matter("endorsement_claim", "monitoring", 1.5),
    Matter("candidate_eligibility", "handling", 2),
    Matter("candidate_eligibility", "monitoring", 1),
    Matter("process_dispute", "adjudication", 0.5),
    Matter("tni_neutrality", "prevention", 1),
    Matter("tni_neutrality", "monitoring", 1),
    Matter("tni_neutrality", "handling", 0.5),
    Matter("polri_neutrality", "prevention", 1),
    Matter("polri_neutrality", "handling", 0.5),
    Matter("organizer_integrity", "handling", 1, variant="subject_kpu", subject_kind="kpu_adhoc_member"),
    Matter("intimidation", "handling", 1),
    Matter("intimidation", "handling", 0.5, variant="crime_general"),
    Matter("cyber_incident", "handling", 0.5, variant="system_city"),
    Matter("cyber_incident", "handling", 0.3, variant="system_kpu"),
    Matter("recount", "handling", 1.5),
    Matter("recount", "monitoring", 1),
    Matter("revote", "handling", 1),
    Matter("revote", "security", 0.5),
    Matter("tsm_violation", "adjudication", 1, tier="province"),
    Matter("polri_neutrality", "sanction", 1.5, variant="discipline", tier="province"),
    Matter("tni_neutrality", "sanction", 1, variant="discipline_korem", tier="province"),
    Matter("organizer_integrity", "handling", 1, variant="subject_bawaslu", tier="province"),
    Matter("organizer_integrity", "adjudication", 1, tier="province"),
    Matter("process_dispute", "adjudication", 1, variant="appeal", tier="province"),
    Matter("disinformation", "handling", 1, variant="takedown", tier="province"),
    Matter("ex_acting_head_candidacy", "prevention", 0.5, tier="province"),
)
#: Whither the owner of a task hands it on, where the law has such a function for its category.
ONWARD: Final = {
    "prevention": ("monitoring", ""),
    "monitoring": ("handling", ""),
    "handling": ("adjudication", ""),
    "logistics": ("monitoring", ""),
    "security": ("prevention", ""),
}
#: Who logs tasks, by tier, with cumulative weights.
LOGGERS: Final = {
    "city": (("BAWASLU", "KPU", "BAKESBANGPOL", "POLRES", "KODIM"), (42, 70, 84, 94, 100)),
    "province": (("BAWASLU", "KPU", "POLDA", "BAKESBANGPOL", "KOREM"), (45, 70, 85, 95, 100)),
}
#: Where most people live, the largest first; all other regions follow in an order by seed.
LARGEST: Final = (
    *("35.78", "32.73", "12.71", "32.01", "33.74", "36.71", "32.75", "73.71", "16.71", "36.03", "35.73", "32.76"),
    *("32.16", "32.04", "36.74", "35.15", "35.07", "14.71", "21.71", "31", "18.71", "33.72", "35.09", "51.71"),
)
SUBJECTS: Final = {
    "voter_list": "daftar pemilih sementara|data pemilih ganda|pemilih pemula|pencocokan data pemilih",
    "logistics": "surat suara|kotak suara|distribusi logistik|gudang logistik",
    "asn_neutrality": "netralitas ASN|unggahan ASN di media sosial|kehadiran ASN pada kampanye|mutasi pejabat",
    "money_politics": "politik uang|pembagian sembako|janji imbalan kepada pemilih|transaksi menjelang pemungutan",
    "admin_violation": "pelanggaran administrasi|tata cara rekapitulasi|prosedur pemutakhiran|berkas pencalonan",
    "disinformation": "hoaks hasil hitung cepat|disinformasi pencalonan|video palsu|akun penyebar fitnah",
    "facility_misuse": "penggunaan kendaraan dinas|kampanye di tempat ibadah|kampanye di sekolah|aset pemerintah",
    "public_disorder": "kerumunan pendukung|bentrok antarpendukung|unjuk rasa|konvoi kampanye",
    "polling_infrastructure": "lokasi TPS|akses pemilih difabel|jaringan listrik TPS|tenda TPS",
    "hydrometeorological": "banjir di lokasi TPS|tanah longsor|cuaca ekstrem|genangan di gudang",
    "viral_issue": "isu viral|tagar di media sosial|rekaman percakapan|poster tanpa penanggung jawab",
    "recount": "penghitungan suara ulang|selisih hasil|formulir C hasil|rekapitulasi kecamatan",
    "revote": "pemungutan suara ulang|pemilih tidak berhak|kotak suara terbuka|salah penggunaan hak pilih",
}
ANY_SUBJECT: Final = "laporan masyarakat|temuan pengawas|permintaan klarifikasi|pengaduan tertulis"
DEEDS: Final = {
    "prevention": "Sosialisasi|Pencegahan|Koordinasi pencegahan|Imbauan",
    "monitoring": "Pengawasan|Pemantauan|Pemeriksaan lapangan|Patroli",
    "handling": "Penanganan|Tindak lanjut|Klarifikasi|Kajian awal",
    "adjudication": "Pemeriksaan|Sidang|Telaah",
    "sanction": "Penegakan disiplin|Rekomendasi sanksi",
    "security": "Pengamanan|Pengawalan|Penjagaan",
    "logistics": "Pengiriman|Penyortiran|Pengecekan|Penggantian",
}
SENTENCES: Final = (
    *("Laporan diterima dari petugas lapangan.", "Warga setempat meminta kejelasan sebelum masa tenang."),
    *("Bukti berupa foto dan keterangan saksi telah dikumpulkan.", "Perlu koordinasi dengan panitia kecamatan."),
    *("Jumlah petugas terbatas sehingga jadwal disusun bergantian.", "Lokasi sulit dijangkau pada musim hujan."),
    *("Pihak terkait sudah diundang untuk memberi keterangan.", "Hasil sementara disampaikan pada rapat mingguan."),
    *("Tim terpadu turun ke lokasi pada hari yang sama.", "Belum ada indikasi keterlibatan peserta pemilihan."),
    *("Kejadian serupa pernah dicatat pada pemilihan sebelumnya.", "Data pendukung akan dilengkapi oleh pelapor."),
    *("Media setempat sudah memberitakan kejadian ini.", "Pemilih diminta tetap tenang dan tidak terprovokasi."),
    *("Berita acara ditandatangani oleh semua pihak.", "Dokumen asli disimpan di sekretariat."),
)
NOTES: Final = (
    *("Selesai sesuai rencana.", "Sudah dilaksanakan bersama instansi pendukung.", "Tidak ditemukan pelanggaran."),
    *("Terbukti dan sudah ditindaklanjuti.", "Diteruskan kepada instansi yang berwenang.", "Keadaan sudah terkendali."),
)
REASONS: Final = (
    *("Laporan ganda.", "Bukti belum lengkap.", "Pelapor mencabut laporan.", "Lokasi di luar wilayah kerja."),
    *("Perlu pemeriksaan tambahan.", "Keadaan sudah berubah."),
)
COMMENTS: Final = (
    *("Mohon dilampirkan dokumentasi kegiatan.", "Sudah dibahas dalam rapat koordinasi.", "Petugas siap di lokasi."),
    *("Menunggu keterangan saksi.", "Jadwal disesuaikan dengan pendukung setempat."),
)
#: What the closing requirements of the law ask for, as a range of numbers or as words.
CLOSING: Final[dict[str, tuple[int, int] | str]] = {
    "replaced_ballots": (0, 400),
    "participants": (15, 600),
    "outcome_reason": "Memenuhi syarat menurut berkas yang diverifikasi.",
}
