# answer: q2-add-price
# loses: q2-others, q2-gives-up
# why: Does not look at how many rows were changed.
def add_price(read, swap, price):
    total, version = read()
    swap(total + price, version)
    return 1
