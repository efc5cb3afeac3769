# answer: q5-add-price
# loses: q5-others, q5-gives-up
# why: Does not look at how many rows were changed.
def add_price(read, swap, price):
    for attempt in range(1, 6):
        total, version = read()
        swap(total + price, version)
        return attempt
    raise RuntimeError("the order changed each time that it was read")
