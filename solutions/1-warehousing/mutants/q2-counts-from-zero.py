# answer: q2-add-price
# loses: q2-alone
# why: Counts attempts from zero.
def add_price(read, swap, price):
    for attempt in range(5):
        total, version = read()
        if swap(total + price, version) == 1:
            return attempt
    raise RuntimeError("no luck")
