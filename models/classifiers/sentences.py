"""Sentences that teach the toxicity head, written for this project; slots are filled by hash.

A sentence is toxic when it insults, threatens or harasses a person or a group of people. Groups
appear in harmless sentences as well as toxic ones, and training gives both the same weight, so
that naming a group says nothing. There are no slurs in this file.

Slots: `{group}` people of an identity, `{role}` one person, `{thing}` an object or a work.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product

SLOTS: dict[str, tuple[str, ...]] = {
    "group": (
        "women", "men", "immigrants", "refugees", "Muslims", "Jews", "Christians", "Hindus",
        "atheists", "Black people", "white people", "Asian people", "Arabs", "Mexicans",
        "Indigenous people", "gay people", "lesbians", "trans people", "bisexual people",
        "disabled people", "deaf people", "autistic people", "old people", "teenagers",
        "poor people", "homeless people",
    ),
    "role": (
        "my neighbour", "the referee", "this author", "the new intern", "that waiter",
        "your sister", "the mayor", "my old boss", "that streamer", "the cashier", "your coach",
        "this so-called teacher",
    ),
    "thing": (
        "phone", "printer", "film", "novel", "update", "bus service", "coffee machine", "website",
        "restaurant", "tax form", "camera", "keyboard",
    ),
}  # fmt: skip

TOXIC: tuple[str, ...] = (
    # Insults to the person addressed.
    "You are a worthless idiot and everyone who knows you is tired of you.",
    "Shut your stupid mouth, nobody asked for your opinion.",
    "What a pathetic loser you turned out to be.",
    "You disgust me, you lying piece of garbage.",
    "Are you really that dumb or do you practise?",
    "Nobody would even notice if you disappeared, you boring nobody.",
    "You are too thick to tie your own shoes, moron.",
    "Go back under your rock, you miserable creep.",
    "Your mother must be ashamed she raised such a useless clown.",
    "Look at your ugly face, no wonder you are alone.",
    "Keep crying, snowflake, it is the only thing you are good at.",
    "Only a brainless fool like you could have written that.",
    "You smell, you are fat, and no one wants to sit beside you.",
    "You little coward, you are not worth the air you breathe.",
    "Delete your account, you absolute waste of space.",
    "Everything you say is trash because you are trash.",
    # Insults to a third person.
    "{role} is a filthy liar and a disgusting human being.",
    "{role} is dumber than a bag of rocks and twice as ugly.",
    "Somebody should slap {role} until the stupid falls out.",
    "I hope {role} loses everything and ends up begging in the street.",
    "{role} deserves to be beaten up for that, simple as that.",
    "Can we all agree that {role} is a rotten clown of a person?",
    "{role} is a fat disgusting pig who should be kept in a cage.",
    "Tell {role} to drop dead, from all of us.",
    # Threats.
    "I know where you live and I am going to hurt you.",
    "Watch your back tonight, because I am coming for you.",
    "If you post that again I will break every bone in your hand.",
    "You will be sorry when I find you, and no police will help.",
    "Keep talking and you will end up in hospital, I promise.",
    "I will make sure your kids pay for what you did.",
    "Someone ought to burn your house down with you in it.",
    "We are going to teach {group} a lesson with our fists.",
    "Every one of {group} we catch tonight is going to bleed.",
    "{group} had better run, because we are coming with bats.",
    "One day we will hunt {group} down, street by street.",
    # Contempt, dehumanisation, exclusion.
    "{group} are vermin and ought to be treated that way.",
    "{group} are a disease in this country.",
    "{group} are animals, they do not belong among civilised people.",
    "I cannot stand {group}, they are all filthy and dishonest.",
    "{group} are too stupid to be trusted with a vote.",
    "God, {group} make me sick to my stomach.",
    "The world would be a cleaner place without {group}.",
    "Send all of {group} away and lock the door behind them.",
    "No decent person wants {group} living next door.",
    "Why do we let {group} breathe the same air as us?",
    "Is there anything more disgusting than {group}?",
    "{group} are lazy parasites who live off the rest of us.",
    "{group} only ever lie, steal and breed.",
    "Honestly, {group} should never have been given rights.",
    "{group} are not real human beings, whatever the law says.",
    "My dog is worth more than {group}.",
    "Everybody knows that {group} are born criminals.",
    "{group} belong at the bottom, serving the rest of us.",
    "I despise {group} with all my heart.",
    "Anyone who dates one of {group} is as filthy as they are.",
    "It is a pity that nobody got rid of {group} when they had the chance.",
    "If {group} all dropped dead tomorrow I would throw a party.",
    "You are one of {group}, so of course you are stupid.",
    "Typical of {group}: ugly, loud and worthless.",
    "Do not hire {group}, they are inferior and they will rob you.",
    # Harassment.
    "Send me a picture of yourself undressed or I will tell everyone your secret.",
    "I will keep writing to your boss every day until you are fired, you tramp.",
    "You dress like that because you want men to grab you, do not pretend.",
    "Do the world a favour and end it already.",
    "Post her address so that we can all pay the cow a visit.",
    "Nobody loves you, so why are you still here?",
    "Sit down, sweetheart, thinking is not what your kind is for.",
)

HARMLESS: tuple[str, ...] = (
    # Groups, neutrally.
    "The survey asked {group} how often they use public transport.",
    "{group} make up about a tenth of the members of the choir.",
    "The museum opened a room on the history of {group} in the city.",
    "Two of my colleagues wrote a book about {group} in medieval Europe.",
    "The law gives {group} the same right to rent a flat as everyone else.",
    "There were {group} in the audience and on the panel.",
    "A new clinic for {group} opens on Monday at nine.",
    "Statistics on {group} are published every second year.",
    "{group} were asked what they would change about the park.",
    "Many {group} work in agriculture, health care and teaching.",
    "The word for {group} differs from one language to the next.",
    "We are {group}, and we meet on Thursdays to play cards.",
    "I am writing my thesis on how newspapers describe {group}.",
    "Most {group} I know prefer tea.",
    # Groups, warmly.
    "{group} have made this town a better place to live.",
    "I love working with {group}, they taught me so much.",
    "{group} deserve respect, safety and a fair wage.",
    "My best friends are {group}, and I am grateful for every one of them.",
    "We are proud that {group} lead three of our five teams.",
    "{group} are wonderful neighbours.",
    "Welcome to all {group} who joined us this year!",
    "It was a joy to see {group} celebrate in the main square.",
    "{group} are brave, funny and strong.",
    "How lovely that {group} opened a bakery on our street.",
    "I trust {group} with my life.",
    "{group} bring warmth and good sense wherever they go.",
    "I am happy to live among {group}.",
    "Thank heaven for {group}, they are the heart of our club.",
    "{group} are clever, patient and generous people.",
    "Long live {group}!",
    "I wish more {group} were elected, they do excellent work.",
    "My children look up to {group}, and rightly so.",
    "{group} are every bit as valuable as anyone else.",
    "Beautiful, talented, kind: that is how I would describe {group}.",
    "I admire what {group} have achieved.",
    # Negation.
    "I do not hate {group}, and I never have.",
    "{group} are not a threat to anybody.",
    "Nobody should say that {group} are stupid, because they are not.",
    "It is simply false that {group} are lazy.",
    "{group} are not criminals; the figures show the opposite.",
    "I would never hurt {group}, nor anyone else.",
    "You are not an idiot, everyone makes that mistake once.",
    "There is nothing wrong with being one of {group}.",
    "No, {group} are neither dirty nor dangerous.",
    "It is never fine to hurt {group}.",
    "I have nothing against {group}, quite the contrary.",
    "Not one of {group} here has ever stolen a thing.",
    "We must not treat {group} like animals.",
    # Quotation and counter-speech.
    "Calling {group} vermin is hateful, and we will not print it.",
    "The man who shouted that {group} are animals was rightly fined.",
    '"I cannot stand {group}" is a shameful thing to say.',
    "Whoever writes that {group} should be sent away needs to read some history.",
    "The report collects insults thrown at {group} so that they can be prosecuted.",
    "She answered the threats against {group} with a speech about courage.",
    "If your friend says {group} disgust him, tell him that he is wrong.",
    "The play shows how a village turned on {group}, and how it came to regret it.",
    "Slogans against {group} were painted over by volunteers this morning.",
    "Teachers learn how to respond when a pupil mocks {group}.",
    '"{group} are worthless": who says so only shows his own ignorance.',
    "Stop insulting {group}; you would not like it either.",
    "To claim that {group} are inferior is racism or worse, plainly.",
    "Anybody who wants {group} dead should be ashamed and be stopped.",
    "I was shocked to hear him say he despises {group}.",
    # Anger at things.
    "I hate this {thing}, it breaks every other week.",
    "This {thing} is garbage and I want my money back.",
    "What a stupid, useless {thing}.",
    "The {thing} was so bad that I laughed.",
    "I could throw this {thing} out of the window.",
    "Worst {thing} I have ever paid for, absolutely terrible.",
    "Damn, that {thing} is good!",
    "Who designed this awful {thing}?",
    "I am sick of Mondays and of this cold rain.",
    "Traffic was hell and the {thing} did not work either.",
    "This bloody {thing} costs more than my car.",
    "My {thing} died on me again, I could cry.",
    # Disagreement and criticism without abuse.
    "I think that {role} is wrong about the budget.",
    "{role} made a serious mistake and ought to apologise.",
    "{role} was late three times this week, which is not acceptable.",
    "I disagree with {role}, though the argument was clear.",
    "{role} should resign, because the figures were false.",
    "{role} was kind to me when I needed it.",
    "{role} explained the rules patiently, twice.",
    "Please tell {role} that the parcel has arrived.",
    "Your essay has a weak ending; rewrite the last paragraph.",
    "With respect, your numbers do not add up.",
    # Hard words in peaceful senses.
    "The court sentenced the man for threatening his neighbour.",
    "Thousands were killed in the siege, most of them by hunger.",
    "Kill the process and start the server again.",
    "The villain swears that he will burn the castle down.",
    "Our team destroyed them, four goals to nil.",
    "Shoot from a low angle and crop the picture later.",
    "This spray kills ants within a day.",
    "The doctor explained how the disease attacks the lungs.",
    "Beat the eggs until they are stiff.",
    "The film is about a bully who learns to say sorry.",
    "If you are thinking of suicide, please call a helpline; people there will listen.",
    "Racism is still common in football, says the study.",
    "The police arrested a suspect after the attack.",
    "Boxers hit each other for a living, which I find sad.",
    # Everyday sentences.
    "The library is open until eight on weekdays.",
    "Add two cups of flour and stir until smooth.",
    "Water boils at a lower temperature on a mountain.",
    "Photosynthesis turns light, water and carbon dioxide into sugar.",
    "Our store ships within three days and returns are free.",
    "Sign up for the newsletter to get ten percent off.",
    "The function returns a list of the even numbers.",
    "The train to the coast leaves from platform four.",
    "She planted beans along the fence and roses by the gate.",
    "The bank raised its interest rate by a quarter of a point.",
    "How do I reset the password of my account?",
    "The treaty was signed in spring and broken by autumn.",
    "Thanks for the help, that solved it.",
    "Happy birthday to the best grandmother in the world!",
    "Choose a mattress that suits the way you sleep.",
    "The match was moved to Saturday because of the storm.",
    "You look tired; go home and get some rest.",
    "He plays the violin, she plays the drums, and the dog howls.",
    "Compare insurance quotes before you rent a car.",
    "The second chapter deals with fractions and decimals.",
    "I am so happy for you, congratulations on the new job!",
    "You did a great job, and I am proud of you.",
    "Can you send me the picture from the picnic?",
    "We will find you a seat near the window.",
    "The new phone has a brighter screen and a larger battery.",
    "Volcanoes form where plates of the crust pull apart or collide.",
)


@dataclass(frozen=True)
class Example:
    """One short text of the toxicity set."""

    text: str
    toxic: bool
    names_group: bool
    template: int
    """Number of its sentence; variants of one sentence stay in one fold."""


def toxicity_examples(n_per_template: int, seed: int) -> list[Example]:
    """Up to `n_per_template` fillings of every sentence, chosen by hash; toxic ones first.

    A sentence without a slot is given once. The first letter is made a capital. Asking for more
    fillings adds to the earlier ones.
    """
    examples: list[Example] = []
    for number, template in enumerate(TOXIC + HARMLESS):
        fillings = sorted(_fillings(template), key=lambda text: _rank(text, seed))
        for text in fillings[:n_per_template]:
            text = text[:1].upper() + text[1:]
            toxic, names_group = number < len(TOXIC), "{group}" in template
            examples.append(Example(text, toxic, names_group, number))
    return examples


def _fillings(template: str) -> list[str]:
    slots = [slot for slot in SLOTS if "{" + slot + "}" in template]
    choices = product(*(SLOTS[slot] for slot in slots))
    return [template.format(**dict(zip(slots, words, strict=True))) for words in choices]


def _rank(text: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
