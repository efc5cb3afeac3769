# answer: q5-add-price
# loses: q5-gives-up
# why: Returns after the last attempt as if all were well.
def add_price(read, swap, price):
    for attempt in range(1, 6):
        total, version = read()
        if swap(total + price, version) == 1:
            return attempt
    return attempt
