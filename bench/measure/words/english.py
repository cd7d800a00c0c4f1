"""English: contractions, abbreviations, addresses, money, times and numbers in one spelling.

In and out: text in lower case (`steps.same_characters`). Numbers end as digits; `steps.digit_by_digit` parts them
later. Trap: a rule that helps one side must do nothing to the other: both sides pass through every rule.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from bench.measure.words.steps import Step, replaced_words, substituted

_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec"
)
_UNITS = "zero|one|two|three|four|five|six|seven|eight|nine"
_MAGNITUDES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_MAGNITUDE = "|".join(_MAGNITUDES)
_DOMAINS = (
    "com|org|net|edu|gov|info|io|co|ai|app|dev|me|tv|biz|uk|us|ca|au|nz|ie|in|za|eu|de|fr|es|it|nl|be|ch|at|se|no|dk|"
    "fi|pl|pt|gr|ru|jp|cn|kr|br|mx"
)
_ADDRESS = re.compile(
    rf"(?:https?://)?(?:[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@)?[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:{_DOMAINS})\b(?:/[a-z0-9/_.-]*)?"
)
_ADDRESS_WORDS = {"@": " at ", ".": " dot ", "_": " underscore ", "-": " dash ", "+": " plus ", "/": " slash "}
_IS = "it|that|what|he|she|there|here|who|where|how|when|why|this|everything|something|nothing|everyone|someone"

contractions: Step = substituted(
    (r"\bcan ?not\b|\bcan't\b|\bcant\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\bshan't\b", "shall not"),
    (r"\bain't\b|\baint\b", "is not"),
    (r"\blet's\b", "let us"),
    (r"\by'all\b|\byall\b", "you all"),
    (r"\bma'am\b|\bmaam\b", "madam"),
    (r"\b'?'cause\b|\b'cos\b", "because"),
    (r"\bo'clock\b|\bo clock\b", "oclock"),
    (r"\b(do|does|did|is|are|was|were|have|has|had|would|could|should|must|need|might|dare)n'?t\b", r"\1 not"),
    (r"\b(i)'?m\b", "i am"),
    (r"\b(you|we|they|who|what|there|where|how)'re\b", r"\1 are"),
    (r"\b(you|they)re\b", r"\1 are"),
    (r"\b(i|you|we|they|would|could|should|might|must|who|what|there|where|how)'?ve\b", r"\1 have"),
    (r"\b([a-z]+)'ll\b", r"\1 will"),
    (r"\b(you|they|it|that)ll\b", r"\1 will"),
    (r"\b([a-z]+)'d (been|better|had|gone|seen|done)\b", r"\1 had \2"),
    (r"\b([a-z]+)'d\b", r"\1 would"),
    (r"\b(you|they)d\b", r"\1 would"),
    (rf"\b({_IS})'s (been|got|had|gone|done)\b", r"\1 has \2"),
    (rf"\b({_IS})'s\b", r"\1 is"),
    (r"\b(that|what|there|here)s\b", r"\1 is"),
)

abbreviations: Step = substituted(
    # p.m., U.S.A., e.g.
    (r"\b((?:[a-z]\.)+[a-z])\b\.?", lambda found: found.group(1).replace(".", "")),
    (r"\bo\.k\.?", "ok"),
    (r"\betc\b\.?|\bet cetera\b", "et cetera"),
)

symbols: Step = substituted(
    (r"&", " and "),
    (r"\bper ?cent\b|%", " percent "),
    (r"#(?=\s?\d)", " number "),
    (r"\+(?=\s?\d)", " plus "),
    (r"\u00b0\s?c\b", " degrees celsius "),
    (r"\u00b0\s?f\b", " degrees fahrenheit "),
    (r"\u00b0", " degrees "),
)

_SPOKEN_FORMS = """
okay:ok alright:all_right mr:mister mrs:missus dr:doctor prof:professor vs:versus til:until cuz:because
street:st saint:st avenue:ave road:rd boulevard:blvd apartment:apt gonna:going_to wanna:want_to gotta:got_to
lemme:let_me gimme:give_me kinda:kind_of sorta:sort_of dunno:do_not_know coulda:could_have shoulda:should_have
woulda:would_have thru:through tonite:tonight zed:z zee:z dollars:dollar cents:cent pounds:pound euros:euro pence:penny
degrees:degree hmm: hm: mm: mhm: mmm: uh: um: uhm: erm: er:
"""
WORDS = {word: said.replace("_", " ") for word, _, said in (pair.partition(":") for pair in _SPOKEN_FORMS.split())}
"""Words that have two spellings, or a spoken and a written form; an empty one is a filler."""
one_spelling: Step = replaced_words(WORDS)

_currency: Step = substituted(
    (r"([$\u20ac\u00a3\u00a5])\s?(\d[\d,]*(?:\.\d+)?)\s?k\b", r"\1\2 thousand"),
    (rf"([$\u20ac\u00a3\u00a5])\s?(\d[\d,]*(?:\.\d+)?)(\s(?:{_MAGNITUDE}))\b", r"\2\3 \1"),
    (r"([$\u20ac\u00a3\u00a5])\s?(\d[\d,]*(?:\.\d+)?)", r"\2 \1"),
    (r"\u00a2", " cents "),
    (r"\$|\busd\b", " dollars "),
    (r"\u20ac|\beur\b", " euros "),
    (r"\u00a3|\bgbp\b", " pounds "),
    (r"\u00a5", " yen "),
    (r"\b(\d[\d,]*)\.00 +(dollar|euro|pound)s?\b", r"\1 \2s"),
    (r"(?<!\d)0?\.(\d\d) +(dollar|euro)s?\b", r"\1 cents"),
    (r"(?<!\d)0?\.(\d\d) +pounds?\b", r"\1 pence"),
    # Two digits after the point are the small coin; one is a decimal.
    (r"\b(\d[\d,]*)\.0?(\d{1,2})(?<=\.\d\d) +(dollar|euro)s?\b", r"\1 \3s \2 cents"),
    (r"\b(\d[\d,]*)\.0?(\d{1,2})(?<=\.\d\d) +pounds?\b", r"\1 pounds \2 pence"),
)
_spoken_numbers: Step = substituted(
    (rf"\b(?:a|an) ({_MAGNITUDE})\b", r"one \1"),
    (r"\b(?:nought|naught)\b", "zero"),
    # Oh is a zero among digits: "two oh five", "oh three two".
    (rf"\b(?:oh|o)(?= (?:oh |o )*(?:{_UNITS}|\d)\b)", "zero"),
    (
        rf"\b({_UNITS}|ten|[a-z]+teen|[a-z]+ty)((?: (?:oh|o))+)\b",
        lambda found: found[1] + " zero" * found[2].count("o"),
    ),
    (rf"\bdouble ({_UNITS}|oh|o|[a-z]|\d)\b", r"\1 \1"),
    (rf"\btriple ({_UNITS}|oh|o|[a-z]|\d)\b", r"\1 \1 \1"),
    # "eight hundred five five five": a hundred before single digits is a number of its own.
    (rf"\bhundred(?= (?:{_UNITS})(?: (?:{_UNITS}))+\b)", "hundred,"),
)
_numerals: Step = substituted(
    (r"(?<=\d),(?=\d)", ""),
    (r"\b\d+(?:\.\d+){2,}\b", lambda found: found.group().replace(".", " ")),
    (r"(?<=\d\d)\.(?=\d{3})", " "),
)
_halves: Step = substituted(
    (r"\b(?:a|one|1) half\b|\b1/2\b", "half"),
    (r"\b(\d+) (?:and )?(?:a )?half\b(?! past)", r"\1.5"),
)
_written_out: Step = substituted(
    (r"\b(?:a|one|1) quarter\b|\b1/4\b", "quarter"),
    (r"\b(?:three|3) quarters\b|\b3/4\b", "3 quarters"),
    (r"\bhalf past (\d{1,2})\b", r"\1 30"),
    (r"\bquarter past (\d{1,2})\b", r"\1 15"),
    (r"\bquarter (?:to|of|till|until) (\d{1,2})\b", lambda found: f"{(int(found[1]) - 2) % 12 + 1} 45"),
    (r"\b([1-5]?\d) (?:minutes )?past (\d{1,2})\b", lambda found: f"{found[2]} {int(found[1]):02d}"),
    (r"\b(\d{1,2}):00\b", r"\1"),
    (r"\b(\d{1,2}) oclock\b", r"\1"),
    (r"\b(\d+) (dollars?|euros?) and (\d+ cents?)\b", r"\1 \2 \3"),
    (r"\b(\d+) pounds? and (\d+) (pence|p)\b", r"\1 pounds \2 pence"),
    (rf"\b(\d{{1,2}})(?:st|nd|rd|th) of ({_MONTHS})\b", r"\1 \2"),
    (rf"\b(\d{{1,2}})(?:st|nd|rd|th) ({_MONTHS})\b", r"\1 \2"),
    (rf"\b({_MONTHS}) (?:the )?(\d{{1,2}})(?:st|nd|rd|th)\b", r"\1 \2"),
    (r"\b(\d+)(?:st|nd|rd|th)\b", r"\1 th"),
    (r"\bminus (?=\d)", "minus "),
    (r"(?<![\w.])-(?=\d)", "minus "),
    (r"(?<=\d)\.(?=\d)", " point "),
    (r"(?<!\w)\.(?=\d)", "0 point "),
)


def addresses(text: str) -> str:
    """E-mail addresses and those of pages as they are read aloud."""

    def read(found: re.Match[str]) -> str:
        said = re.sub(r"^https?://", "", found.group())
        return "".join(_ADDRESS_WORDS.get(c, c) for c in said)

    return _ADDRESS.sub(read, text)


def numbers(text: str) -> str:
    """Numbers in words and figures, money, times and dates as digits."""
    text = _scaled(_spoken_numbers(_numerals(_currency(text))))
    return _written_out(_scaled_again(_halves(_to_digits(text))))


def without_accents(text: str) -> str:
    """`naive cafe` for `naïve café`: English has no word that an accent tells from another."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def american_spelling(text: str) -> str:
    """`colour` as `color`: the spellings of whisper's own table."""
    return str(_spellings()(text))


def _to_digits(text: str) -> str:
    from text_to_num import alpha2digit

    return str(alpha2digit(text, "en", threshold=0.0))


def _scaled(text: str) -> str:
    """`5 hundred` and `1.5 million` as figures."""
    return re.sub(rf"\b(\d+(?:\.\d+)?) ({_MAGNITUDE})\b", lambda found: _times(found[1], _MAGNITUDES[found[2]]), text)


def _scaled_again(text: str) -> str:
    """`1.5 1000000`, which is what is left of `one point five million`."""
    return re.sub(r"\b(\d+\.\d+) (1(?:000)+)\b", lambda found: _times(found[1], int(found[2])), text)


def _times(figure: str, factor: int) -> str:
    whole, _, part = figure.partition(".")
    if len(part) > 12:
        return f"{figure} {factor}"
    scaled = int(whole + part) * factor
    return str(scaled // 10 ** len(part)) if scaled % 10 ** len(part) == 0 else f"{figure} {factor}"


@cache
def _spellings() -> Step:
    from whisper_normalizer.english import EnglishSpellingNormalizer

    made: Step = EnglishSpellingNormalizer()
    return made
