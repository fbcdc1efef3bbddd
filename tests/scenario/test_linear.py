"""The judge of histories (tests/lib/linear.py) finds what is wrong, and nothing else."""

import itertools
import random

import pytest

from linear import (NEVER, CartModel, Operation, StockModel, Undecided, Violation, check,
                    check_carts, check_stock, check_stock_bounds)

pytestmark = pytest.mark.quick

TEA, MUG = frozenset({("tea", 1)}), frozenset({("mug", 2)})
BOTH = TEA | MUG


def put(content, call, returned=NEVER, answer=None):
    return Operation("put", content, answer or content, call, returned)


def add(item, quantity, answer, call, returned=NEVER):
    return Operation("add", (item, quantity), answer, call, returned)


def read(answer, call, returned):
    return Operation("read", None, answer, call, returned)


def take(units, call, returned=NEVER):
    return Operation("take", units, True, call, returned)


def hold(units, call, returned=NEVER):
    return Operation("hold", units, True, call, returned)


def release(units, call, returned=NEVER):
    return Operation("release", units, True, call, returned)


def short(units, call, returned):
    return Operation("short", units, False, call, returned)


def arrive(units, call, returned=NEVER):
    return Operation("arrive", units, True, call, returned)


GOOD_CARTS = {
    "one after the other": [put(TEA, 0, 1), read(TEA, 2, 3), put(MUG, 4, 5), read(MUG, 6, 7)],
    "not there yet": [read(None, 0, 1), put(TEA, 2, 3)],
    "old while it is changed": [put(TEA, 0, 1), put(MUG, 2, 9), read(TEA, 3, 4), read(MUG, 5, 6)],
    "seen before it was answered": [put(TEA, 0, 9), read(TEA, 1, 2), read(TEA, 3, 4)],
    "two at once, either wins": [put(TEA, 0, 5), put(MUG, 0, 5), read(TEA, 6, 7)],
    "two at once, the other wins": [put(TEA, 0, 5), put(MUG, 0, 5), read(MUG, 6, 7)],
    "unanswered and never": [put(TEA, 0, 1), put(MUG, 2), read(TEA, 3, 4), read(TEA, 5, 6)],
    "unanswered and late": [put(TEA, 0, 1), put(MUG, 2), read(TEA, 3, 4), read(MUG, 50, 60)],
    "added": [add("tea", 1, TEA, 0, 1), add("mug", 2, BOTH, 2, 3), read(BOTH, 4, 5)],
    "added without an answer": [add("tea", 1, TEA, 0, 1), add("mug", 2, None, 2), read(BOTH, 4, 5)],
}

BAD_CARTS = {
    "lost write": [put(TEA, 0, 1), put(MUG, 2, 3), read(TEA, 4, 5)],
    "lost cart": [put(TEA, 0, 1), read(None, 2, 3)],
    "stale read": [put(TEA, 0, 1), put(MUG, 2, 3), read(TEA, 4, 5), read(MUG, 6, 7)],
    "cart going back": [put(TEA, 0, 1), put(MUG, 2, 9), read(MUG, 3, 4), read(TEA, 5, 6)],
    "effect before invocation": [read(TEA, 0, 1), put(TEA, 2, 3)],
    "unanswered, undone again": [put(TEA, 0, 1), put(MUG, 2), read(MUG, 3, 4), read(TEA, 5, 6)],
    "from nowhere": [put(TEA, 0, 1), read(MUG, 2, 3)],
    "answered with another": [put(TEA, 0, 1, answer=MUG)],
    "added twice": [add("tea", 1, TEA, 0, 1), read(frozenset({("tea", 2)}), 2, 3)],
    "added to what was replaced": [put(TEA, 0, 1), put(MUG, 2, 3), add("tea", 1, TEA, 4, 5)],
    "unanswered, twice": [add("mug", 2, None, 0), read(frozenset({("mug", 4)}), 1, 2)],
}

GOOD_STOCK = {
    "sold out": [take(2, 0, 1), take(1, 2, 3), short(1, 4, 5), Operation("read", 0, 0, 6, 7)],
    "many at once": [take(1, 0, 9), take(2, 0, 9), short(1, 0, 9)],
    "refused, and there again": [hold(3, 0, 9), short(1, 1, 2), release(3, 0, 9), take(3, 10, 11)],
    "arrived": [take(3, 0, 1), short(1, 2, 3), arrive(5, 4, 5), take(4, 6, 7)],
    "unanswered, taken": [take(3, 0), short(1, 2, 3)],
    "unanswered, not taken": [take(3, 0), take(3, 2, 3)],
    "unanswered, held and released": [hold(3, 0), release(3, 0), short(3, 2, 3), take(3, 4, 5)],
}

BAD_STOCK = {
    "oversold": [take(2, 0, 1), take(2, 2, 3)],
    "oversold at once": [take(2, 0, 9), take(2, 0, 9)],
    "doubled purchase": [take(1, 0, 1), Operation("read", 0, 1, 2, 3)],
    "forgotten purchase": [take(1, 0, 1), Operation("read", 0, 3, 2, 3)],
    "refused though there": [take(1, 0, 1), short(1, 2, 3)],
    "unanswered, twice": [take(1, 0), Operation("read", 0, 1, 2, 3)],
    "seen before it came": [Operation("read", 0, 8, 0, 1), arrive(5, 2, 3)],
    "stock going back": [take(1, 0, 9), Operation("read", 0, 2, 1, 2), Operation("read", 0, 3, 3, 4)],
    "released, never held": [release(1, 0, 1)],
    "seen less and more": [take(3, 0), short(1, 1, 2), take(3, 3, 4)],
}


@pytest.mark.parametrize("name", GOOD_CARTS)
def test_good_history_of_a_cart_is_good(name):
    assert check_carts({name: GOOD_CARTS[name]}) == len(GOOD_CARTS[name])


@pytest.mark.parametrize("name", BAD_CARTS)
def test_bad_history_of_a_cart_is_found(name):
    with pytest.raises(Violation, match=name):
        check_carts({name: BAD_CARTS[name], "other": GOOD_CARTS["added"]})


@pytest.mark.parametrize("name", GOOD_STOCK)
def test_good_history_of_stock_is_good(name):
    assert check_stock({name: GOOD_STOCK[name]}, {name: 3}) == len(GOOD_STOCK[name])


@pytest.mark.parametrize("name", BAD_STOCK)
def test_bad_history_of_stock_is_found(name):
    with pytest.raises(Violation, match=name):
        check_stock({name: BAD_STOCK[name]}, {name: 3})
    with pytest.raises(Violation, match=name):  # also by the search alone
        check(name, StockModel(3), BAD_STOCK[name])


def follows(order):
    """Whether time allows ORDER."""
    return all(a.call <= b.returned for i, a in enumerate(order) for b in order[i + 1:])


def explains(model, order):
    state = model.first
    for operation in order:
        if model.changes(operation):
            state = model.step(state, operation)
            if state is None:
                return False
        elif not model.fits(state, operation):
            return False
    return True


def by_trying_all(model, operations):
    """What linearizability means, word by word."""
    fixed = [o for o in operations if o.returned != NEVER]
    loose = [o for o in operations if o.returned == NEVER]
    for count in range(len(loose) + 1):
        for chosen in itertools.combinations(loose, count):
            for order in itertools.permutations(fixed + list(chosen)):
                if follows(order) and explains(model, order):
                    return True
    return False


def any_cart_operation(choose):
    call = choose.randrange(8)
    returned = NEVER if choose.random() < 0.2 else call + choose.randrange(5)
    content = choose.choice([TEA, MUG])
    kind = choose.choice(["put", "read", "read", "add"])
    if kind == "put":
        return put(content, call, returned)
    if kind == "read":
        return read(choose.choice([None, TEA, MUG, BOTH]), call, call + 3)
    return add("tea", 1, choose.choice([TEA, BOTH]), call, returned)


def any_stock_operation(choose):
    call = choose.randrange(8)
    returned = NEVER if choose.random() < 0.2 else call + choose.randrange(5)
    units = choose.randint(1, 2)
    kind = choose.choice(["take", "take", "hold", "release", "arrive", "short", "read"])
    if kind == "read":
        return Operation("read", 0, choose.randrange(4), call, call + 3)
    if kind == "short":
        return short(units, call, call + 3)
    return Operation(kind, units, True, call, returned)


@pytest.mark.parametrize("model,draw", [(CartModel(), any_cart_operation),
                                        (StockModel(2), any_stock_operation)],
                         ids=["carts", "stock"])
def test_it_agrees_with_trying_every_order(model, draw):
    choose = random.Random(5)
    found = {True: 0, False: 0}
    for _ in range(600):
        operations = [draw(choose) for _ in range(choose.randint(1, 5))]
        truth = by_trying_all(model, operations)
        found[truth] += 1
        try:
            check("it", model, operations)
            judged = True
        except Violation:
            judged = False
        assert judged == truth, operations
        if truth and isinstance(model, StockModel):
            check_stock_bounds("it", 2, operations)  # never says that a good one is bad
    assert min(found.values()) > 50, found


def busy_minute(seed, units, clients=200, operations=8000):
    """What CLIENTS see of UNITS of one SKU in a minute, one in thirty without an answer."""
    choose = random.Random(seed)
    free = [(choose.random(), client) for client in range(clients)]
    moments = []
    for _ in range(operations):
        free.sort(reverse=True)
        call, client = free.pop()
        at = call + choose.expovariate(20)
        returned = at + choose.expovariate(20)
        free.append((returned + choose.expovariate(1), client))
        moments.append((at, call, returned, client))
    left, history = units, []
    for _, call, returned, client in sorted(moments):
        wanted = choose.randint(1, 3)
        lost = choose.random() < 0.03
        if choose.random() < 0.3:
            history.append(Operation("read", 0, left, call, returned, client))
        elif lost and choose.random() < 0.5:
            history.append(take(wanted, call))
        elif left < wanted:
            history.append(short(wanted, call, returned))
        else:
            left -= wanted
            history.append(take(wanted, call, NEVER if lost else returned))
    return history, left


def test_a_minute_of_two_hundred_shoppers_is_judged():
    history, left = busy_minute(1, 7000)
    assert check_stock({"hot": history}, {"hot": 7000}) == 8000
    end = max(o.returned for o in history if o.returned != NEVER) + 1
    unknown = sum(o.value for o in history if o.returned == NEVER)
    assert unknown < 7000
    gone = Operation("read", 0, left + unknown + 1, end, end + 1)
    with pytest.raises(Violation):  # one unit more than there can be
        check_stock({"hot": history + [gone]}, {"hot": 7000})


def test_one_wrong_answer_in_a_busy_minute_is_found():
    history, _ = busy_minute(2, 100000, operations=2000)
    reads = [o for o in history if o.kind == "read"]
    wrong = reads[len(reads) // 2]
    wrong.answer += 200
    with pytest.raises(Violation):
        check_stock({"cold": history}, {"cold": 100000})


def test_what_cannot_be_decided_is_not_called_good():
    history, _ = busy_minute(3, 100000, operations=500)
    with pytest.raises(Undecided):
        check("cold", StockModel(100000), history, tries=10)
