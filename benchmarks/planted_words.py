"""The words of planted streams: two sets of them, of which one is for development and one is held out.

Sentences of one set are in no stream of the other, so that what is found with one cannot be told by the other. `{s}` is
what a fact is about, `{v}` its value, `{old}` a value that was corrected; `{a}` and `{b}` are words of the topic,
`{nick}` is somebody in chat, `{n}` any number, `{x}` and `{y}` are things that nobody
comes back to.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """How a set of streams says things. facts: by kind. bare: corrections that follow at once, without the subject."""

    facts: dict[str, tuple[str, ...]]
    leads: tuple[str, ...]
    tails: tuple[str, ...]
    corrections: tuple[str, ...]
    bare: tuple[str, ...]
    decoys: tuple[tuple[str, ...], ...]
    talk: tuple[str, ...]
    filler: tuple[str, ...]
    asides: tuple[str, ...]


DEVELOPMENT = Phrases(
    facts={
        "name": (
            "The {s} belongs to {v} now.",
            "So if you go to the {s}, you have to ask for {v}.",
            "By the way, it was {v} who built the {s}.",
            "As far as I know, the {s} was found by {v}.",
        ),
        "number": (
            "The {s} costs {v} coins.",
            "It took me {v} minutes to get past the {s}.",
            "You need {v} of those for the {s}, and then you are through.",
            "There are exactly {v} rooms behind the {s}, I counted.",
        ),
        "odd": (
            "People call the {s} the {v}.",
            "The secret word for the {s} is {v}.",
            "Inside the {s} there is a {v}, and it glows.",
            "I gave the {s} a new name, it is {v} from today on.",
        ),
    },
    leads=(
        "okay so while we are walking over there and before I forget it again, ",
        "and this is something I wanted to say since the very beginning of the evening, ",
        "now listen, because nobody told me that when I started with all of this, ",
    ),
    tails=(
        ", and that is pretty much all I can tell you about that for the moment",
        ", which is not what I would have thought when I saw it for the first time",
        ", so keep that in mind when we come back here later on",
    ),
    corrections=(
        "No wait, I have to correct myself, for the {s} it is {v}.",
        "I said {old}, but the {s} really is about {v}.",
        "Correction about the {s}, it is {v} and not {old}.",
        "Oh, I was wrong about the {s} earlier, it should be {v}.",
    ),
    bare=("No, wait, it is {v}.", "Sorry, I mean {v}."),
    decoys=(
        ("Somebody in chat says the {s} is {v}, that is not true.",),
        ("Chat keeps writing that {v} has the {s}.", "No, that is fake."),
        ("Someone writes that you find {v} with the {s}, but that's just wrong.",),
    ),
    talk=(
        "The {a} looks so much better when you stand next to the {b}.",
        "I think we should try the {a} first and then see about the {b}.",
        "You know what I like about the {a}, it never gets boring.",
        "When I was younger I did not care about a {a} at all.",
        "Let me just put the {a} over here, next to the {b}.",
        "Every time there is a {a} I get a little bit nervous.",
        "This {a} is not as bad as the last one, is it?",
        "With a good {a} you do not even need the {b}.",
        "Okay, {a}, {b}, and now we wait.",
        "I would say the {a} is the hardest part of all this.",
        "Do you remember the {a} from last week, that was a mess.",
        "And then the {a} just falls over, I can not believe it.",
        "The thing with the {a} is that you have to be patient.",
        "We are going to need another {a} for the {b}, I guess.",
        "If the {a} goes wrong, we start again from the {b}.",
        "Look at this {a}, look how it moves.",
        "A {a} like that should be enough for today.",
        "I am going to take the {a} with me, you never know.",
        "Nobody told me that the {a} and the {b} go together.",
        "That is a very nice {a}, I have to say.",
    ),
    filler=(
        "Hello {nick}, welcome to the stream.",
        "Thank you {nick} for the follow, I appreciate it.",
        "Okay, okay, okay.",
        "Oh my God, no, no, no.",
        "How is everybody doing tonight?",
        "Give me {n} seconds, I need some water.",
        "That was close, that was really close.",
        "I do not know what I am doing right now.",
        "So, where were we, right.",
        "We are {n} people here now, that is crazy.",
        "My chair makes that noise again, sorry about that.",
        "Let me read chat for a moment.",
        "Yeah, yeah, I know, I know.",
        "Good question, {nick}, I will come back to that later.",
        "Wow.",
        "It is getting late, but we go on for a while.",
        "You are all so kind today, thank you.",
        "Let's go, let's go, come on.",
        "I did not sleep so well last night, maybe {n} hours.",
        "Hm, what do you think, chat?",
        "Nice, nice, that worked.",
        "Wait a second, what is that?",
        "Thanks for the {n} months, {nick}, you are the best.",
        "That is how we do it.",
        "Anyway.",
    ),
    asides=(
        "Yesterday {nick} told me about a {x}, and I could not stop laughing.",
        "I paid {n} dollars for my {x}, can you imagine.",
        "My mother called me because of the {x} again.",
        "There is a {x} outside, I can hear it the whole time.",
        "I have not had a {x} since I was about {n}.",
        "Somebody should invent a {x} that cleans itself.",
        "{nick}, did you ever find your {x}?",
        "I was looking for a {x} in the whole town and found nothing but a {y}.",
        "So my {x} is broken, and the {y} too, great.",
        "The {x} was full of people, maybe {n} or more.",
    ),
)

HELD_OUT = Phrases(
    facts={
        "name": (
            "{v} is in charge of the {s}.",
            "I heard that the {s} goes to {v} this year.",
            "My neighbor {v} painted the {s}.",
            "We can thank {v} for the {s}, honestly.",
        ),
        "number": (
            "With the {s} you get {v} points.",
            "They sold {v} copies of the {s}.",
            "The {s} opens at level {v}.",
            "Our record with the {s} is {v}, since last week.",
        ),
        "odd": (
            "In their language the {s} means {v}.",
            "The password of the {s} was {v} the whole time.",
            "You feed the {s} with {v}, nothing else works.",
            "That smell near the {s} is {v}, if you can imagine it.",
        ),
    },
    leads=(
        "I have been thinking about that on my way home the other day, and you know, ",
        "it is really not important, and I might have said it once already, but ",
        "since a few of you asked me about exactly this thing yesterday, ",
    ),
    tails=(
        ", or at least that is what I have written down here in my little book",
        ", but please do not ask me how I came to know about it",
        ", and I find it quite hard to explain to people who were not there",
    ),
    corrections=(
        "I told you {old} for the {s}, but it is {v}.",
        "My mistake, with the {s} I meant {v}.",
        "Scratch that, the {s} has to do with {v}.",
        "Actually the {s} goes with {v}, I looked it up just now.",
    ),
    bare=("Hang on, no, {v}.", "Let me correct that, {v}."),
    decoys=(
        ("I am reading here that the {s} has {v}, but no, that is wrong.",),
        ("A viewer claims that {v} stole the {s}, which is nonsense.",),
        ("One of you wrote that the {s} is {v}.", "Do not believe that, please."),
    ),
    talk=(
        "It depends on the {a}, and sometimes also on the {b}.",
        "What a beautiful {a}, seriously.",
        "My brother always said you can not have a {a} without a {b}.",
        "I have to move the {a} a bit to the left.",
        "Are we still talking about the {a}, or was it the {b}?",
        "There is a {a} behind this one, I can see it from here.",
        "Most people give up as soon as they see the {a}.",
        "Now the {a} again, slowly, and do not touch the {b}.",
        "To be fair, the {a} was there before us.",
        "Give me a {a} and I am happy.",
        "The last {a} was broken after two days.",
        "How many times did we do the {a} already?",
        "Something is wrong with my {a}, it sounds different.",
        "You could also use the {b} instead of the {a}, of course.",
        "First I was afraid of the {a}, now I kind of like it.",
        "They changed the {a} with the last update.",
        "In theory the {a} comes after the {b}.",
        "Please, not the {a}, anything but the {a}.",
        "The {a} is fine, do not worry about the {a}.",
        "I wonder who made this {a}.",
    ),
    filler=(
        "Good evening, {nick}, nice to see you again.",
        "{nick} just subscribed, that is so sweet of you.",
        "Right, right, right.",
        "No way, no way, no way.",
        "Is my microphone too loud, tell me.",
        "I will be back in {n} minutes, do not go anywhere.",
        "Haha, that is so true.",
        "Alright then.",
        "Where did I put my coffee?",
        "Over {n} of you are watching, hello to everyone.",
        "The dog wants to go out, one moment.",
        "I see a lot of hearts in chat.",
        "Sure, sure, why not.",
        "That is a long story, {nick}, maybe another time.",
        "Ouch.",
        "We still have the whole night in front of us.",
        "I am laughing so much today.",
        "Here we go, here we go again.",
        "It was like {n} degrees in this room yesterday.",
        "Well, what can you do.",
        "Perfect, that is perfect.",
        "Did you hear that too?",
        "Happy birthday, {nick}, {n} is a good age.",
        "Never mind.",
        "You guys are unbelievable.",
    ),
    asides=(
        "Did I tell you about the {x} that {nick} sent me?",
        "The new {x} was {n} bucks, and it does not even work.",
        "My roommate has a {x} now, do not ask.",
        "All I could think of this morning was a {x}.",
        "They say you need {n} hours for a {x}, I needed twice of that.",
        "I am scared of every {x}, always have been.",
        "{nick} has a {x} as well, right?",
        "Next week I have to see about the {x}, and about the {y}.",
        "It is either the {x} or the {y}, you can not have both.",
        "At the {x} there were {n} kids in front of me.",
    ),
)

#: What topics are about.
TOPICS = tuple(
    tuple(line.split())
    for line in """
harbor lantern sailor anchor rope gull pier fisherman compass rowboat lighthouse tide
kitchen oven dough flour butter recipe spoon pastry rolling-pin cinnamon tray crust
dungeon skeleton torch trapdoor lever treasure chest key spider corridor gate goblin
guitar chord string melody amplifier pedal chorus rhythm pick bridge tuner solo
garden tomato shovel compost seed fence weed bucket rose beetle hose greenhouse
spaceship engine asteroid fuel cockpit shield orbit crew radar airlock planet laser
football goalkeeper striker penalty referee corner stadium coach defender header whistle pitch
train station conductor platform tunnel locomotive whistle-stop ticket carriage railway signal junction
castle king moat archer tower banner drawbridge throne catapult siege wall knight
painting canvas brush frame varnish portrait sketch gallery easel watercolor pencil palette
volcano lava crater ash eruption basalt geyser magma island cone sulfur rim
bicycle saddle chain tire handlebar brake mountain-trail helmet gear pump spoke pedal-arm
chess bishop rook pawn checkmate opening castling endgame queen board clock gambit
forest owl mushroom trail squirrel oak cabin deer moss creek campfire axe
robot battery sensor circuit arm motor wire screw chip antenna joint controller
winter snowman sled mitten icicle blizzard ski slope frost scarf glacier avalanche
hospital nurse doctor bandage ambulance syringe patient surgery ward pill stretcher clinic
theater stage actor curtain costume script audience rehearsal spotlight director mask balcony
farm cow tractor barn hay rooster pig field fence-post milk stable harvest
desert camel dune oasis scorpion cactus caravan mirage sandstorm tent nomad well
detective clue suspect fingerprint alibi witness magnifier case thief diary motive notebook
school teacher homework chalk exam lesson backpack ruler library pupil hallway bell
pirate parrot cannon island-map flag captain rum plank hook treasure-map mast cutlass
laboratory microscope beaker formula acid experiment goggles burner tube crystal chemist powder
airport pilot runway luggage passport boarding wing customs gatehouse propeller hangar stewardess
dragon egg cave scale flame rider nest claw saddlebag hoard wingbeat valley
market stall merchant cheese basket scale-weight bargain coin fruit crowd spice fishmonger
museum mummy statue exhibit guide fossil vase curator dinosaur guard map-room relic
bakery pretzel croissant baguette queue window-seat muffin yeast counter apron sugar cake
swamp frog alligator reed fog witch cauldron bog heron mud lily stump
racing pitstop tire-wall lap helmet-cam curb overtaking throttle podium gearbox qualifying grid
camera lens tripod zoom shutter filter flash film exposure focus portrait-mode battery-grip
circus clown juggler acrobat trapeze tent-pole elephant ringmaster popcorn unicycle magician hoop
bridge-building concrete crane pillar engineer girder cable bolt river scaffold blueprint welder
aquarium shark coral turtle jellyfish tank snail seahorse diver seaweed pump-room octopus
office printer meeting desk stapler email deadline cubicle spreadsheet boss elevator invoice
wizard wand potion spell scroll robe owl-post crystal-ball rune familiar hex grimoire
jungle monkey vine temple jaguar machete waterfall idol canopy python explorer ruins
clockwork spring cog pendulum dial hand-wheel watchmaker tower-clock gearwheel escapement chime winding
village blacksmith mill anvil baker mayor inn haystack chapel cart-wheel well-house orchard
""".strip().splitlines()
)
#: What a fact is about is one of these, with a word of the topic before it.
SUBJECTS = (
    *("vendor", "champion", "guild", "bonus", "riddle", "prize", "trophy", "record", "quest", "contest", "door"),
    *("shrine", "chapter", "upgrade", "festival", "machine", "workshop", "shortcut", "ceremony", "ladder"),
    *("council", "museum-wing", "elevator-shaft", "bench"),
)
_THINGS = """
phone window movie weekend pizza sister jacket shower headache birthday neighbor keyboard song couch breakfast
weather holiday cousin dentist sandwich bus wallet blanket umbrella haircut wedding landlord charger rent
salad podcast mattress vacuum sunglasses dream supermarket toothbrush playlist balloon candle drawer ceiling
sweater grandfather uncle zipper documentary lawnmower parking-lot thermostat marathon newspaper
aquarium-visit tattoo mosquito refrigerator passport-photo karaoke-bar avocado kettle trampoline backache
horoscope doorbell laundry souvenir puzzle escalator sauna hiccups lottery
"""
#: What asides are about; the first ones come most.
THINGS = tuple(_THINGS.split())
