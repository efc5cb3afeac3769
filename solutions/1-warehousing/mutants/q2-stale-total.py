# answer: q2-add-price
# loses: q2-others
# why: Reads the version again, and keeps the total that it read first.
def add_price(read, swap, price):
    total, version = read()
    for attempt in range(1, 6):
        if swap(total + price, version) == 1:
            return attempt
        _, version = read()
    raise RuntimeError("no luck")
