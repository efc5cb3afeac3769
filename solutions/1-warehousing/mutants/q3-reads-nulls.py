# answer: q3-to-read
# loses: q3-missing
# why: Reads a group that is all null, since its values are unknown.
def to_read(groups, where):
    """The numbers of the row groups that may hold a row for which all of `where` holds."""

    def may_hold(group, column, low, high):
        seen = group[column]
        if seen is None:
            return True
        if seen["smallest"] is None:
            return True
        return seen["smallest"] <= high and seen["largest"] >= low

    return [
        number
        for number, group in enumerate(groups)
        if all(may_hold(group, column, *wanted) for column, wanted in where.items())
    ]
