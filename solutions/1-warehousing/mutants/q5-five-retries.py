# answer: q5-add-price
# loses: q5-gives-up
# why: Makes one attempt, and five more.
def add_price(read, swap, price):
    for attempt in range(1, 7):
        total, version = read()
        if swap(total + price, version) == 1:
            return attempt
    raise RuntimeError("the order changed each time that it was read")
