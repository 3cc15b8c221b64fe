"""Forum threads: questions about a subject or a broken device, answers, thanks and noise."""

from random import Random

from curation.sample.catalogue import Stock
from curation.sample.page import Block, Draft
from curation.sample.prose import about, facts, pick_lines
from curation.sample.spin import Slots, expand


def thread(rng: Random, stock: Stock, turn: int) -> Draft:
    """A thread; one in three is about a device that has broken, the others about a subject."""
    return _repair(rng, stock) if stock.lap(turn) % 3 == 2 else _question(rng, stock, turn)


def _question(rng: Random, stock: Stock, turn: int) -> Draft:
    subject, frame = stock.subject(turn), stock.chapters["forum"]["threads"]
    users = rng.sample(stock.slots["user"], 6)
    slots = about(stock, subject) | {"heading": (rng.choice(subject.sections).heading,)}
    slots["user"] = users[:1]
    known = facts(rng, stock, subject, 13)
    first = known.pop(rng.randrange(len(known)))
    asked = (
        _say(rng, frame["question"], slots),
        _say(rng, frame["doubt"], slots | {"fact": (first,)}),
    )
    posts = [_post(users[0], *asked, _say(rng, frame["thanks_ahead"], slots))]
    for user in users[1 : rng.randint(3, 5)]:
        said = [known.pop(0) for _ in range(min(len(known), rng.randint(2, 3)))]
        agree, link = _say(rng, frame["agree"], slots), _say(rng, frame["link"], slots)
        posts.append(_post(user, agree, link, *said, _say(rng, frame["aside"], slots)))
        slots["user"] = (user,)
    posts.insert(rng.randint(1, len(posts)), _post(users[5], _say(rng, frame["noise"], slots)))
    posts.append(_post(users[0], _say(rng, frame["thanks"], slots)))
    title = _say(rng, frame["title"], slots)
    return Draft("forum", "forum", title, tuple(posts), "fair")


def _repair(rng: Random, stock: Stock) -> Draft:
    frame = stock.chapters["forum"]["repairs"]
    device, symptom = rng.choice(frame["device"]), rng.choice(frame["symptom"])
    slots = {**stock.slots, "device": (device,), "symptom": (symptom,)}
    users = rng.sample(stock.slots["user"], 5)
    details = pick_lines(rng, frame["detail"], rng.randint(2, 4), slots)
    answers = pick_lines(rng, frame["answer"], 8, slots)
    posts = [_post(users[0], _say(rng, frame["question"], slots), *details)]
    posts += [
        _post(user, *[answers.pop() for _ in range(rng.randint(1, 2))])
        for user in users[1 : rng.randint(3, 5)]
    ]
    posts.append(_post(users[0], _say(rng, frame["thanks"], slots)))
    return Draft("forum", "forum", _say(rng, frame["title"], slots), tuple(posts), "fair")


def _say(rng: Random, lines: tuple[str, ...], slots: Slots) -> str:
    return expand(rng.choice(lines), rng, slots)


def _post(user: str, *sentences: str) -> Block:
    return Block("post", (" ".join(sentences),), by=user)
