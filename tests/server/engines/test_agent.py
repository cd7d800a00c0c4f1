"""The agent's answers, with what a recogniser really delivers."""

from __future__ import annotations

import pytest

from bench.server.engines.agent import Agent, digits_in, intent_of, spoken_digits
from bench.server.engines.knowledge import ORDERS, PLANS


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("my order number is four seven one nine", "4719"),
        ("eight to five one", "8251"),
        ("it is forty seven nineteen", "4719"),
        ("twenty five o one", "2501"),
        ("4719", "4719"),
        ("one two", ""),
        ("for two people", ""),
        ("i want to go to the store", ""),
        ("", ""),
    ],
)
def test_digits_are_heard_in_every_spelling(text: str, number: str) -> None:
    assert digits_in(text) == number


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("what is the balance of my checking account", "balance"),
        ("where is my own order it should have arrived", "order"),
        ("please cancel my order and give me a refund", "cancel"),
        ("i want to pick an appointment for next tuesday", "appointment"),
        ("i should go to my password and i need to respect it", "password"),
        ("and much as the premium plan cost per month", "plans"),
        ("what are your opening i was on saturday", "hours"),
        ("last month in charge me twice", "billing"),
        ("can i speak to a person", "human"),
        ("purple monkey", None),
    ],
)
def test_intents_survive_recognition_errors(text: str, name: str | None) -> None:
    found = intent_of(text)
    assert (found.name if found else None) == name


def test_the_answer_depends_on_the_number_that_was_heard() -> None:
    agent = Agent()
    assert "order number" in agent.answer("1", "where is my order")
    answer = agent.answer("2", "it is four seven one nine")
    assert spoken_digits("4719") in answer
    assert ORDERS["4719"].state in answer
    other = Agent().answer("1", "where is order eight two five one")
    assert ORDERS["8251"].state in other


def test_a_cancellation_asks_for_the_number_then_for_consent() -> None:
    agent = Agent()
    agent.answer("1", "i want to cancel and get a refund")
    offer = agent.answer("2", "three three zero six")
    assert ORDERS["3306"].price in offer
    assert "cancelled" in agent.answer("3", "yes please")
    assert "cancelled" not in agent.answer("4", "yes")


def test_no_withdraws_the_offer() -> None:
    agent = Agent()
    agent.answer("1", "i forgot my password")
    agent.answer("2", "no")
    assert "link" not in agent.answer("3", "yes")


def test_asked_again_about_the_same_item_it_says_the_same() -> None:
    agent = Agent()
    first = agent.answer("1", "book an appointment")
    assert agent.answer("1", "book an appointment") == first
    assert agent.answer("2", "another appointment please") != first


def test_named_days_and_plans_are_used() -> None:
    assert "Thursday" in Agent().answer("1", "an appointment on thursday")
    assert PLANS["family"] in Agent().answer("1", "how much is the family plan")
    assert "ten to four" in Agent().answer("1", "are you open on saturday")


@pytest.mark.parametrize("text", ["", "   ", "mumble", "digits", "1 2 3 4 5 6 7 8 9 0 1 2 3 4"])
def test_there_is_always_an_answer(text: str) -> None:
    assert Agent().answer("1", text)
