"""Transcripts as vendors write them: a right one scores 0, a wrong one exactly its errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.measure.wer import score_words

PAGE = Path(__file__).parents[3] / "docs" / "measuring.md"

RIGHT = [
    ("en", "five point five dollars", "5.5 dollars"),
    ("en", "five point five dollars", "$5.5"),
    ("en", "five dollars and five cents", "$5.05"),
    ("en", "twelve pounds and fifty pence", "£12.50"),
    ("en", "oh three two", "032"),
    ("en", "My phone number is five five five, two one seven eight.", "My phone number is 555-2178."),
    ("en", "My order number is four five seven nine one.", "My order number is 4-5-7-9-1."),
    ("en", "My account number is five five one, zero three two, nine eight four.", "My account number is 551-032-984."),
    ("en", "My account number is five five one, zero three two, nine eight four.", "My account number is 551 032 984"),
    ("en", "My account number is five five one, zero three two, nine eight four.", "My account number is 551,032,984"),
    ("en", "My account number is five five one, zero three two, nine eight four.", "My account number is 551.032.984."),
    ("en", "My account number is five five one, oh three two, nine eight four.", "My account number is 551032984"),
    ("en", "I cannot get into my account.", "I can't get into my account."),
    ("en", "I cannot get into my account.", "I can not get into my account."),
    ("en", "I'd like to check my balance.", "I’d like to check my balance."),
    ("en", "I would like to check", "I'd like to check"),
    ("en", "Okay, that is fine.", "OK, that's fine"),
    ("en", "okay", "O.K."),
    ("en", "It costs a hundred dollars.", "It costs $100."),
    ("en", "one hundred dollars", "$100.00"),
    ("en", "five dollars and fifty cents", "$5.50"),
    ("en", "Meet me at half past three.", "Meet me at 3:30."),
    ("en", "three thirty p m", "3:30 PM"),
    ("en", "at three o'clock", "at 3:00"),
    ("en", "at 3 pm", "at 3 p.m."),
    ("en", "quarter to four", "3:45"),
    ("en", "ten past nine", "9:10"),
    ("en", "jane dot doe at example dot com", "jane.doe@example.com"),
    ("en", "Write to Jane.Doe@example.com please", "write to jane dot doe at example dot com please"),
    ("en", "The Wi-Fi is down", "The wifi is down"),
    ("en", "the wi fi is down", "the WiFi is down"),
    ("en", "I can't log in", "I cannot login"),
    ("en", "my e-mail", "my email"),
    ("en", "My code is A B C one two three", "My code is ABC123"),
    ("en", "My code is A B C one two three", "My code is A-B-C-1-2-3"),
    ("en", "A one B two", "A1B2"),
    ("en", "S M I T H", "SMITH"),
    ("en", "S M I T H", "S-M-I-T-H"),
    ("en", "twenty five", "25"),
    ("en", "twenty-five percent", "25%"),
    ("en", "nineteen ninety nine", "1999"),
    ("en", "two thousand and six", "2006"),
    ("en", "one thousand two hundred", "1,200"),
    ("en", "a thousand", "1000"),
    ("en", "May fifth", "May 5th"),
    ("en", "May the fifth", "May 5"),
    ("en", "the twenty first of June", "the 21st of June"),
    ("en", "my first call", "my 1st call"),
    ("en", "one point five million", "1.5 million"),
    ("en", "one and a half million dollars", "$1.5 million"),
    ("en", "two and a half hours", "2.5 hours"),
    ("en", "two and a half hours", "2½ hours"),
    ("en", "Mr. Smith lives on Main Street", "Mister Smith lives on Main St."),
    ("en", "the colour grey", "the color gray"),
    ("en", "um I uh need help", "I need help"),
    ("en", "double five three two", "5532"),
    ("en", "triple nine", "999"),
    ("en", "plus four four twenty seven nine four six", "+44 2 7946"),
    ("en", "eight hundred five five five one two one two", "800-555-1212"),
    ("en", "one eight hundred five five five", "1-800-555"),
    ("en", "fifteen hundred", "1500"),
    ("en", "nineteen oh five", "1905"),
    ("en", "zero point five", "0.5"),
    ("en", "three point one four", "3.14"),
    ("en", "don't do that", "dont do that"),
    ("en", "they're here", "they are here"),
    ("en", "I'm sure", "Im sure"),
    ("en", "we've been", "we have been"),
    ("en", "John's book", "Johns book"),
    ("en", "John’s book", "John's book"),
    ("en", "What is [noise] my balance", "what is my balance"),
    ("en", "My ZIP code is nine zero two one oh.", "My zip code is 90210."),
    ("en", "Please call me at four one five, five five five, zero one nine nine.", "Please call me at (415) 555-0199."),
    (
        "en",
        "The total is one thousand two hundred and thirty four dollars and fifty six cents.",
        "The total is $1,234.56.",
    ),
    ("en", "It's twenty past eight.", "It's 8:20."),
    ("en", "It is a quarter past two.", "It's 2:15."),
    ("en", "I was born on July fourth nineteen seventy six.", "I was born on July 4th, 1976."),
    ("en", "My flight leaves at seven forty five a.m.", "My flight leaves at 7:45 AM."),
    ("en", "I've been waiting for two hours.", "Ive been waiting for 2 hours"),
    ("en", "We won't pay.", "We will not pay."),
    ("en", "let's go", "let us go"),
    ("en", "I'm gonna call", "I am going to call"),
    ("en", "What's my balance?", "What is my balance"),
    ("en", "My confirmation number is X Y Z seven seven.", "My confirmation number is XYZ 77."),
    ("en", "My confirmation number is X-ray seven", "My confirmation number is x ray 7"),
    ("en", "Reference B seven K nine", "Reference B7K9"),
    ("en", "license plate A B C one two three four", "license plate ABC-1234"),
    ("en", "the code is double oh seven", "the code is 007"),
    ("en", "visit w w w dot example dot com slash help", "visit www.example.com/help"),
    ("en", "my email is john underscore smith at gmail dot com", "my email is john_smith@gmail.com"),
    ("en", "john dot smith ninety nine at gmail dot com", "john.smith99@gmail.com"),
    ("en", "fifty percent off", "50% off"),
    ("en", "fifty per cent off", "50 percent off"),
    ("en", "three and a half percent", "3.5%"),
    ("en", "minus five degrees", "-5 degrees"),
    ("en", "twenty degrees celsius", "20°C"),
    ("en", "I need a check in desk", "I need a check-in desk"),
    ("en", "voice mail", "voicemail"),
    ("en", "log on to the web site", "log on to the website"),
    ("en", "ATM", "A.T.M."),
    ("en", "the U.S.A.", "the USA"),
    ("en", "the U S A", "the USA"),
    ("en", "twenty one hundred", "2100"),
    ("en", "two hundred fifty thousand", "250,000"),
    ("en", "six hundred and fifty", "650"),
    ("en", "ten thousand", "10,000"),
    ("en", "one hundred and one", "101"),
    ("en", "the year two thousand twenty six", "the year 2026"),
    ("en", "twenty twenty six", "2026"),
    ("en", "five thousand dollars", "$5k"),
    ("en", "thirty euros", "€30"),
    ("en", "thirty pounds", "£30"),
    ("en", "seventy five cents", "75¢"),
    ("en", "seventy five cents", "$0.75"),
    ("en", "two million dollars", "$2 million"),
    ("en", "card ending in zero zero four two", "card ending in 0042"),
    ("en", "flat thirty two B", "flat 32B"),
    ("en", "number fourteen", "#14"),
    ("en", "organise the colour", "organize the color"),
    ("en", "travelling", "traveling"),
    ("en", "theatre", "theater"),
    ("en", "Doctor Jones", "Dr. Jones"),
    ("en", "Missus Jones", "Mrs. Jones"),
    ("en", "second floor", "2nd floor"),
    ("en", "one second please", "1 second please"),
    ("en", "the third of March", "the 3rd of March"),
    ("en", "March third", "March 3"),
    ("en", "salt and pepper", "salt & pepper"),
    ("en", "uh, hello", "Hello"),
    ("en", "“hello,” he said — twice…", "hello he said twice"),
    ("en", "ok so", "okay, so"),
    ("en", "all right", "alright"),
    ("en", "thank you", "thank you."),
    ("en", "YES", "yes"),
    ("en", "naïve café", "naïve café"),
    ("en", "naive cafe", "naïve café"),
    ("en", "I have one", "I have 1"),
    ("en", "eleven thirty at night", "11:30 at night"),
    ("en", "noon", "noon"),
    ("en", "twelve o'clock", "12:00"),
    ("en", "six six six", "666"),
    ("en", "one one two", "112"),
    ("en", "nine one one", "911"),
    ("en", "one two three four five six seven eight nine zero", "1234567890"),
    ("en", "one two three four", "1,234"),
    ("en", "four thousand five hundred", "4500"),
    ("de", "Straße", "Strasse"),
    ("de", "fünf fünf fünf zwei eins", "555 21"),
    ("de", "fünfundzwanzig Euro", "25 €"),
    ("de", "fünfundzwanzig Prozent", "25%"),
    ("de", "drei Komma fünf", "3,5"),
    ("de", "um drei Uhr dreißig", "um 3:30 Uhr"),
    ("de", "zweitausendsechs", "2006"),
    ("de", "ein Kaffee", "1 Kaffee"),
    ("fr", "L’eau est froide", "l'eau est froide"),
    ("fr", "quatre-vingt-dix-sept euros", "97 euros"),
    ("fr", "zéro six douze", "06 12"),
    ("fr", "quinze heures trente", "15h30"),
    ("fr", "cœur", "coeur"),
    ("es", "treinta y cinco por ciento", "35 %"),
    ("es", "¿Cómo está usted?", "cómo está usted"),
    ("es", "cinco cinco cinco dos uno", "555-21"),
    ("es", "mil doscientos", "1.200"),
    ("it", "venticinque euro", "25 €"),
    ("pt", "trinta e cinco", "35"),
    ("nl", "vijfentwintig", "25"),
    ("ar", "السَّلامُ عَلَيْكُم", "السلام عليكم"),
    ("ar", "أحمد", "احمد"),
    ("ar", "رقمي ٥٥٥", "رقمي 555"),
    ("zh", "今天天气很好。", "今天天气很好"),
    ("zh", "我有二十五元", "我有25元"),
    ("zh", "我的号码是五五五二一七八", "我的号码是5552178"),
    ("jpn", "電話番号は五五五です。", "電話番号は555です"),
    ("hi", "नमस्ते दुनिया", "नमस्ते दुनिया।"),
    ("Hindi", "मेरा नंबर ५५५ है", "मेरा नंबर 555 है"),
    ("English (UK)", "Press # 5", "press #5"),
    ("de", "Guten Tag, ich hätte gern zwei Kaffee.", "guten tag ich hätte gern 2 Kaffee"),
    ("de", "achtzehn Uhr", "18:00 Uhr"),
    ("de", "meine Nummer ist null eins sieben sechs", "meine Nummer ist 0176"),
    ("de", "einundzwanzig", "21"),
    ("de", "hundert", "100"),
    ("de", "eintausendzweihundert", "1.200"),
    ("fr", "J’ai vingt et un ans", "J'ai 21 ans"),
    ("fr", "soixante et onze", "71"),
    ("fr", "cinq cent mille", "500 000"),
    ("fr", "mon numéro c'est le zéro un vingt-trois quarante-cinq", "mon numéro c'est le 01 23 45"),
    ("fr", "trois heures", "3h"),
    ("fr", "deux virgule cinq", "2,5"),
    ("es", "veintiún", "21"),
    ("es", "dos coma cinco", "2,5"),
    ("es", "son las tres y media", "son las tres y media"),
    ("es", "un café", "1 café"),
    ("es", "novecientos noventa y nueve", "999"),
    ("it", "centoventi", "120"),
    ("it", "duecento euro", "€200"),
    ("pt", "vinte e um", "21"),
    ("pt", "cem reais", "100 reais"),
    ("nl", "eenentwintig", "21"),
    ("nl", "tweehonderd euro", "€ 200"),
    ("ru", "мой номер", "Мой номер."),
    ("Russian", "ёлка", "ёлка"),
    ("tr", "İstanbul", "istanbul"),
    ("tr", "Ğ", "ğ"),
    ("ru", "Привет, мир", "привет мир"),
    ("ko", "안녕하세요 고객님", "안녕하세요, 고객님."),
    ("zh", "三百五十", "350"),
    ("zh", "两千零六年", "2006年"),
    ("zh", "一起", "一起"),
    ("Japanese", "ありがとう", "ありがとう。"),
    ("ja", "３００円", "300円"),
    ("ja", "三百円", "300円"),
    ("th", "สวัสดีครับ", "สวัสดี ครับ"),
    ("he", "שָׁלוֹם", "שלום"),
    ("pl", "dzień dobry", "Dzień dobry!"),
    ("pl", "żółw", "ŻÓŁW"),
    ("vi", "Tôi muốn", "tôi muốn"),
    ("el", "ΣΟΦΟΣ", "σοφος"),
]
"""Language, what is said, a transcript of it."""

WRONG = [
    ("en", "five five five two one seven eight", "555-2187", 2),
    ("en", "fifteen dollars", "$50", 2),
    ("en", "a thousand", "100", 1),
    ("en", "five point five percent", "55%", 1),
    ("en", "May fifth", "May sixth", 1),
    ("en", "half past three", "3:45", 2),
    ("en", "A B C one", "ABD1", 1),
    ("en", "first", "one", 1),
    ("en", "I can go", "I can't go", 1),
    ("en", "jane at example dot com", "jane@example.org", 1),
    ("en", "$100", "100 euros", 1),
    ("en", "zero three two", "32", 1),
    ("en", "my balance please", "my valence please", 1),
    ("en", "four five seven nine one", "4-5-7-9", 1),
    ("en", "four five seven nine one", "4-5-7-9-1-1", 1),
    ("en", "I would like", "I like", 1),
    ("en", "the Wi-Fi", "the wife", 2),
    ("en", "", "hello", 1),
    ("de", "fünfundzwanzig Euro", "35 €", 1),
    ("de", "die Straße", "die Straßen", 1),
    ("fr", "soixante-dix", "72", 1),
    ("fr", "quinze heures trente", "15h40", 1),
    ("es", "treinta y cinco", "36", 1),
    ("it", "venti euro", "€30", 1),
    ("nl", "vijfentwintig", "26", 1),
    ("pt", "trinta e cinco", "45", 1),
    ("ar", "السلام عليكم", "السلام", 1),
    ("hi", "नमस्ते दुनिया", "नमस्ते", 1),
    ("ru", "мой номер", "мой номера", 1),
]
"""Language, what is said, a transcript, and how many words of it are wrong."""


def errors(reference: str, hypothesis: str, language: str) -> int:
    score = score_words(reference, hypothesis, language)
    assert score is not None
    if score.char_errors is not None:
        return score.char_errors
    return score.substitutions + score.deletions + score.insertions


@pytest.mark.parametrize("language, said, heard", RIGHT)
def test_a_right_transcript_has_no_error(language: str, said: str, heard: str) -> None:
    assert errors(said, heard, language) == 0
    assert errors(heard, said, language) == 0, "nor the other way round"


@pytest.mark.parametrize("language, said, heard, wrong", WRONG)
def test_a_wrong_transcript_has_its_errors(language: str, said: str, heard: str, wrong: int) -> None:
    assert errors(said, heard, language) == wrong


def test_there_are_pairs_enough() -> None:
    assert len(RIGHT) + len(WRONG) >= 60
    assert len({language for language, *_ in RIGHT}) >= 7


def rows_of_the_page() -> list[tuple[str, str, str, str]]:
    text = PAGE.read_text(encoding="utf-8")
    block = text.partition("<!-- unified:")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[3:]]
    return [(what, said, right, wrong) for what, said, right, wrong in cells]


LANGUAGES = {"German": "de", "French": "fr", "Arabic": "ar", "Chinese": "zh", "other scripts": "hi"}


@pytest.mark.parametrize("what, said, right, wrong", rows_of_the_page(), ids=lambda cell: cell[:20])
def test_the_page_says_what_is_so(what: str, said: str, right: str, wrong: str) -> None:
    language = next((code for name, code in LANGUAGES.items() if re.search(name, what)), "en")
    assert errors(said, right, language) == 0
    assert errors(said, wrong, language) > 0
