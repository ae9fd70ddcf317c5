"""Streams' pages for `benchmarks.summary_quality`: fields of an upload, and names that speech recognition misspelled.

The games exist; streamers, titles and all that is said were made up for this.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """An upload's fields. names: what a summary must not name where nobody spoke it."""

    streamer: str
    game: str
    title: str
    names: tuple[str, ...]

    def unspoken(self, summary: str, transcript: str) -> list[str]:
        """The names that a summary has and the transcript does not, whatever their case."""
        return [name for name in self.names if says(summary, name) and not says(transcript, name)]


@dataclass(frozen=True, slots=True)
class Misspelled:
    """A chunk in which a name of its page is spoken and was not recognized."""

    page: Page
    text: str
    name: str


def says(text: str, name: str) -> bool:
    """Tell whether a text has a name as words of its own, whatever its case."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


PAGES = (
    Page(
        "NovaPlays", "Just Chatting", "Subathon day 12 with Marisol",
        ("NovaPlays", "Nova", "Just Chatting", "Subathon", "Marisol"),
    ),
    Page(
        "tessa_vt", "Elden Ring", "Malenia attempts, no summons",
        ("tessa_vt", "Tessa", "Elden Ring", "Malenia", "summons"),
    ),
    Page(
        "GrimOtter", "League of Legends", "Climbing to Diamond in solo queue",
        ("GrimOtter", "Grim Otter", "Otter", "League of Legends", "solo queue", "Diamond"),
    ),
    Page(
        "pixelmarta", "Minecraft", "Hardcore world day 400 | building the castle",
        ("pixelmarta", "Marta", "Minecraft", "Hardcore world", "castle"),
    ),
    Page(
        "Koenraad88", "Valorant", "Road to Radiant, drops on",
        ("Koenraad88", "Koenraad", "Valorant", "Radiant"),
    ),
    Page(
        "LunaBytes", "Software and Game Development", "Writing a chess engine in Rust",
        ("LunaBytes", "Luna", "Game Development", "chess engine", "chess"),
    ),
    Page(
        "bigfatbadger", "Counter-Strike 2", "FACEIT level 10 grind with viewers",
        ("bigfatbadger", "Badger", "Counter-Strike", "FACEIT"),
    ),
    Page(
        "Ysolde", "Baldur's Gate 3", "Honour mode, act two",
        ("Ysolde", "Baldur's Gate", "Honour mode", "act two"),
    ),
    Page(
        "MrTofu", "Food & Drink", "Ramen night: cooking tonkotsu for 300 subs",
        ("MrTofu", "Mr Tofu", "Tofu", "Ramen", "tonkotsu"),
    ),
    Page(
        "saltyseb", "Dead by Daylight", "Charity marathon for the sea rescue",
        ("saltyseb", "Seb", "Dead by Daylight", "Charity", "sea rescue"),
    ),
    Page(
        "AnnikaLive", "Music", "Piano requests and a new Chopin piece",
        ("AnnikaLive", "Annika", "Piano", "Chopin"),
    ),
    Page(
        "Zwergnase", "World of Warcraft", "Mythic raid: heroic guild tryouts",
        ("Zwergnase", "World of Warcraft", "Warcraft", "Mythic", "guild"),
    ),
)  # fmt: skip

_TALK = Page("NovaPlays", "Just Chatting", "Interview with Marisol Quintero", ())
_RING = Page("tessa_vt", "Elden Ring", "Malenia attempts, no summons", ())
_DUEL = Page("Koenraad88", "Valorant", "Scrims against Team Vitality", ())
_GATE = Page("Ysolde", "Baldur's Gate 3", "Astarion romance, act two", ())
_KNIGHT = Page("GrimOtter", "Hollow Knight", "Radiance without healing", ())
_CRAFT = Page("pixelmarta", "Minecraft", "Building Himeji castle", ())

MISSPELLED = (
    Misspelled(
        _TALK,
        "So my guest today is Marysole, she has been painting murals in Lisbon for nine years. Marysole, welcome."
        " How did you start? She says her uncle gave her a bucket of blue paint and a wall, and nobody told her to"
        " stop. The city paid for the second one, and now she has a team of four people.",
        "Marisol",
    ),
    Misspelled(
        _TALK,
        "We asked Quintaro about the price of a wall. Quintaro says it is around two thousand euros, and most of"
        " it goes into the scaffolding. Chat, she brought photos, look at this one with the whale, it is eleven"
        " meters tall and it took her three weeks in the rain.",
        "Quintero",
    ),
    Misspelled(
        _RING,
        "Okay chat, eldon ring is broken today. That is the fortieth try and I still cannot dodge the waterfall"
        " dance. In eldon ring you have to run away on the first swing and then turn around, and I keep rolling"
        " too early. One more and then we eat something.",
        "Elden Ring",
    ),
    Misspelled(
        _RING,
        "Malaynia has about ten percent left. Do not say anything. Do not say anything. No! She healed. Malaynia"
        " heals when she hits my shield, I keep forgetting that. Fine, I am taking the shield off and I am using"
        " two swords from now on.",
        "Malenia",
    ),
    Misspelled(
        _DUEL,
        "We played valerant for six hours yesterday and lost four maps in a row because nobody would hold the"
        " back door. Today in valerant I am only playing defense, and my brother is calling the rounds. If we lose"
        " again I will shave my beard on stream.",
        "Valorant",
    ),
    Misspelled(
        _DUEL,
        "The match against Vitalitee begins in ten minutes. Vitalitee won the last two, but their captain is ill"
        " and they have a substitute from the academy. We will open with the slow push, and if that does not work"
        " we go straight through the middle.",
        "Vitality",
    ),
    Misspelled(
        _GATE,
        "I will never forgive Asterion for that. I let Asterion drink from the merchant and now the whole village"
        " is angry and the shop is closed. Can I reload? No, I promised you no reloading. So we have to walk all"
        " the way around the swamp without potions.",
        "Astarion",
    ),
    Misspelled(
        _GATE,
        "Balders Gate three has the best dice rolls, and I just failed a check of two. A two! I had plus seven."
        " In Balders Gate three you always fail on a one, that is the rule, so the door stays closed and the guard"
        " is now chasing us through the cellar.",
        "Baldur's Gate",
    ),
    Misspelled(
        _KNIGHT,
        "Welcome back to hollow night, this is the last boss and I have not been hit for nine minutes. People who"
        " know hollow night know what comes now, the floor goes away and you have to climb. My hands are shaking."
        " There it is. Up, up, up.",
        "Hollow Knight",
    ),
    Misspelled(
        _KNIGHT,
        "Grim auto here, good evening everybody. Some of you asked how grim auto got the name: my sister drew an"
        " animal with a scythe when she was six, and my first username was already taken. So that is the whole"
        " story, it is not very deep.",
        "GrimOtter",
    ),
    Misspelled(
        _CRAFT,
        "The roof of himejee took me four days, because every tile is a stair turned upside down. Himejee has six"
        " floors outside and seven inside, and I only found that out when the stairs did not meet. So tomorrow we"
        " tear down the second floor and do it again.",
        "Himeji",
    ),
    Misspelled(
        _CRAFT,
        "If you are new here, this is mine craft without any mods and without flying. In mine craft you can carry"
        " only so much sand, so I have walked this road about two hundred times. A viewer did the numbers: that is"
        " nineteen hours of walking for one wall.",
        "Minecraft",
    ),
)  # fmt: skip
