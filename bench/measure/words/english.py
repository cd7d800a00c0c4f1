"""English: contractions, abbreviations, addresses, money, times and numbers in one spelling.

In and out: text in lower case (`steps.same_characters`). Numbers end as digits; `steps.digit_by_digit` parts them
later. Trap: a rule that helps one side must do nothing to the other: both sides pass through every rule.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from bench.measure.words import written_forms
from bench.measure.words.steps import Step, replaced_words, substituted

_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec"
)
_SHORT_MONTHS = {month[:3]: month for month in _MONTHS.split("|")[:12] if month != "may"} | {"sept": "september"}
_UNITS = "zero|one|two|three|four|five|six|seven|eight|nine"
_MAGNITUDES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_MAGNITUDE = "|".join(_MAGNITUDES)
_IS = "it|that|what|he|she|there|here|who|where|how|when|why|this|everything|something|nothing|everyone|someone"

contractions: Step = substituted(
    (r"(n't|'d|'ll)'ve\b", r"\1 have"),
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

_read_aloud = written_forms.addresses("en")
_said_in_addresses: Step = substituted(
    (r"\bh ?t ?t ?p ?s?(?: colon)? (?:forward )?slash (?:forward )?slash\b", " "),
    (r"\bforward slash\b", "slash"),
    (r"\bat sign\b", "at"),
    (r"\bhyphen\b", "dash"),
)

feet_and_inches: Step = substituted(
    (r"(?<=\d)' ?(\d{1,2})(?:''|\")?(?![\w'])", r" foot \1 inch"),
    (r"\b(foot|feet) (\w+) inch(?:es)?\b", r"foot \2"),
)

abbreviations: Step = substituted(
    # p.m., U.S.A., e.g.
    (r"\b((?:[a-z]\.)+[a-z])\b\.?", lambda found: found.group(1).replace(".", "")),
    (r"\bo\.k\.?", "ok"),
    (r"\betc\b\.?|\bet cetera\b", "et cetera"),
    (rf"\b({'|'.join(_SHORT_MONTHS)})\b\.?(?= (?:the )?\d)", lambda found: _SHORT_MONTHS[found[1]]),
    (
        rf"(?<=\d)((?:st|nd|rd|th)?(?: of)?) ({'|'.join(_SHORT_MONTHS)})\b\.?",
        lambda found: f"{found[1]} {_SHORT_MONTHS[found[2]]}",
    ),
)

symbols: Step = substituted(
    (r"&", " and "),
    (r"\bper ?cent\b|%", " percent "),
    (r"#(?=\s?\d)", " number "),
    (r"\+/-|\u00b1", " plus or minus "),
    (r"\+(?=\s?\d)", " plus "),
    (r"(?<=\d) ?\u00d7 ?(?=\d)", " times "),
    (r"(?<=\d) ?= ?(?=\d)", " equals "),
    (r"\u00b0\s?c\b", " degrees celsius "),
    (r"\u00b0\s?f\b", " degrees fahrenheit "),
    (r"\u00b0", " degrees "),
)

_SPOKEN_FORMS = """
okay:ok alright:all_right mr:mister mrs:missus dr:doctor prof:professor vs:versus til:until cuz:because
street:st saint:st avenue:ave road:rd boulevard:blvd apartment:apt gonna:going_to wanna:want_to gotta:got_to
lemme:let_me gimme:give_me kinda:kind_of sorta:sort_of dunno:do_not_know coulda:could_have shoulda:should_have
woulda:would_have thru:through tonite:tonight zed:z zee:z dollars:dollar cents:cent pounds:pound euros:euro pence:penny
degrees:degree hmm: hm: mm: mhm: mmm: mhmm: hmmm: uh: uhh: um: umm: uhm: erm: er: ah: eh:
"""
WORDS = {word: said.replace("_", " ") for word, _, said in (pair.partition(":") for pair in _SPOKEN_FORMS.split())}
"""Words that have two spellings, or a spoken and a written form; an empty one is a filler."""
one_spelling: Step = replaced_words(WORDS)

_currency: Step = substituted(
    (r"\bus ?(?=\$)|\bus (?=dollars?\b)", ""),
    (r"([$\u20ac\u00a3\u00a5\u20b9])\s?(\d[\d,]*(?:\.\d+)?)\s?k\b", r"\1\2 thousand"),
    (rf"([$\u20ac\u00a3\u00a5\u20b9])\s?(\d[\d,]*(?:\.\d+)?)(\s(?:{_MAGNITUDE}))\b", r"\2\3 \1"),
    (r"([$\u20ac\u00a3\u00a5\u20b9])\s?(\d[\d,]*(?:\.\d+)?)", r"\2 \1"),
    (r"(?<=\b\d)p\b(?! ?\.?m)|(?<=\b\d\d)p\b(?! ?\.?m)", " pence "),
    (r"\u00a2", " cents "),
    (r"\$|\busd\b", " dollars "),
    (r"\u20ac|\beur\b", " euros "),
    (r"\u00a3|\bgbp\b", " pounds "),
    (r"\u00a5", " yen "),
    (r"\u20b9", " rupee "),
    (r"\b(\d[\d,]*)\.00 +(dollar|euro|pound)s?\b", r"\1 \2s"),
    (r"(?<!\d)0?\.(\d\d) +(dollar|euro)s?\b", r"\1 cents"),
    (r"(?<!\d)0?\.(\d\d) +pounds?\b", r"\1 pence"),
    # Two digits after the point are the small coin; one is a decimal.
    (r"\b(\d[\d,]*)\.0?(\d{1,2})(?<=\.\d\d) +(dollar|euro)s?\b", r"\1 \3s \2 cents"),
    (r"\b(\d[\d,]*)\.0?(\d{1,2})(?<=\.\d\d) +pounds?\b", r"\1 pounds \2 pence"),
)
_spoken_numbers: Step = substituted(
    (r"(?<=[a-z])-(?=[a-z])", " "),
    (rf"\b(?:a|an) ({_MAGNITUDE})\b", r"one \1"),
    (r"\b(?:nought|naught)\b", "zero"),
    (r"\bdouble oh\b", "zero zero"),
    (r"\btriple oh\b", "zero zero zero"),
    (rf"\bdouble ({_UNITS}|oh|o|[a-z]|\d)\b", r"\1 \1"),
    (rf"\btriple ({_UNITS}|oh|o|[a-z]|\d)\b", r"\1 \1 \1"),
    # Oh is a zero among digits: "two oh five", "oh three two".
    (rf"\b(?:oh|o)(?= (?:oh |o )*(?:{_UNITS}|point|\d)\b)", "zero"),
    (
        rf"\b({_UNITS}|point|ten|[a-z]+teen|[a-z]+ty)((?: (?:oh|o))+)\b",
        lambda found: found[1] + " zero" * found[2].count("o"),
    ),
    # "eight hundred five five five": a hundred before single digits is a number of its own.
    (rf"\bhundred(?= (?:{_UNITS})(?: (?:{_UNITS}))+\b)", "hundred,"),
)
_numerals: Step = substituted(
    (r"(?<=\d),(?=\d)", ""),
    (r"\b\d+(?:\.\d+){2,}\b", lambda found: found.group().replace(".", " ")),
    (r"(?<=\d\d)\.(?=\d{3})", " "),
    (r"(?<=\d)-(?=[a-z])", " "),
)
_halves: Step = substituted(
    (r"\b(\d+) (?:and )?(?:(?:a |one |1 )?quarter|1/4)\b(?! (?:past|to|of|till|until))", r"\1.25"),
    (r"\b(\d+) (?:and )?(?:3|three) quarters\b|\b(\d+) 3/4\b", lambda found: f"{found[1] or found[2]}.75"),
    (r"\b(?:a|one|1) half\b|\b1/2\b", "half"),
    (r"\b(\d+) (?:and )?(?:a )?half\b(?! past)", r"\1.5"),
)
_DECADES = {
    said: 10 * figure
    for figure, said in enumerate("twenties thirties forties fifties sixties seventies eighties nineties".split(), 2)  # noqa: SIM905
}
_DECADES_SAID = "|".join(_DECADES)
_written_out: Step = substituted(
    (r"\b(?:a|one|1) quarter\b|\b1/4\b", "quarter"),
    (r"\b(?:three|3) quarters\b|\b3/4\b", "3 quarters"),
    (r"\bhalf past (\d{1,2})\b", r"\1 30"),
    (r"\bquarter past (\d{1,2})\b", r"\1 15"),
    (r"\bquarter (?:to|of|till|until) (\d{1,2})\b", lambda found: f"{(int(found[1]) - 2) % 12 + 1} 45"),
    (r"\b([1-5]?\d) (?:minutes )?past (\d{1,2})\b", lambda found: f"{found[2]} {int(found[1]):02d}"),
    (r"\b(\d{1,2}):00(?= hours?\b)", r"\g<1>00"),
    (r"\b(\d{1,2}):00\b", r"\1"),
    (r"\b(\d{1,2}) oclock\b", r"\1"),
    (r"\b(\d+) (dollars?|euros?|pounds?) (?:and )?(\d{1,2})\b(?: (?:cents?|pence|penny|p)\b)?", r"\1 \2 \3"),
    (rf"\b(?:the )?(\d{{1,2}})(?:st|nd|rd|th) (?:of )?({_MONTHS})\b", r"\2 \1"),
    (
        rf"\b({_MONTHS} )?(\d{{1,2}}) (?!may)({_MONTHS})\b",
        lambda found: (found[1] and found[0]) or f"{found[3]} {found[2]}",
    ),
    (rf"\b(1\d|20) ({_DECADES_SAID})\b", lambda found: f"{found[1]}{_DECADES[found[2]]}s"),
    (rf"\b({_DECADES_SAID})\b", lambda found: f"{_DECADES[found[1]]}s"),
    (r"\b([2-9])0 2nd\b", r"\g<1>2 th"),  # thirty second is the 32nd as well
    (r"\b(\d)/([35678])\b", r"\1 \2 th"),
    (r"\b(\d+) (\d+)(?:rds|ths)\b", r"\1 \2 th"),
    (r"\ba (\d)(?:rd|th)(?= of\b)", r"1 \1 th"),
    (rf"\b({_MONTHS}) (?:the )?(\d{{1,2}})(?:st|nd|rd|th)\b", r"\1 \2"),
    (r"\b(\d+)(?:st|nd|rd|th)\b", r"\1 th"),
    (r"\bminus (?=\d)", "minus "),
    (r"(?<![\w.])-(?=\d)", "minus "),
    (r"(?<=\d)\.(?=\d)", " point "),
    (r"(?<!\w)\.(?=\d)", "0 point "),
    # A dash in a code is said by some and written by all.
    (r"\b(?:dash|hyphen) (?=\d)|(?<=\d )(?:dash|hyphen) (?=[a-z]\b)|(?<=\b[a-z] )(?:dash|hyphen) (?=[a-z]\b)", ""),
)


def addresses(text: str) -> str:
    """E-mail addresses and those of pages as they are read aloud, in one way of reading them."""
    return _said_in_addresses(_read_aloud(text))


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
