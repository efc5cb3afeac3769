# answer: q5-add-price
# loses: q5-alone
# why: Counts attempts from zero.
def add_price(read, swap, price):
    for attempt in range(5):
        total, version = read()
        if swap(total + price, version) == 1:
            return attempt
    raise RuntimeError("the order changed each time that it was read")
