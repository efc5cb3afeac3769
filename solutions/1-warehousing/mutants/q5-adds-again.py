# answer: q5-add-price
# loses: q5-others
# why: Adds the price once for each attempt.
def add_price(read, swap, price):
    for attempt in range(1, 6):
        total, version = read()
        if swap(total + attempt * price, version) == 1:
            return attempt
    raise RuntimeError("the order changed each time that it was read")
