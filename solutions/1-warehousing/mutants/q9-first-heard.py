# answer: q9-versions
# loses: q9-corrected
# why: Believes the first message about a day.
def versions(messages):
    """The versions of each product's price, from messages in any order."""
    prices = {}
    for message in sorted(messages, key=lambda message: -message["heard"]):
        prices[message["product_id"], message["changed_on"]] = message["price"]
    made, last = [], {}
    for (product, changed_on), price in sorted(prices.items()):
        before = last.get(product)
        if before and before["price"] == price:
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
