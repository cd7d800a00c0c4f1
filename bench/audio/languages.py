"""The language of a recording: any usual way of naming it in, a `Language` out.

In: a BCP 47 tag (`en-GB`, `zh-Hans`), an ISO 639 code of two or three letters (`ja`, `jpn`), or an English name with or
without a country (`Japanese`, `English (UK)`). Trap: a name that is not understood must not be read as English.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

NAMES_ALLOWED = "a tag such as en-GB, an ISO 639 code such as ja or jpn, or an English name such as Japanese"
UNKNOWN = "unknown"
"""What a catalogue says when the language is not known; it is read as English."""

# ISO 639-1 code, its ISO 639-2 and 639-3 codes, its English names. From the registry of the Library of Congress.
_TABLE = """
af afr Afrikaans|am amh Amharic|ar ara,arb Arabic|as asm Assamese|az aze Azerbaijani|be bel Belarusian|bg bul Bulgarian
bn ben Bengali,Bangla|bo bod,tib Tibetan|bs bos Bosnian|ca cat Catalan,Valencian|cs ces,cze Czech|cy cym,wel Welsh
da dan Danish|de deu,ger German|el ell,gre Greek|en eng English|eo epo Esperanto|es spa Spanish,Castilian
et est Estonian|eu eus,baq Basque|fa fas,per,pes Persian,Farsi|fi fin Finnish|fr fra,fre French|ga gle Irish
gl glg Galician|gu guj Gujarati|he heb Hebrew|hi hin Hindi|hr hrv Croatian|hu hun Hungarian|hy hye,arm Armenian
id ind Indonesian|is isl,ice Icelandic|it ita Italian|ja jpn Japanese|jv jav Javanese|ka kat,geo Georgian|kk kaz Kazakh
km khm Khmer|kn kan Kannada|ko kor Korean|ku kur Kurdish|ky kir Kyrgyz|la lat Latin|lb ltz Luxembourgish|lo lao Lao
lt lit Lithuanian|lv lav Latvian|mi mri,mao Maori|mk mkd,mac Macedonian|ml mal Malayalam|mn mon Mongolian
mr mar Marathi|ms msa,may,zsm Malay|mt mlt Maltese|my mya,bur Burmese|ne nep Nepali|nl nld,dut Dutch,Flemish
no nor,nob,nno Norwegian|nb nob Bokmal|nn nno Nynorsk|or ori,ory Odia,Oriya|pa pan Punjabi,Panjabi|pl pol Polish
ps pus Pashto|pt por Portuguese|ro ron,rum Romanian|ru rus Russian|sa san Sanskrit|sd snd Sindhi|si sin Sinhala
sk slk,slo Slovak|sl slv Slovenian|so som Somali|sq sqi,alb Albanian|sr srp Serbian|su sun Sundanese|sv swe Swedish
sw swa,swh Swahili|ta tam Tamil|te tel Telugu|tg tgk Tajik|th tha Thai|tk tuk Turkmen|tl tgl,fil Tagalog,Filipino
tr tur Turkish|tt tat Tatar|uk ukr Ukrainian|ur urd Urdu|uz uzb Uzbek|vi vie Vietnamese|xh xho Xhosa|yi yid Yiddish
yo yor Yoruba|zh zho,chi,cmn Chinese,Mandarin|yue yue Cantonese|wuu wuu Wu|zu zul Zulu
"""
# Written without spaces between words: a "word" error rate would score whole sentences.
_WITHOUT_SPACES = frozenset({"zh", "yue", "wuu", "ja", "th", "lo", "km", "my", "bo"})
_QUALIFIED = re.compile(r"[(,/].*$")


@dataclass(frozen=True, slots=True)
class Language:
    """A language as far as the scoring of words cares."""

    code: str
    """The ISO 639-1 code, else that of ISO 639-3."""

    @property
    def has_spaces(self) -> bool:
        """Whether its words stand apart, so that WER is the figure to read (else CER)."""
        return self.code not in _WITHOUT_SPACES


@cache
def language_of(name: str) -> Language:
    """The language called `name`; empty or `unknown` is English. Raises `ValueError` for a name that nobody knows."""
    text = name.strip().lower()
    if text in {"", UNKNOWN}:
        return Language("en")
    codes, names = _codes(), _names()
    tag = re.split(r"[-_]", text)[0]
    if tag in codes:
        return Language(codes[tag])
    plain = _QUALIFIED.sub("", text).strip()
    # "British English", "Brazilian Portuguese", "en GB"
    words = re.split(r"[\s_-]+", plain)
    for word in (plain, words[-1], words[0]):
        if word in names:
            return Language(names[word])
        if word in codes:
            return Language(codes[word])
    raise ValueError(f"{name!r} is no language that is known here")


@cache
def _codes() -> dict[str, str]:
    found = {}
    for code, others, _ in _entries():
        found[code] = code
        for other in others.split(","):
            found.setdefault(other, code)
    return found


@cache
def _names() -> dict[str, str]:
    return {name.lower(): code for code, _, names in _entries() for name in names.split(",")}


def _entries() -> list[list[str]]:
    return [entry.split(" ") for line in _TABLE.strip().splitlines() for entry in line.split("|")]
