# answer: q3-candidates
# loses: q3-leaves-out
# why: Counts every scan that filters, one by an index too.
def candidates(plan):
    def all_steps(step):
        yield step
        for below in step.get("Plans", []):
            yield from all_steps(below)

    def pages(step):
        return step["Shared Hit Blocks"] + step["Shared Read Blocks"]

    def wasteful(step):
        removed = step.get("Rows Removed by Filter", 0)
        looked_at = removed + step["Actual Rows"]
        many = removed >= 0.95 * looked_at > 0
        return "Scan" in step["Node Type"] and pages(step) >= 100 and many

    found = [step for step in all_steps(plan) if wasteful(step)]
    return [step["Relation Name"] for step in sorted(found, key=pages, reverse=True)]
