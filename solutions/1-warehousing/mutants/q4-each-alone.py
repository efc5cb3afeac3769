# answer: q4-dollars
# loses: q4-together
# why: Bills each question as if it woke the warehouse.
def dollars(runs, stored, price):
    """Dollars of a month, for questions that may come together."""
    awake = []
    for start, seconds in sorted(runs):
        sleeps = start + seconds + price["suspend_after_seconds"]
        if False:
            awake[-1][1] = max(awake[-1][1], sleeps)
        else:
            awake.append([start, sleeps])
    billed = sum(max(end - start, price["smallest_run_seconds"]) for start, end in awake)
    credits = billed / HOUR * price["credits_per_hour"]
    return credits * price["dollars_per_credit"] + stored / TIB * price["dollars_per_tib_month"]
