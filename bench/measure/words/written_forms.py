"""What is written otherwise than it is said, by language: units and signs, titles, addresses, fillers.

In: a text in small letters, before its number words are digits. Out: the same with one form of each, so that `5 km`,
`cinco kilómetros` and `cinco kilometros` end as one thing. Trap: an abbreviation counts only after a figure (`5 km`)
or with its full stop (`Hr.`), since its letters are words elsewhere; one of a single letter never does (`5G`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from bench.measure.words.steps import ORDINAL, Step, replaced_words, same_characters, substituted

_UNITS = {
    "en": """
        kilogram: kilograms kilogramme kilogrammes kilo kilos | kg kgs; milligram: milligrams | mg
        gram: grams grammes
        kilometer: kilometers kilometre kilometres | km kms; centimeter: centimeters centimetre centimetres | cm
        millimeter: millimeters millimetre millimetres | mm; meter: meters metre metres; mile: miles
        mile per hour: | mph; kilometer per hour: | km/h kph kmh; ounce: ounces | oz; pound: pounds | lb lbs
        foot: feet | ft; square foot: square_feet | sq_ft sq._ft. sqft; inch: inches; yard: yards | yd yds
        liter: liters litre litres; milliliter: milliliters millilitre millilitres | ml
        kilobyte: kilobytes | kb; megabyte: megabytes | mb; gigabyte: gigabytes gig gigs | gb
        terabyte: terabytes | tb
        megabit per second: megabits_per_second | mbps; kilowatt: kilowatts | kw; kilowatt hour: kilowatt_hours | kwh
        megahertz: | mhz; gigahertz: | ghz; hour: hours | hr hrs; minute: minutes | min mins; rupee: rupees | ₹
        won: | ₩; square meter: square_meters square_metres | m2 sqm""",
    "de": """
        prozent: | %; euro: euros | € eur; dollar: dollars | $ usd; cent: cents | ct; pfund: | £; franken: | chf
        kilogramm: kilo kilos | kg; kilometer pro stunde: stundenkilometer | km/h; kilometer: kilometern | km
        zentimeter: | cm; millimeter: | mm; milliliter: | ml; megabyte: | mb; gigabyte: | gb; quadratmeter: | qm m2
        grad: | °; grad celsius: | °c; minute: minuten | min; sekunde: sekunden | sek; stunde: stunden | std""",
    "fr": """
        pour cent: pourcent | %; euro: euros | € eur; dollar: dollars | $ usd; centime: centimes | cts
        livre: livres | £
        kilogramme: kilogrammes kilo kilos | kg; kilomètre heure: kilomètres_heure kilomètres_à_l'heure | km/h
        kilomètre: kilomètres | km; centimètre: centimètres | cm; millimètre: millimètres | mm; mètre carré: | m2
        mégaoctet: mégaoctets mégas méga | mo; gigaoctet: gigaoctets gigas giga | go; degré: degrés | °
        degré celsius: degrés_celsius | °c
        minute: minutes | min mn; seconde: secondes | sec""",
    "es": """
        por ciento: porciento | %; euro: euros | € eur; dólar: dólares | $ usd; centavo: centavos; céntimo: céntimos
        libra: libras | £; kilogramo: kilogramos kilo kilos | kg; kilómetro por hora: kilómetros_por_hora | km/h
        kilómetro: kilómetros | km; centímetro: centímetros | cm; milímetro: milímetros | mm
        metro cuadrado: metros_cuadrados | m2; grado: grados | °; grado celsius: grados_celsius | °c
        minuto: minutos | min; gigabyte: gigas giga | gb
        megabyte: megas mega | mb""",
    "it": """
        per cento: percento | %; euro: | € eur; dollaro: dollari | $ usd; sterlina: sterline | £
        chilogrammo: chilogrammi chilo chili | kg; chilometro: chilometri | km; centimetro: centimetri | cm
        millimetro: millimetri | mm; metro quadrato: metri_quadrati | m2 mq; grado: gradi | °
        grado celsius: gradi_celsius | °c; minuto: minuti | min
        gigabyte: giga | gb; megabyte: mega | mb""",
    "pt": """
        por cento: porcento | %; euro: euros | € eur; dólar: dólares | $ usd us$; real: reais | r$ brl
        centavo: centavos; cêntimo: cêntimos; libra: libras | £; quilograma: quilogramas quilo quilos | kg
        quilômetro: quilômetros quilómetro quilómetros | km; centímetro: centímetros | cm; grau: graus | °
        grau celsius: graus_celsius | °c
        minuto: minutos | min; gigabyte: gigas giga | gb; megabyte: megas mega | mb""",
    "nl": """
        procent: | %; euro: euro's euros | € eur; dollar: dollars | $ usd; cent: centen; pond: | £
        kilogram: kilo kilo's kilogrammen | kg; kilometer per uur: | km/u km/h; kilometer: kilometers | km
        centimeter: centimeters | cm; graad: graden | °; graad celsius: graden_celsius | °c; minuut: minuten | min
        gigabyte: | gb; megabyte: | mb""",
    "ru": """
        процент: процента процентов процентах | %; рубль: рубля рублей рублях рублям | ₽ руб
        копейка: копейки копеек | коп
        доллар: доллара долларов | $; евро: | €; килограмм: килограмма килограммов кило | кг
        километр: километра километров | км; сантиметр: сантиметра сантиметров | см; градус: градуса градусов | °
        минута: минуты минут минуту | мин; гигабайт: гигабайта гигабайтов | гб""",
    "uk": """
        відсоток: відсотка відсотків | %; гривня: гривні гривень | грн ₴; долар: долари доларів | $; євро: | €
        кілограм: кілограма кілограмів | кг; кілометр: кілометри кілометрів | км""",
    "pl": """
        procent: procenta procentów | %; złoty: złote złotych złotego | zł pln; grosz: grosze groszy | gr
        euro: | € eur
        dolar: dolary dolarów | $; kilogram: kilogramy kilogramów kilo | kg; kilometr: kilometry kilometrów | km
        centymetr: centymetry centymetrów | cm; stopień: stopnie stopni | °; minuta: minuty minut | min""",
    "cs": """
        procento: procenta procent | %; koruna: koruny korun | kč czk; euro: eura eur | €; dolar: dolary dolarů | $
        kilogram: kilogramy kilogramů kilo | kg; kilometr: kilometry kilometrů | km""",
    "sk": "percento: percentá percent | %; euro: eurá eur | €; kilometer: kilometre kilometrov | km",
    "ro": "la sută: | %; leu: lei | ron; euro: | €; kilometru: kilometri kilometri | km",
    "hu": "százalék: | %; forint: | ft huf; euró: | €; kilométer: | km",
    "sv": """
        procent: | %; krona: kronor | kr sek; euro: | €; dollar: | $
        kilo: kilogram | kg; kilometer: | km; grad: grader | °""",
    "da": """
        procent: | %; krone: kroner | kr dkk; euro: | €; kilo: kilogram | kg
        kilometer: | km; grad: grader | °""",
    "no": """
        prosent: | %; krone: kroner | kr nok; euro: | €; kilo: kilogram | kg
        kilometer: | km; grad: grader | °""",
    "fi": """
        prosentti: prosenttia | %; euro: euroa | €; kilo: kiloa kilogramma kilogrammaa | kg
        kilometri: kilometriä | km
        """,
    "el": "τοις εκατό: | %; ευρώ: | €; χιλιόμετρο: χιλιόμετρα | χλμ",
    "tr": """
        lira: lirası | ₺ tl try; dolar: | $; euro: avro | €; kilogram: kilo | kg
        kilometre: | km; derece: | °; dakika: | dk""",
    "ar": """
        بالمئة: بالمائة في_المئة في_المائة | %; دولار: دولارا دولارات | $; يورو: | €; كيلومتر: كيلومترا كيلومترات | كم
        """,
    "hi": """
        प्रतिशत: | %; रुपया: रुपये रुपए रूपये | ₹; डॉलर: | $; किलोमीटर: | किमी km
        किलोग्राम: किलो | kg""",
    "he": "אחוז: אחוזים | %; שקל: שקלים | ₪; דולר: דולרים | $; אירו: | €",
    "ko": "퍼센트: 프로 | %; 달러: | $; 유로: | €; 원: | ₩; 킬로미터: | km; 킬로그램: | kg",
    "id": "persen: | %; rupiah: | rp; dolar: | $; euro: | €",
    "vi": "phần trăm: | %; đồng: | ₫ vnđ; đô la: | $; euro: | €",
    "th": "เปอร์เซ็นต์: | %; บาท: | ฿",
    "ja": "パーセント: プロ | %; ドル: | $; ユーロ: | €; 円: | ¥",
    "zh": "美元: | $; 欧元: | €; 元: | ¥",
}  # fmt: skip
"""Of each unit the word, its other forms, and behind a bar what stands for it after a figure."""
_ABBREVIATIONS = {
    "en": """
        approx.:approximately dept.:department ext.:extension inc:incorporated ltd:limited corp.:corporation jr:junior
        sr.:senior co.:company no._(?=\\d):number nos._(?=\\d):numbers""",
    "de": """
        dr:doktor prof:professor hr.:herr fr.:frau nr:nummer z._?b.:zum_beispiel d._?h.:das_heißt usw:und_so_weiter
        ca:circa bzw:beziehungsweise tel.:telefon u._?a.:unter_anderem str.:straße etc:et_cetera""",
    "fr": """
        m._(?=\\w):monsieur mme:madame mlle:mademoiselle dr:docteur n°:numéro n.°:numéro av.:avenue bd:boulevard
        etc:et_cetera p._ex.:par_exemple tél.:téléphone rdv:rendez-vous svp:s'il_vous_plaît""",
    "es": """
        sr:señor sra:señora srta:señorita dr:doctor dra:doctora ud:usted uds:ustedes av.:avenida avda:avenida
        n°:número n.°:número
        núm.:número etc:etcétera p._?ej.:por_ejemplo ee._?uu.:estados_unidos tel.:teléfono guión:guion
        primer:primero tercer:tercero""",
    "it": """
        sig:signor sig.ra:signora sig.na:signorina dott:dottor dott.ssa:dottoressa dr:dottor prof:professor
        n°:numero n.°:numero
        ecc:eccetera tel.:telefono""",
    "pt": """
        sr:senhor sra:senhora dr:doutor dra:doutora av.:avenida n°:número n.°:número etc:etcétera
        tel.:telefone p._?ex.:por_exemplo""",
    "nl": """
        dhr:meneer de_heer:meneer mevr:mevrouw mw:mevrouw dr:dokter nr:nummer bijv:bijvoorbeeld bv.:bijvoorbeeld
        enz:enzovoort""",
    "ru": "т._?е.:то_есть и_т._?д.:и_так_далее и_т._?п.:и_тому_подобное тыс.:тысяч млн:миллион ул.:улица",
    "pl": "ul.:ulica np.:na_przykład itd:i_tak_dalej tzn:to_znaczy nr:numer dr:doktor m.in.:między_innymi",
    "tr": "dr:doktor vb.:ve_benzeri sn.:sayın",
}
"""A full stop at the end of what is written must be there; elsewhere it may be."""
_SAID_IN_ADDRESSES = {
    "en": ("at", "dot", "underscore", "dash", "plus", "slash"),
    "es": ("arroba", "punto", "guion bajo", "guion", "más", "barra"),
    "pt": ("arroba", "ponto", "underline", "traço", "mais", "barra"),
    "it": ("chiocciola", "punto", "trattino basso", "trattino", "più", "barra"),
    "fr": ("arobase", "point", "tiret bas", "tiret", "plus", "slash"),
    "de": ("at", "punkt", "unterstrich", "bindestrich", "plus", "slash"),
    "nl": ("apenstaartje", "punt", "underscore", "streepje", "plus", "slash"),
    "ru": ("собака", "точка", "подчеркивание", "дефис", "плюс", "слеш"),
    "pl": ("małpa", "kropka", "podkreślnik", "myślnik", "plus", "ukośnik"),
    "tr": ("et", "nokta", "alt çizgi", "tire", "artı", "bölü"),
}
"""How `@`, `.`, `_`, `-`, `+` and `/` of an address are read aloud."""
_MINUS = {
    "es": "menos",
    "pt": "menos",
    "fr": "moins",
    "it": "meno",
    "de": "minus",
    "nl": "minus",
    "ru": "минус",
    "pl": "minus",
}
_FILLERS = {
    "de": "äh ähm öh öhm hm hmm mhm", "fr": "euh heu hum hmm", "es": "eh ehm em mmm hmm", "it": "eh ehm uhm mmm hmm",
    "pt": "hã ahn hum hmm", "nl": "eh ehm uh uhm hmm", "ru": "э ээ эээ эм мм ммм", "pl": "yyy yy eee hmm",
    "sv": "eh öh hmm", "tr": "ııı ee eee hmm", "ko": "음 어",
}  # fmt: skip
_FILLERS_OF_SCRIPTS = {"ja": "えーっと|えーと|えっと|ええと", "zh": "呃"}
"""Of languages without spaces between words."""
_ONE_LETTER_WORDS = {
    "es": "aeouy", "pt": "aeoéà", "it": "aeoèi", "fr": "aàyôjlmntscdu", "ru": "авикосуя", "uk": "авзійоуя",
    "be": "аіузя", "bg": "ависой", "sr": "аиоску", "hr": "aioskuz", "pl": "aiouwz", "cs": "aikosuvz", "sk": "aikosuvz",
    "sv": "åiö", "da": "åiø", "no": "åiø", "ca": "aeoiy", "ro": "ao", "hu": "aáés", "tr": "o", "en": "ai",
}  # fmt: skip
_DECIMAL_WORDS = {
    "pl": "przecinek", "tr": "virgül", "sv": "komma", "da": "komma", "no": "komma", "fi": "pilkku", "hi": "दशमलव",
    "id": "koma", "vi": "phẩy", "ko": "점",
}  # fmt: skip
_SIGNS_BEFORE = re.compile(r"(us\$|r\$|[$€£¥₹₽₩₺₴₪฿₫]|\b(?:chf|eur|usd|rp|kr)\b\.?) ?(\d[\d.,]*\d|\d)")
_DOMAINS = (
    "com|org|net|edu|gov|info|io|co|ai|app|dev|me|tv|biz|uk|us|ca|au|nz|ie|in|za|eu|de|fr|es|it|nl|be|ch|at|se|no|dk|"
    "fi|pl|pt|gr|ru|jp|cn|kr|br|mx|ar|cl|tr|ua|cz|hu|ro"
)
_ADDRESS = re.compile(
    r"(?:https?://)?(?:[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@)?[a-z0-9-]+(?:\.[a-z0-9-]+)*"
    rf"\.(?:{_DOMAINS})\b(?:/[a-z0-9/_.-]*)?"
)


def addresses(code: str) -> Step:
    """E-mail addresses and those of pages as they are read aloud."""
    said = _SAID_IN_ADDRESSES.get(code)
    if said is None:
        return str
    words = {sign: f" {word} " for sign, word in zip("@._-+/", said, strict=True)}

    def read(found: re.Match[str]) -> str:
        return "".join(words.get(c, c) for c in re.sub(r"^https?://", "", found.group()))

    return lambda text: _ADDRESS.sub(read, text)


def sign_behind(text: str) -> str:
    """An amount with its currency behind it: `$100` is `100 $`."""
    return _SIGNS_BEFORE.sub(lambda found: f"{found[2]} {found[1].removesuffix('.')}", text)


def units(code: str, spelling: Step = same_characters) -> Step:
    """Each unit as one word, whatever its number or its sign; `spelling` is what was done to the texts before."""
    forms, signs = _units_of(code)
    whole = {spelling(form): spelling(word) for form, word in forms.items()}
    short = {spelling(sign): spelling(word) for sign, word in signs.items()}
    after_figure = re.compile(rf"(?<=\d) ?({_any_of(short)})(?!\w)\.?") if short else None
    as_words = re.compile(rf"(?<!\w)({_any_of(whole)})(?!\w)") if whole else None

    def step(text: str) -> str:
        if after_figure is not None:
            text = after_figure.sub(lambda found: f" {short[found[1]]} ", text)
        return text if as_words is None else as_words.sub(lambda found: whole[found[1]], text)

    return step


def words_of(code: str, *signs: str) -> str:
    """The words of `code` for these signs, as alternatives of a pattern."""
    known = _units_of(code)[1]
    return "|".join(re.escape(known[sign]) for sign in signs if sign in known)


@cache
def _units_of(code: str) -> tuple[dict[str, str], dict[str, str]]:
    """Other forms and signs, each with its word."""
    forms: dict[str, str] = {}
    signs: dict[str, str] = {}
    table = _UNITS.get("no" if code in {"nb", "nn"} else code, "")
    for unit in re.split(r"[;\n]", table):
        if not unit.strip():
            continue
        word, _, rest = unit.strip().partition(":")
        others, _, short = rest.partition("|")
        forms |= {form.replace("_", " "): word for form in others.split()}
        signs |= {sign.replace("_", " "): word for sign in short.split()}
    return forms, signs


def abbreviations(code: str) -> Step:
    """Titles and the like in full."""
    rules = [(r"(?<=\w)str\.(?!\w)", "strasse")] if code == "de" else []
    for pair in sorted(_ABBREVIATIONS.get(code, "").split(), key=len, reverse=True):
        short, _, word = same_characters(pair).rpartition(":")
        short, look, ahead = short.partition("(?=")
        pattern = re.escape(short).replace("_\\?", " ?").replace("_", " ?").replace("°", f"[°{ORDINAL}]")
        end = r"(?!\w)\.?" if short[-1].isalnum() else ""
        rules.append((rf"(?<!\w){pattern}{end}{look}{ahead}", f"{word.replace('_', ' ')} "))
    return substituted(*rules)


def minus(code: str) -> Step:
    """The sign before a figure as it is said."""
    return substituted((r"(?<![\w.,/-])-(?=\d)", f" {_MINUS[code]} ")) if code in _MINUS else str


def without_fillers(code: str) -> Step:
    """Without the sounds of someone who thinks."""
    if code in _FILLERS_OF_SCRIPTS:
        return substituted((_FILLERS_OF_SCRIPTS[code], " "))
    return replaced_words(dict.fromkeys(_FILLERS.get(code, "").split(), ""))


def letters_that_are_words(code: str) -> frozenset[str]:
    """Letters that are words of the language, which a row of them does not spell."""
    return frozenset(_ONE_LETTER_WORDS.get("no" if code in {"nb", "nn"} else code, ""))


def decimal_word(code: str) -> str | None:
    """What is said for the decimal sign, where it is known."""
    return _DECIMAL_WORDS.get("no" if code in {"nb", "nn"} else code)


def _any_of(table: Mapping[str, str]) -> str:
    return "|".join(re.escape(each) for each in sorted(table, key=len, reverse=True))
