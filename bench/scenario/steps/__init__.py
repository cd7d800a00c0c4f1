"""The steps of a conversation as a scenario gives them, one file a kind; `bench.session.steps` plays them.

A new kind is a new file and a word in the loop below, or a call of `register_step`.
"""

from bench.scenario.steps.backchannel import Backchannel
from bench.scenario.steps.interrupt import Interrupt
from bench.scenario.steps.listen import Listen
from bench.scenario.steps.pause import Pause
from bench.scenario.steps.press import Press
from bench.scenario.steps.say import Say
from bench.scenario.steps.step import Step, StepBlock, register_step

for _kind in (Say, Pause, Listen, Interrupt, Backchannel, Press):
    register_step(_kind)

__all__ = ["Backchannel", "Interrupt", "Listen", "Pause", "Press", "Say", "Step", "StepBlock", "register_step"]
