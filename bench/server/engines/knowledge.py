"""What the embedded agent knows: intents with the words that give them away, orders, accounts, plans, hours.

Weights: a word of 1.0 or more names the intent alone, smaller ones only help. Words that a recogniser is known to
hear instead are listed with those they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Intent:
    name: str
    words: dict[str, float]


@dataclass(frozen=True, slots=True)
class Order:
    what: str
    price: str
    state: str
    detail: str


def _words(strong: str, weak: str = "") -> dict[str, float]:
    return {**dict.fromkeys(weak.split(), 0.5), **dict.fromkeys(strong.split(), 1.5)}


# Of equal scores the earlier row wins.
INTENTS = (
    Intent("cancel", _words("cancel canceled cancelled refund return returned returning", "back money order")),
    Intent("password", _words("password passwords reset locked login", "forgot forgotten account log sign pin")),
    Intent("appointment", _words("appointment appointments schedule reschedule booking", "book visit see move change")),
    Intent("hours", _words("opening hours open close closing closed", "what saturday sunday weekend time store")),
    Intent(
        "plans", _words("plan plans premium upgrade", "basic family price prices cost costs much month monthly data")
    ),
    Intent("billing", _words("charged charge bill invoice subscription", "twice money account payment")),
    Intent("balance", _words("balance owe savings", "account checking much money card credit statement")),
    Intent(
        "order",
        _words("order orders package parcel delivery delivered shipped shipment tracking", "where number status"),
    ),
    Intent("human", _words("agent human representative operator", "speak talk person someone")),
    Intent("thanks", _words("thanks goodbye bye", "thank you")),
)
YES = frozenset(["yes", "yeah", "yep", "sure", "okay", "correct", "right", "please"])
NO = frozenset(["no", "nope", "not", "nothing"])

ORDERS = {
    "4719": Order("a wireless headset", "sixty nine dollars", "on its way", "It should arrive on Thursday."),
    "8251": Order("a phone case", "nineteen dollars", "delivered", "It was left at your front door on Monday."),
    "3306": Order("a tablet", "three hundred dollars", "being packed", "It ships tomorrow morning."),
    "1942": Order("a charger", "twenty five dollars", "delayed", "We expect it on the twelfth."),
    "6078": Order("a smart watch", "one hundred eighty dollars", "ready for pickup", "Please bring your receipt."),
}
ACCOUNTS = {
    "checking": ("two hundred forty six dollars and ten cents", "Your last deposit came in on Friday."),
    "savings": ("three thousand one hundred dollars", "It earned eleven dollars of interest last month."),
    "credit card": ("five hundred eighty dollars", "A payment of forty dollars is due on the first."),
}
PLANS = {
    "basic": "costs twenty dollars a month with five gigabytes of data",
    "premium": "costs forty five dollars a month with unlimited data",
    "family": "costs seventy dollars a month with four lines",
}
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
APPOINTMENT_SLOTS = (
    ("Monday", "ten in the morning"),
    ("Tuesday", "half past two"),
    ("Wednesday", "nine in the morning"),
    ("Thursday", "four in the afternoon"),
    ("Friday", "eleven in the morning"),
    ("Saturday", "noon"),
)
HOURS = {
    ("saturday", "weekend"): "On Saturday we are open from ten to four. On Sunday we are closed.",
    ("sunday",): "We are closed on Sunday. We open again on Monday at nine.",
    ("monday", "tuesday", "wednesday", "thursday", "friday"): "From Monday to Friday we are open from nine to six.",
    ("holiday", "holidays"): "On public holidays we are closed.",
}
# An intent whose answer never changes: what a "yes" would agree to, and the answer.
FIXED_ANSWERS: dict[str, tuple[str | None, str]] = {
    "password": ("password", "I can reset your password. May I send a link to the e-mail address on your account?"),
    "billing": (
        "human",
        "I see two charges in the last month, and I am sorry about that. Shall I connect you with billing?",
    ),
    "human": (None, "Of course. I am connecting you with a colleague. Please stay on the line."),
    "thanks": (None, "You are welcome. Thank you for calling, and good bye."),
}
AGREED_ANSWERS = {
    "password": "I have sent a link to the e-mail address on your account. It is valid for one hour.",
    "human": "I am connecting you now. Please stay on the line.",
}
