# answer: q4-dollars
# loses: q4-alone
# why: Rounds the work up to the smallest run, and adds the idle seconds to that.
def dollars(runs, stored, price):
    """Dollars of a month, for questions that may come together."""
    awake = []
    for start, seconds in sorted(runs):
        sleeps = (
            start + max(seconds, price["smallest_run_seconds"]) + price["suspend_after_seconds"]
        )
        if awake and start <= awake[-1][1]:
            awake[-1][1] = max(awake[-1][1], sleeps)
        else:
            awake.append([start, sleeps])
    billed = sum(max(end - start, price["smallest_run_seconds"]) for start, end in awake)
    credits = billed / HOUR * price["credits_per_hour"]
    return credits * price["dollars_per_credit"] + stored / TIB * price["dollars_per_tib_month"]
