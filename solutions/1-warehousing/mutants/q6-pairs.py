# answer: q6-plan
# loses: q6-done
# why: Merges files two by two.
def plan(files, target):
    """Groups of paths; each group is to become one file."""
    partitions = {}
    for file in files:
        partitions.setdefault(file["path"].rsplit("/", 1)[0], []).append(file)
    groups = []
    for partition in partitions.values():
        opened = []
        for file in partition:
            for group in opened:
                if (
                    sum(other["bytes"] for other in group) + file["bytes"] <= target
                    and len(group) < 2
                ):
                    group.append(file)
                    break
            else:
                opened.append([file])
        groups += opened
    return [[file["path"] for file in group] for group in groups if len(group) > 1]
