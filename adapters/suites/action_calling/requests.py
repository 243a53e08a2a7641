"""Requests in plain English with the arguments that answer them, for each tool, put together by chance.

Every request has one right answer: it says all that is needed, and nothing in it can be read in two ways.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from .tools import CITIES, FILES, PEOPLE, ROOMS, SONGS

_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
_EVENTS = ["Dentist", "Team lunch", "Piano lesson", "Budget review"]
_FOLDERS = ["archive", "shared", "travel", "work"]
_MESSAGES = ["I am late", "Happy birthday", "The door is open", "Call me back"]

OFF_TOPIC = [
    "Tell me a joke about penguins.",
    "Who wrote the book you like best?",
    "What is seven times eight?",
    "Write a haiku about snow.",
    "Explain why the sky is blue.",
]
"""Requests that no tool is for."""

Arguments = dict[str, Any]
Request = tuple[str, Arguments]
Form = Callable[[random.Random], Request]


def _light(rng: random.Random) -> Request:
    room, state = rng.choice(ROOMS), rng.choice(["on", "off"])
    return f"Turn {state} the light in the {room}.", {"room": room, "state": state}


def _temperature(rng: random.Random) -> Request:
    room, degrees = rng.choice(ROOMS), rng.randrange(16, 26)
    return f"Make it {degrees} degrees in the {room}.", {"room": room, "degrees": degrees}


def _weather(rng: random.Random) -> Request:
    city = rng.choice(CITIES)
    return f"What is the weather in {city}?", {"city": city}


def _timer(rng: random.Random) -> Request:
    minutes = rng.randrange(2, 60)
    return f"Set a timer for {minutes} minutes.", {"minutes": minutes}


def _money(rng: random.Random) -> Request:
    to, amount = rng.choice(PEOPLE), rng.randrange(5, 500, 5)
    return f"Please send {amount} euros to {to}.", {"to": to, "amount": amount}


def _delete(rng: random.Random) -> Request:
    file = rng.choice(FILES)
    return f"I don't need {file} any more, delete it.", {"file": file}


def _copy(rng: random.Random) -> Request:
    file, folder = rng.choice(FILES), rng.choice(_FOLDERS)
    return f"Copy {file} to the folder {folder}.", {"file": file, "folder": folder}


def _event(rng: random.Random) -> Request:
    title, day, hour = rng.choice(_EVENTS), rng.choice(_DAYS), rng.randrange(8, 20)
    return f'Put "{title}" into my calendar on {day} at {hour}:00.', {"title": title, "day": day, "hour": hour}


def _song(rng: random.Random) -> Request:
    title = rng.choice(SONGS)
    return f'Play the song "{title}".', {"title": title}


def _message(rng: random.Random) -> Request:
    to, text = rng.choice(PEOPLE), rng.choice(_MESSAGES)
    return f'Send {to} the message "{text}".', {"to": to, "text": text}


def _light_inferred(rng: random.Random) -> Request:
    room, is_dark = rng.choice(ROOMS), rng.choice([True, False])
    if is_dark:
        return f"I can't see a thing here in the {room}, do something about it.", {"room": room, "state": "on"}
    return f"Everybody has left the {room}, no light is needed there any more.", {"room": room, "state": "off"}


def _temperature_computed(rng: random.Random) -> Request:
    room, now, more = rng.choice(ROOMS), rng.randrange(14, 20), rng.randrange(2, 7)
    return f"It is {now} degrees in the {room}. Make it {more} degrees warmer.", {"room": room, "degrees": now + more}


def _weather_inferred(rng: random.Random) -> Request:
    start, end = rng.sample(CITIES, 2)
    return f"I am flying from {start} to {end}. What is the weather where I land?", {"city": end}


def _timer_computed(rng: random.Random) -> Request:
    hours, minutes = rng.randrange(2, 6), rng.randrange(5, 60, 5)
    return f"Set a timer for {hours} hours and {minutes} minutes.", {"minutes": 60 * hours + minutes}


def _money_computed(rng: random.Random) -> Request:
    to, tickets, lunch = rng.choice(PEOPLE), rng.randrange(21, 100), rng.randrange(11, 50)
    request = f"{to} paid {tickets} euros for my ticket and {lunch} euros for my lunch. Send {to} all of it back."
    return request, {"to": to, "amount": tickets + lunch}


def _delete_inferred(rng: random.Random) -> Request:
    kept, file = rng.sample(FILES, 2)
    either = sorted((kept, file))
    return f"Of {either[0]} and {either[1]} I still need {kept}. Delete the other one.", {"file": file}


def _copy_inferred(rng: random.Random) -> Request:
    (file, other), (folder, elsewhere) = rng.sample(FILES, 2), rng.sample(_FOLDERS, 2)
    request = f"{other} is in the folder {elsewhere} already, so copy only {file}, and that to the folder {folder}."
    return request, {"file": file, "folder": folder}


def _event_computed(rng: random.Random) -> Request:
    title, number, hour, later = rng.choice(_EVENTS), rng.randrange(4), rng.randrange(8, 14), rng.randrange(2, 6)
    request = f'Put "{title}" into my calendar on the day after {_DAYS[number]}, {later} hours after {hour}:00.'
    return request, {"title": title, "day": _DAYS[number + 1], "hour": hour + later}


def _song_inferred(rng: random.Random) -> Request:
    tired_of, title = rng.sample(SONGS, 2)
    either = sorted((tired_of, title))
    return f'Play "{either[0]}" or "{either[1]}", but not "{tired_of}", please.', {"title": title}


def _message_inferred(rng: random.Random) -> Request:
    (to, sender), text = rng.sample(PEOPLE, 2), rng.choice(_MESSAGES)
    return f'{sender} asked me to let {to} know something. Write: "{text}".', {"to": to, "text": text}


PLAIN: dict[str, Form] = {
    "set_light": _light,
    "set_temperature": _temperature,
    "get_weather": _weather,
    "set_timer": _timer,
    "send_money": _money,
    "delete_file": _delete,
    "copy_file": _copy,
    "add_event": _event,
    "play_song": _song,
    "send_message": _message,
}
"""Requests that name every argument as it is."""

INDIRECT: dict[str, Form] = {
    "set_light": _light_inferred,
    "set_temperature": _temperature_computed,
    "get_weather": _weather_inferred,
    "set_timer": _timer_computed,
    "send_money": _money_computed,
    "delete_file": _delete_inferred,
    "copy_file": _copy_inferred,
    "add_event": _event_computed,
    "play_song": _song_inferred,
    "send_message": _message_inferred,
}
"""Requests with an argument that has to be computed, concluded, or distinguished from another one beside it."""


def corrected(rng: random.Random, form: Form) -> Request:
    """A request that is taken back and replaced by another to the same tool; the second counts."""
    first, _ = form(rng)
    second, arguments = form(rng)
    while second == first:
        second, arguments = form(rng)
    return f"{first} No, forget that. {second}", arguments
