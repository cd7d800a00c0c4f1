"""The agent of the embedded engine: recognised words in, a spoken answer out, with memory of the call.

An intent is the table row with the most matching words; one that needs an order, account or order number asks for it
and takes the digits from what is said next. Recognition makes mistakes, so every row lists what its words are
commonly heard as, and nothing here needs a whole sentence to be right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.server.engines.knowledge import (
    ACCOUNTS,
    AGREED_ANSWERS,
    APPOINTMENT_SLOTS,
    DAYS,
    FIXED_ANSWERS,
    HOURS,
    INTENTS,
    NO,
    ORDERS,
    PLANS,
    YES,
    Intent,
    Order,
)
from bench.server.engines.lookups import Lookup

_DIGITS = {
    "zero": "0", "oh": "0", "o": "0", "one": "1", "two": "2", "to": "2", "too": "2", "three": "3", "four": "4",
    "for": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "ate": "8", "nine": "9",
}  # fmt: skip
_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Words that are digits only between digits: "to", "for", "o" are mostly something else.
_WEAK_DIGITS = frozenset({"oh", "o", "to", "too", "for", "ate"})
_TENS = {
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16",
    "seventeen": "17", "eighteen": "18", "nineteen": "19",
}  # fmt: skip
_DECADES = {
    "twenty": "2", "thirty": "3", "forty": "4", "fifty": "5", "sixty": "6", "seventy": "7", "eighty": "8",
    "ninety": "9",
}  # fmt: skip
_WORD = re.compile(r"[a-z']+|\d")
MIN_DIGITS = 3


def digits_in(text: str) -> str:
    """The longest run of spoken or written digits, "" when there is none of at least three.

    "four seven one nine", "forty seven nineteen" and "4719" are the same number.
    """
    best = run = ""
    found = _WORD.findall(text.lower())
    for index, word in enumerate(found):
        after = found[index + 1] if index + 1 < len(found) else ""
        if word.isdigit():
            run += word
        elif word in _TENS:
            run += _TENS[word]
        elif word in _DECADES:
            follows = after in _DIGITS and after not in _WEAK_DIGITS and after not in {"zero"}
            run += _DECADES[word] + ("" if follows else "0")
        elif word in _DIGITS and (word not in _WEAK_DIGITS or run):
            run += _DIGITS[word]
        else:
            run = ""
        best = max(best, run, key=len)
    return best if len(best) >= MIN_DIGITS else ""


def spoken_digits(number: str) -> str:
    return " ".join(_NAMES[int(digit)] for digit in number)


def intent_of(text: str) -> Intent | None:
    """The best matching intent; None when nothing matches."""
    heard = set(_WORD.findall(text.lower()))
    best: Intent | None = None
    best_score = 0.0
    for intent in INTENTS:
        score = sum(weight for word, weight in intent.words.items() if word in heard)
        if score > best_score:
            best, best_score = intent, score
    return best if best_score >= 1.0 else None


@dataclass(slots=True)
class Agent:
    """One call's memory: what was asked, for which number, and what was answered last."""

    waiting_for: str | None = None  # the intent whose number was asked for
    offered: str | None = None  # what a "yes" would agree to
    order: str | None = None
    last_item: str | None = None
    last_answer: str = ""
    slot: int = 0
    lookup: Lookup | None = None  # what the last answer could be looked up for, where a tool knows it

    def greeting(self) -> str:
        return "Hello, thank you for calling. How can I help you today?"

    def answer(self, item_id: str, text: str) -> str:
        """The reply to one thing the caller said; asked again about the same item, the same reply."""
        if item_id != self.last_item:
            self.last_item = item_id
            self.lookup = None
            self.last_answer = self._reply(text)
        return self.last_answer

    def _reply(self, text: str) -> str:
        if not text.strip():
            return "I am sorry, I did not hear you. Could you say that again?"
        number = digits_in(text)
        intent = intent_of(text)
        if number:
            self.order = number
        name = intent.name if intent is not None else None
        if self.waiting_for and number and name in (None, "order", self.waiting_for):
            name, self.waiting_for = self.waiting_for, None
        if name is None:
            return self._small_talk(text, number)
        self.offered = None
        if name in FIXED_ANSWERS:
            self.offered, answer = FIXED_ANSWERS[name]
            return answer
        answers = {
            "balance": self._balance, "order": self._order, "cancel": self._cancel, "appointment": self._appointment,
            "plans": self._plans, "hours": self._hours,
        }  # fmt: skip
        return answers[name](text.lower())

    def _small_talk(self, text: str, number: str) -> str:
        heard = set(_WORD.findall(text.lower()))
        if number:
            return self._order(text)
        if heard & YES:
            return self._agreed()
        if heard & NO:
            self.offered = self.waiting_for = None
            return "All right. Is there anything else I can do for you?"
        if self.waiting_for:
            return "I did not catch the number. Please say it digit by digit."
        words = " ".join(text.split()[:8])
        return (
            f"I heard, {words}. I can help with orders, your balance, appointments, passwords, plans and opening hours."
        )

    def _agreed(self) -> str:
        offer, self.offered = self.offered, None
        if offer == "cancel" and self.order:
            return f"Order {spoken_digits(self.order)} is cancelled. The refund takes three to five business days."
        if offer == "appointment":
            day, hour = APPOINTMENT_SLOTS[self.slot % len(APPOINTMENT_SLOTS)]
            return f"You are booked for {day} at {hour}. We will send you a reminder."
        return AGREED_ANSWERS.get(offer or "", "Good. What would you like me to do?")

    def _balance(self, text: str) -> str:
        credit = "card" in text or "credit" in text
        account = "savings" if "savings" in text else "credit card" if credit else "checking"
        self.lookup = Lookup("balance", {"account": account}, f"The balance of your {account} account")
        amount, due = ACCOUNTS[account]
        return f"The balance of your {account} account is {amount}. {due}"

    def _order(self, _text: str) -> str:
        if not self.order:
            self.waiting_for = "order"
            return "I can look that up. What is your order number, please?"
        self.lookup = Lookup("order", {"number": self.order}, f"Order {spoken_digits(self.order)}")
        order = self._known_order()
        return f"Order {spoken_digits(self.order)} is {order.state}. {order.detail}"

    def _cancel(self, _text: str) -> str:
        if not self.order:
            self.waiting_for = "cancel"
            return "I can cancel an order for you. What is the order number, please?"
        self.offered = "cancel"
        order = self._known_order()
        return f"Order {spoken_digits(self.order)} for {order.what} costs {order.price}. Shall I cancel and refund it?"

    def _appointment(self, text: str) -> str:
        self.offered = "appointment"
        wanted = next((day for day in DAYS if day in text), None)
        self.lookup = Lookup("appointment", {"day": wanted} if wanted else {}, "The next free time")
        matching = [at for at, (day, _) in enumerate(APPOINTMENT_SLOTS) if wanted in (None, day.lower())]
        self.slot = next((index for index in matching if index > self.slot), matching[0] if matching else 0)
        day, hour = APPOINTMENT_SLOTS[self.slot]
        return f"I have an opening on {day} at {hour}. Would that suit you?"

    def _plans(self, text: str) -> str:
        for plan, facts in PLANS.items():
            if plan in text:
                return f"The {plan} plan {facts}. Would you like to change to it?"
        known = ", ".join(f"the {plan} plan {facts.split(' with ')[0]}" for plan, facts in PLANS.items())
        return f"We have three plans: {known}."

    def _hours(self, text: str) -> str:
        for days, hours in HOURS.items():
            if any(day in text for day in days):
                return hours
        return (
            "We are open Monday to Friday from nine to six, and on Saturday from ten to four. On Sunday we are closed."
        )

    def _known_order(self) -> Order:
        """The order in the table, or one derived from its digits, so that any number has a steady answer."""
        assert self.order is not None
        if self.order in ORDERS:
            return ORDERS[self.order]
        known = list(ORDERS.values())
        return known[sum(int(digit) for digit in self.order) % len(known)]
