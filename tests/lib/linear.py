"""Judges a history that clients wrote down: is there one order of all operations, each at one
moment between its call and its answer, in which every answer is right? (Linearizability: Herlihy
and Wing, 1990.)

The search is Wing and Gong's (1993) with Lowe's memory of what has been tried (2017), one object
at a time. Three observations, each an exchange of neighbours in a good order, keep it small with
hundreds of clients at once:

  - what changes nothing and fits now may be put here: no other place does more for it;
  - of operations that do the same and were answered the same, the one with the earliest answer
    may go first;
  - of operations without an answer that do the same, the one called first may go first.

An operation without an answer (a client that gave up) may take effect at any time after its call,
or never.

Objects: a cart is what its last change made of it; a SKU is a number of units, of which an
operation takes some, gives some back, or sees that there are too few. Nothing here knows the shop,
HTTP or threads; times are numbers of any one clock.
"""

import bisect
import collections
import math

# What an operation without an answer returned.
NEVER = math.inf


class Undecided(Exception):
    """There were more possibilities than one may try."""


class Operation:
    """One call of one client. KIND and VALUE say what was asked, ANSWER what came back; CALL and
    RETURNED are the moments, RETURNED is NEVER without an answer."""

    __slots__ = ("kind", "value", "answer", "call", "returned", "client")

    def __init__(self, kind, value, answer, call, returned, client=None):
        assert call <= returned, (kind, value, call, returned)
        self.kind, self.value, self.answer = kind, value, answer
        self.call, self.returned, self.client = call, returned, client

    def __repr__(self):
        answer = "no answer" if self.returned == NEVER else f"{self.answer!r} at {self.returned:.6f}"
        who = "" if self.client is None else f" by {self.client}"
        return f"{self.kind} {self.value!r}{who} at {self.call:.6f}: {answer}"


class Violation(Exception):
    """No order explains the history of OBJECT."""

    def __init__(self, thing, why, operations=()):
        super().__init__(f"{thing}: {why}" + "".join(f"\n    {o!r}" for o in operations))


# ---- Models
# step(state, operation) is the next state, or None where the answer does not fit; fits() is that of
# what changes nothing. hopeless(state, operation, reach) may see that an operation will never fit
# any more; reach() has prepared it, from all operations.


class CartModel:
    """State: None before it exists, else the content as a frozenset of (item, quantity)."""

    first = None

    @staticmethod
    def changes(operation):
        return operation.kind != "read"

    @staticmethod
    def step(state, operation):
        if operation.kind == "read":
            return state if operation.answer == state else None
        if operation.kind == "put":
            state = operation.value
        elif operation.kind == "add":
            content = dict(state or ())
            item, quantity = operation.value
            content[item] = content.get(item, 0) + quantity
            state = frozenset(content.items())
        else:
            raise ValueError(operation.kind)
        if operation.returned != NEVER and operation.answer != state:
            return None
        return state

    @staticmethod
    def fits(state, operation):
        return operation.answer == state

    @staticmethod
    def reach(operations, judged):
        return [None] * len(judged)

    @staticmethod
    def hopeless(state, operation, reach):
        return False


class StockModel:
    """State: (units available, units held, units that ever came to those of the beginning).

    take N     N units go, if there are as many: a hold that became an order
    hold N     the same, and `release` may bring them back: of a purchase that was refused later
    release N  brings N held ones back
    arrive N   N more
    short N    sees fewer than N
    read       sees ANSWER units
    """

    def __init__(self, units):
        self.units = units
        self.first = (units, 0, 0)

    @staticmethod
    def changes(operation):
        return operation.kind not in ("read", "short")

    @staticmethod
    def step(state, operation):
        available, held, came = state
        units = operation.value
        if operation.kind == "arrive":
            return available + units, held, came + units
        if operation.kind == "release":
            return (available + units, held - units, came + units) if held >= units else None
        if available < units:
            return None
        return available - units, held + (units if operation.kind == "hold" else 0), came

    @staticmethod
    def fits(state, operation):
        return state[0] < operation.value if operation.kind == "short" \
            else state[0] == operation.answer

    def reach(self, operations, judged):
        """For each of JUDGED how many units have been asked for, and offered, until its answer."""
        asked, offered = asked_and_offered(operations)
        return [(asked.until(o.returned), offered.until(o.returned)) for o in judged]

    def hopeless(self, state, operation, reach):
        """Whether so much has gone, or so little can go any more, that it will not fit. What has
        been ordered was called before the answer of what has not."""
        available, _, came = state
        asked, offered = reach
        most = available + offered - came
        least = available - (asked - (self.units + came - available))
        if operation.kind == "read":
            return not least <= operation.answer <= most
        if operation.kind == "short":
            return least >= operation.value
        return operation.kind in ("take", "hold") and most < operation.value


# ---- The search


class Search:
    """One object's history. The operations with an answer are numbered by their call; what of them
    has been ordered is (low, mask): all below `low`, and bit i of mask is number low + i. Of those
    without an answer only so many of each sort count (`loose`)."""

    def __init__(self, model, operations, tries):
        self.model, self.tries = model, tries
        self.fixed = sorted((o for o in operations if o.returned != NEVER), key=lambda o: o.call)
        sorts = collections.defaultdict(list)
        for operation in operations:
            if operation.returned == NEVER and model.changes(operation):
                sorts[operation.kind, operation.value].append(operation)
        self.loose = [sorted(sort, key=lambda o: o.call) for sort in sorts.values()]
        self.changes = [model.changes(o) for o in self.fixed]
        self.sort_of = [(o.kind, o.value, o.answer) for o in self.fixed]
        self.reach = model.reach(operations, self.fixed)
        self.furthest = (-1, None)

    def pending(self, low, mask):
        """Numbers that may be next, and the earliest answer among what is left."""
        numbers, soonest, i = [], NEVER, low
        fixed = self.fixed
        while i < len(fixed) and fixed[i].call <= soonest:
            if not mask >> (i - low) & 1:
                numbers.append(i)
                soonest = min(soonest, fixed[i].returned)
            i += 1
        return numbers, soonest

    @staticmethod
    def ordered(low, mask, number):
        mask |= 1 << (number - low)
        while mask & 1:
            mask >>= 1
            low += 1
        return low, mask

    def settle(self, low, mask, state):
        """Puts in all that changes nothing and fits. (low, mask, what is pending, its soonest)"""
        while True:
            numbers, soonest = self.pending(low, mask)
            fitting = [i for i in numbers
                       if not self.changes[i] and self.model.fits(state, self.fixed[i])]
            if not fitting:
                return low, mask, numbers, soonest
            for number in fitting:
                low, mask = self.ordered(low, mask, number)

    def moves(self, config, numbers, soonest):
        """Every next (low, mask, loose, state), the most likely last."""
        low, mask, loose, state = config
        for sort, used in enumerate(loose):
            if used < len(self.loose[sort]) and self.loose[sort][used].call <= soonest:
                after = self.model.step(state, self.loose[sort][used])
                if after is not None and after != state:
                    yield low, mask, loose[:sort] + (used + 1,) + loose[sort + 1:], after
        first = {}
        for number in numbers:
            if self.changes[number]:
                known = first.get(self.sort_of[number])
                if known is None or self.fixed[number].returned < self.fixed[known].returned:
                    first[self.sort_of[number]] = number
        for number in sorted(first.values(), key=lambda i: -self.fixed[i].returned):
            after = self.model.step(state, self.fixed[number])
            if after is not None:
                yield *self.ordered(low, mask, number), loose, after

    def run(self):
        """True, or False where no order explains the history; `furthest` is where it broke off."""
        tried = set()
        stack = [(0, 0, (0,) * len(self.loose), self.model.first)]
        while stack:
            low, mask, loose, state = stack.pop()
            low, mask, numbers, soonest = self.settle(low, mask, state)
            if not numbers:
                return True
            config = low, mask, loose, state
            if config in tried:
                continue
            tried.add(config)
            if len(tried) > self.tries:
                raise Undecided(f"more than {self.tries} possibilities")
            done = low + bin(mask).count("1")
            if done > self.furthest[0]:
                self.furthest = done, (state, [self.fixed[i] for i in numbers])
            if not any(self.model.hopeless(state, self.fixed[i], self.reach[i]) for i in numbers):
                stack.extend(self.moves(config, numbers, soonest))
        return False


def check(thing, model, operations, tries=200_000):
    """Raises Violation when no order explains OPERATIONS on one object called THING."""
    search = Search(model, operations, tries)
    try:
        good = search.run()
    except Undecided as error:
        raise Undecided(f"{thing}: {error}") from None
    if good:
        return
    done, (state, left) = search.furthest
    left.sort(key=lambda o: o.returned)
    raise Violation(thing, f"after {done} of {len(search.fixed)} operations it is {state!r}, "
                    "and none of these can be the next:", left[:12])


def check_carts(histories, tries=200_000):
    """HISTORIES: {cart: operations}. How many operations were judged."""
    for cart, operations in histories.items():
        check(f"cart {cart}", CartModel(), operations, tries)
    return sum(len(operations) for operations in histories.values())


# ---- Stock: what can be seen without a search


class Steps:
    """How many units there have been of something by a moment, from (moment, units)."""

    def __init__(self, moments):
        self.moments, self.sums = [], [0]
        for moment, units in sorted(moments):
            self.moments.append(moment)
            self.sums.append(self.sums[-1] + units)

    def until(self, moment):
        """Of all moments up to and with MOMENT."""
        return self.sums[bisect.bisect_right(self.moments, moment)]

    def before(self, moment):
        return self.sums[bisect.bisect_left(self.moments, moment)]


def asked_and_offered(operations):
    return (Steps((o.call, o.value) for o in operations if o.kind in ("take", "hold")),
            Steps((o.call, o.value) for o in operations if o.kind in ("arrive", "release")))


def check_stock_bounds(sku, units, operations):
    """What must hold of every good history: at each moment there are at least the units that the
    calls so far leave when all of them have taken effect, and at the most those that the answers so
    far leave when nothing else has. Raises Violation. Linear in the history, and so made first: its
    sentence tells more than a search that found nothing."""
    takes = [o for o in operations if o.kind in ("take", "hold")]
    gives = [o for o in operations if o.kind in ("arrive", "release")]
    may_take, may_give = asked_and_offered(operations)
    has_taken = Steps((o.returned, o.value) for o in takes if o.returned != NEVER)
    has_given = Steps((o.returned, o.value) for o in gives if o.returned != NEVER)
    for o in operations:
        if o.returned == NEVER:
            continue
        least = units + has_given.before(o.call) - may_take.until(o.returned)
        most = units + may_give.until(o.returned) - has_taken.before(o.call)
        if o.kind == "read" and not least <= o.answer <= most:
            raise Violation(sku, f"there were {least} to {most} units when this saw {o.answer}:", [o])
        if o.kind == "short" and least >= o.value:
            raise Violation(sku, f"there were at least {least} units when this was refused:", [o])
        if o.kind in ("take", "hold") and most < o.value:
            raise Violation(sku, f"there were at most {most} units when this took {o.value}:", [o])
    taken = sum(o.value for o in operations if o.kind == "take" and o.returned != NEVER)
    there = units + sum(o.value for o in gives if o.kind == "arrive")
    if taken > there:
        raise Violation(sku, f"{taken} units were sold of {there}")


def check_stock(histories, units, tries=200_000):
    """HISTORIES: {sku: operations}; UNITS: {sku: units at first}. How many were judged."""
    for sku, operations in histories.items():
        check_stock_bounds(f"SKU {sku}", units[sku], operations)
        check(f"SKU {sku}", StockModel(units[sku]), operations, tries)
    return sum(len(operations) for operations in histories.values())
