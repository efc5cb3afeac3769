# answer: q5-add-price
# loses: q5-others
# why: Reads the version again, and keeps the total that it read first.
def add_price(read, swap, price):
    total, version = read()
    for attempt in range(1, 6):
        if swap(total + price, version) == 1:
            return attempt
        _, version = read()
    raise RuntimeError("the order changed each time that it was read")
