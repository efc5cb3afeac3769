# answer: q5-add-price
# loses: q5-alone
# why: Returns the new total, not the number of attempts.
def add_price(read, swap, price):
    for _ in range(1, 6):
        total, version = read()
        if swap(total + price, version) == 1:
            return total + price
    raise RuntimeError("the order changed each time that it was read")
