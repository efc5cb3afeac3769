# answer: q9-versions
# loses: q9-same-price
# why: Keeps each price of a product once, so a price can't come back.
def versions(messages):
    """The versions of each product's price, from messages in any order."""
    prices = {}
    for message in sorted(messages, key=lambda message: message["heard"]):
        prices[message["product_id"], message["changed_on"]] = message["price"]
    made, last = [], {}
    for (product, changed_on), price in sorted(prices.items()):
        before = last.get(product)
        if any((old["product_id"], old["price"]) == (product, price) for old in made):
            continue
        if before:
            before.update(valid_to=changed_on, is_current=False)
        last[product] = {
            "product_id": product,
            "price": price,
            "valid_from": changed_on,
            "valid_to": FOREVER,
            "is_current": True,
        }
        made.append(last[product])
    return made
